import Base
import SimulatedCluster
import SimulatedWorld
import Synchronization
import Tables
import Testing

/// Ranges over replicas that each miss something: pages are complete, in order, without repetition,
/// and what a delete hides stays hidden.
@Suite struct TableRangePropertyTests {
  private static let partitionKey: [UInt8] = [5, 5, 5, 5]

  @Test(arguments: (0..<40).map { UInt64($0) &* 104_729 &+ 11 })
  func pagesOfAQuorumAreWhatTheMergeOfAllRowsShows(seed: UInt64) throws {
    let runtime = SimulatedRuntime(seed: seed)
    let cluster = try RegisterCluster(runtime, delay: .milliseconds(1) ... .milliseconds(3))
    try runtime.run {
      let newest = try await Self.fill(cluster, runtime)
      if runtime.worldRandom.below(2) == 0 {
        cluster.nodes[runtime.worldRandom.below(3)].link.isCut.store(true, ordering: .relaxed)
      }
      for _ in 0..<6 {
        let query = Self.query(runtime)
        let expected = Self.expected(newest, query)
        var found: [String] = []
        var from: [UInt8]? = query.from
        while let position = from {
          var part = query
          part.from = position
          let page = try await cluster.nodes[0].table.range(part)
          #expect(page.items.count <= query.limit, "seed \(seed)")
          found += page.items.map(Self.describe)
          from = page.next
        }
        #expect(found == expected, "seed \(seed) \(query)")
        if runtime.worldRandom.below(2) == 0 {
          for node in cluster.nodes { #expect(try node.replica.feedFaults().isEmpty) }
        }
      }
    }
  }

  @Test(arguments: (0..<20).map { UInt64($0) &* 15_485_863 &+ 5 })
  func pagesOfASoleNodeAreToo(seed: UInt64) throws {
    let runtime = SimulatedRuntime(seed: seed)
    let cluster = try RegisterCluster(runtime, skews: [0], writeQuorum: 1, readQuorum: 1)
    try runtime.run {
      let newest = try await Self.fill(cluster, runtime)
      for _ in 0..<10 {
        let query = Self.query(runtime)
        var found: [String] = []
        var from: [UInt8]? = query.from
        while let position = from {
          var part = query
          part.from = position
          let page = try cluster.nodes[0].local.range(part)
          found += page.items.map(Self.describe)
          from = page.next
          if page.items.count < query.limit { #expect(page.next == nil, "seed \(seed)") }
        }
        #expect(found == Self.expected(newest, query), "seed \(seed) \(query)")
      }
    }
  }

  /// Rows in several versions: the newest on a write quorum, older ones anywhere.
  private static func fill(
    _ cluster: RegisterCluster, _ runtime: SimulatedRuntime
  ) async throws -> [[UInt8]: Register] {
    let random = runtime.worldRandom
    var newest: [[UInt8]: Register] = [:]
    for _ in 0..<80 {
      let alphabet = Array("ab/".utf8)
      let sortKey = (0..<random.below(5)).map { _ in alphabet[random.below(alphabet.count)] }
      guard newest[sortKey] == nil else { continue }
      let nodes = cluster.nodes
      let missing = nodes.count == 1 ? -1 : random.below(nodes.count + 1)
      for version in 1...Int64(1 + random.below(3)) {
        let row = Register(
          timestamp: Timestamp(milliseconds: version), writer: 1,
          value: random.below(2) == 0 ? nil : "v\(version)")
        newest[sortKey] = row
        for (index, node) in nodes.enumerated() where index != missing || random.below(2) == 0 {
          _ = try await node.local.merge(
            [(RowKey(partitionKey: partitionKey, sortKey: sortKey), row)], origin: .feed)
        }
      }
    }
    return newest
  }

  private static func query(_ runtime: SimulatedRuntime) -> RangeQuery {
    let random = runtime.worldRandom
    let alphabet = Array("ab/".utf8)
    func text(_ lengthMax: Int) -> [UInt8] {
      (0..<random.below(lengthMax + 1)).map { _ in alphabet[random.below(alphabet.count)] }
    }
    let prefix = text(2)
    let start = random.below(2) == 0 ? prefix : prefix + text(2)
    return RangeQuery(
      partitionKey: partitionKey, from: start, to: Partition.end(ofPrefix: prefix),
      limit: 1 + random.below(5),
      grouping: random.below(3) == 0
        ? nil : DelimiterGrouping(start: prefix.count, delimiter: Array("/".utf8)))
  }

  private static func expected(_ newest: [[UInt8]: Register], _ query: RangeQuery) -> [String] {
    var items: [String] = []
    for (sortKey, row) in newest.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
      guard row.value != nil, !sortKey.lexicographicallyPrecedes(query.from) else { continue }
      if let to = query.to, !sortKey.lexicographicallyPrecedes(to) { continue }
      if let group = query.grouping?.group(of: sortKey) {
        let item = "group " + String(decoding: group, as: UTF8.self)
        if items.last != item { items.append(item) }
      } else {
        items.append("row " + String(decoding: sortKey, as: UTF8.self) + " \(row.value ?? "")")
      }
    }
    return items
  }

  private static func describe(_ item: RangeItem<Register>) -> String {
    switch item {
    case .row(let sortKey, let row):
      "row " + String(decoding: sortKey, as: UTF8.self) + " \(row.value ?? "")"
    case .group(let prefix): "group " + String(decoding: prefix, as: UTF8.self)
    }
  }
}
