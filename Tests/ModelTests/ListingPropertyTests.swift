import Base
import Model
import SimulatedWorld
import Testing

/// Listings against a reference that sorts, filters and folds.
@Suite struct ListingPropertyTests {
  /// What a listing should hold, in order: keys and common prefixes.
  enum Entry: Equatable {
    case key([UInt8])
    case prefix([UInt8])

    var bytes: [UInt8] {
      switch self {
      case .key(let bytes), .prefix(let bytes): bytes
      }
    }
  }

  static func reference(_ keys: [ObjectKey], _ query: ListQuery) -> [Entry] {
    var entries: [Entry] = []
    for key in keys.map(\.bytes).sorted(by: { $0.lexicographicallyPrecedes($1) }) {
      guard key.starts(with: query.prefix) else { continue }
      switch query.after {
      case .start: break
      case .afterKey(let after):
        guard after.lexicographicallyPrecedes(key) else { continue }
      case .afterPrefix(let after):
        guard after.lexicographicallyPrecedes(key), !key.starts(with: after) else { continue }
      }
      if let prefix = query.commonPrefix(of: key) {
        if entries.last != .prefix(prefix) { entries.append(.prefix(prefix)) }
      } else {
        entries.append(.key(key))
      }
    }
    return entries
  }

  /// Lists page by page until the end.
  static func listed(_ node: Node, _ bucket: Bucket, _ query: ListQuery) async throws -> [Entry] {
    var entries: [Entry] = []
    var query = query
    while true {
      let page = try await node.store.objects.list(bucket: bucket, query)
      let found =
        page.objects.map { Entry.key($0.key.bytes) } + page.commonPrefixes.map { .prefix($0) }
      #expect(found.count <= query.limit)
      entries += found.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
      guard let next = page.next else { return entries }
      #expect(found.count == query.limit, "a page that is not the last is full")
      query.after = next
    }
  }

  @Test(arguments: [UInt64(1), 2, 3, 4])
  func everyListingIsCompleteAndOrdered(seed: UInt64) throws {
    let random = Seeded(seed: seed)
    try ModelWorld(seed: seed).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let other = try await node.store.buckets.create("other")
      var keys: Set<ObjectKey> = []
      for _ in 0..<150 {
        let key = try Self.key(random)
        try await node.put(bucket, key.string, [1])
        try await node.put(other, key.string + "!", [1])
        keys.insert(key)
      }
      for key in keys where random.below(3) == 0 {
        _ = try await node.delete(bucket, key.string)
        keys.remove(key)
      }
      for round in 0..<150 {
        let query = try Self.query(random)
        let expected = Self.reference(Array(keys), query)
        let found = try await Self.listed(node, bucket, query)
        #expect(found == expected, "seed \(seed), round \(round): \(query)")
      }
    }
  }

  private static let letters: [[UInt8]] = [[0], [1], [0x2F], [0x2F], [0x61], [0x62], [0xC3, 0xA9]]

  private static func key(_ random: Seeded) throws -> ObjectKey {
    try ObjectKey((0..<(1 + random.below(6))).flatMap { _ in random.element(letters) })
  }

  private static func query(_ random: Seeded) throws -> ListQuery {
    func some(_ most: Int) -> [UInt8] {
      (0..<random.below(most + 1)).flatMap { _ in random.element(letters) }
    }
    let delimiter: [UInt8] = random.element([
      [], [0x2F], [0x2F], [0x61], [0], [0x2F, 0x61], [0, 0x2F],
    ])
    var query = ListQuery(prefix: some(2), delimiter: delimiter, limit: 1 + random.below(9))
    switch random.below(3) {
    case 0: query.after = .start
    case 1: query.after = .afterKey(some(4))
    default:
      if let prefix = query.commonPrefix(of: some(5)) { query.after = .afterPrefix(prefix) }
    }
    return query
  }

  @Test func aDelimiterCostsWhatIsReturned() throws {
    try ModelWorld(seed: 9).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      for folder in 0..<3 {
        for index in 0..<500 { try await node.put(bucket, "f\(folder)/\(index)", [1]) }
      }
      let page = try await node.store.objects.list(
        bucket: bucket, ListQuery(delimiter: Array("/".utf8), limit: 2))
      #expect(page.commonPrefixes == [Array("f0/".utf8), Array("f1/".utf8)])
      #expect(page.next == .afterPrefix(Array("f1/".utf8)))
    }
  }

  @Test func aMarkerThatIsOrLiesInACommonPrefixSkipsIt() {
    let query = ListQuery(prefix: Array("a".utf8), delimiter: Array("/".utf8))
    #expect(query.position(marker: []) == .start)
    #expect(query.position(marker: Array("a/".utf8)) == .afterPrefix(Array("a/".utf8)))
    #expect(query.position(marker: Array("a/b".utf8)) == .afterPrefix(Array("a/".utf8)))
    #expect(query.position(marker: Array("ab".utf8)) == .afterKey(Array("ab".utf8)))
    #expect(query.position(marker: Array("b/".utf8)) == .afterKey(Array("b/".utf8)))
  }

  @Test func aLimitOfZeroIsAnEmptyPage() throws {
    try ModelWorld(seed: 10).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      try await node.put(bucket, "k", [1])
      for limit in [0, -1] {
        let page = try await node.store.objects.list(bucket: bucket, ListQuery(limit: limit))
        #expect(page.objects.isEmpty && page.next == nil)
      }
    }
  }
}
