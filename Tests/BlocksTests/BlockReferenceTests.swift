import Base
import Blocks
import Codecs
import SimulatedWorld
import Tables
import Testing

@Suite struct BlockReferenceTests {
  private func decoded(_ bytes: [UInt8]) throws -> BlockReference {
    try bytes.withUnsafeBytes { try BlockReference(decoding: $0) }
  }

  @Test func theBytesOfARowAreAsDocumented() throws {
    let owner = BlockOwner(partitionKey: [0xAA, 0xBB], sortKey: [0xCC])
    let live = BlockReference(.live(owner), at: Timestamp(rawValue: 0x0102_0304_0506_0708))
    #expect(Hex.encode(live.encode()) == "01" + "0102030405060708" + "01" + "02aabb" + "01cc")
    let released = BlockReference(.released, at: Timestamp(rawValue: 1))
    #expect(Hex.encode(released.encode()) == "01" + "0000000000000001" + "02")
    #expect(try decoded(live.encode()) == live)
    #expect(try decoded(released.encode()) == released)
  }

  @Test func fieldsOfANewerProgramAreKept() throws {
    let bytes = BlockReference(.released, at: Timestamp(rawValue: 1)).encode() + [7, 8, 9]
    #expect(try decoded(bytes).encode() == bytes)
  }

  @Test func bytesThatAreNoRowAreRefused() {
    let row = BlockReference(
      .live(BlockOwner(partitionKey: [1], sortKey: [2])), at: Timestamp(rawValue: 1)
    ).encode()
    for count in 0..<row.count {
      #expect(throws: BinaryError.self) { try decoded(Array(row[..<count])) }
    }
    var unknown = row
    unknown[9] = 3
    #expect(throws: BinaryError.invalidValue) { try decoded(unknown) }
    unknown[0] = 2
    #expect(throws: BinaryError.unknownVersion(2)) { try decoded(unknown) }
  }

  @Test func mergingIsALaw() {
    let random = SeededRandom(seed: 11)
    func row() -> BlockReference {
      let state: BlockReference.State =
        random.below(3) == 0
        ? .released : .live(BlockOwner(partitionKey: random.bytes(random.below(2)), sortKey: []))
      var row = BlockReference(state, at: Timestamp(rawValue: UInt64(random.below(4))))
      row.trailing = random.bytes(random.below(2))
      return row
    }
    for _ in 0..<20_000 {
      let (a, b, c) = (row(), row(), row())
      #expect(a.merged(with: b) == b.merged(with: a))
      #expect(a.merged(with: b).merged(with: c) == a.merged(with: b.merged(with: c)))
      #expect(a.merged(with: a) == a)
      #expect(a.merged(with: b).timestamp == max(a.timestamp, b.timestamp))
      #expect(a.merged(with: b).isLive == (a.isLive && b.isLive))
    }
  }
}
