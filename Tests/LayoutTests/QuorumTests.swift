// Quorums meet.

import Layout
import Testing

@Suite struct QuorumTests {
  @Test(arguments: [(1, 1, 1), (2, 2, 1), (3, 2, 2), (4, 3, 3), (5, 3, 3), (6, 4, 4), (7, 4, 4)])
  func sizes(holders: Int, write: Int, read: Int) {
    #expect(Quorum.write(of: holders) == write)
    #expect(Quorum.read(of: holders) == read)
  }

  /// Every set of holders that makes a write quorum against every one that makes a read quorum.
  @Test(arguments: 1...9)
  func everyWriteQuorumMeetsEveryReadQuorum(holders: Int) {
    let sets = 0..<(1 << holders)
    let writes = sets.filter { $0.nonzeroBitCount == Quorum.write(of: holders) }
    let reads = sets.filter { $0.nonzeroBitCount == Quorum.read(of: holders) }
    #expect(!writes.isEmpty && !reads.isEmpty)
    #expect(!writes.contains { write in reads.contains { write & $0 == 0 } })
    #expect(!writes.contains { write in writes.contains { write & $0 == 0 } })
  }

  /// Two sets of so many of n meet when together they are more than n.
  @Test func quorumsOfManyHoldersMeet() {
    for holders in 1...LayoutLimits.nodesMax {
      let (write, read) = (Quorum.write(of: holders), Quorum.read(of: holders))
      #expect(write + read > holders && 2 * write > holders && write <= holders && read >= 1)
    }
  }
}
