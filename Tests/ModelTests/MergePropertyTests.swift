import Base
import Model
import Tables
import Testing

/// The laws of `TableSchema` for every table of the model.
@Suite struct MergePropertyTests {
  private static let rounds = 3000

  private func check<Schema: TableSchema>(
    _ schema: Schema, seed: UInt64, _ make: (Seeded) -> Schema.Row
  ) throws {
    let random = Seeded(seed: seed)
    for round in 0..<Self.rounds {
      let (a, b, c) = (make(random), make(random), make(random))
      func bytes(_ row: Schema.Row) -> [UInt8] { schema.encode(row) }
      let note: Comment = "seed \(seed), round \(round)"
      try #require(bytes(schema.merge(a, a)) == bytes(a), note)
      try #require(bytes(schema.merge(a, b)) == bytes(schema.merge(b, a)), note)
      try #require(
        bytes(schema.merge(schema.merge(a, b), c)) == bytes(schema.merge(a, schema.merge(b, c))),
        note)
      try #require(
        schema.timestamp(of: schema.merge(a, b))
          == max(schema.timestamp(of: a), schema.timestamp(of: b)), note)
      try #require(try bytes(a).withUnsafeBytes { bytes(try schema.decode($0)) } == bytes(a), note)
      let isWitness = try bytes(a).withUnsafeBytes { try schema.isWitness(encoded: $0) }
      try #require(isWitness == schema.isWitness(a), note)
    }
  }

  private func time(_ random: Seeded) -> Timestamp { Timestamp(rawValue: UInt64(random.below(4))) }
  private func upload(_ random: Seeded) -> UploadID {
    UploadID(high: 0, low: UInt64(random.below(2)))
  }

  private func object(_ random: Seeded) -> VersionRow.Object? {
    guard random.below(3) > 0 else { return nil }
    let count = random.below(3)
    return VersionRow.Object(
      lastModified: WallTime(milliseconds: 0), sizeBytes: UInt64(count), metadata: ObjectMetadata(),
      content: .inline([UInt8](repeating: 1, count: count)))
  }

  @Test func versions() throws {
    try check(schema(), seed: 1) { random in
      .version(
        VersionRow(timestamp: time(random), uploadID: upload(random), object: object(random)))
    }
  }

  @Test(arguments: [UploadRow.Purpose.object, .multipart])
  func uploads(purpose: UploadRow.Purpose) throws {
    try check(schema(), seed: 2) { random in
      var row = UploadRow(
        timestamp: time(random), state: random.element([.open, .refused, .finished, .retired]),
        purpose: purpose, begun: WallTime(milliseconds: Int64(random.below(2))))
      if random.below(4) == 0 { row.trailing = [1] }
      return .upload(row)
    }
  }

  @Test func parts() throws {
    try check(schema(), seed: 3) { random in
      let part = StoredPart(
        lastModified: WallTime(milliseconds: Int64(random.below(2))), sizeBytes: 3, etag: "",
        checksums: [], blockBytes: 4, content: .manifest)
      return .part(
        PartRow(
          timestamp: time(random), uploadID: upload(random),
          part: random.below(3) == 0 ? nil : part))
    }
  }

  @Test func manifestRows() throws {
    try check(ManifestSchema(), seed: 4) { random in
      random.below(2) == 0
        ? .deleted(at: time(random))
        : ManifestRow(
          timestamp: time(random),
          owner: RowKey(partitionKey: [UInt8(random.below(2))], sortKey: []), blocks: [])
    }
  }

  @Test func buckets() throws {
    try check(BucketSchema(journal: journal()), seed: 5) { random in
      var row = BucketRow(created: .zero, createdWall: WallTime(milliseconds: 0))
      if random.below(6) == 0 {
        row.state = Register(.deleted, at: time(random))
      } else {
        row.state = Register(random.element([.live, .deleting]), at: time(random))
        for _ in 0..<random.below(3) {
          row.grants.set(
            random.element(["a", "b"]), UInt8(random.below(3)), now: time(random))
          row.names.set(
            random.element([.global("x"), .local("x", of: "a")]), random.below(2) == 0,
            now: time(random))
        }
        row.quota = Register(
          BucketQuota(
            bytesMax: random.element([nil, 0, 1]), objectsMax: random.element([nil, 0])),
          at: time(random))
      }
      let times =
        row.grants.entries.map(\.register.timestamp) + row.names.entries.map(\.register.timestamp)
      row.changed = max(row.state.timestamp, row.quota.timestamp, times.max() ?? .zero)
      return row
    }
  }

  @Test func names() throws {
    try check(AliasSchema(), seed: 6) { random in
      AliasRow(
        changed: time(random), epoch: UInt64(random.below(2)), claimed: time(random),
        bucket: random.element([Self.bucket(1), Self.bucket(2)]), isReleased: random.below(2) == 0)
    }
  }

  @Test func accessKeys() throws {
    try check(AccessKeySchema(), seed: 7) { random in
      var row = AccessKeyRow(
        created: time(random), createdWall: WallTime(milliseconds: 0), secret: "s", name: "n")
      if random.below(4) == 0 {
        row.key = nil
      } else {
        row.key?.name = Register(random.element(["n", "m"]), at: time(random))
        row.key?.mayCreateBuckets = Register(random.below(2) == 0, at: time(random))
        row.key?.expiration = Register(
          random.element([nil, WallTime(milliseconds: 1)]), at: time(random))
      }
      row.changed = time(random)
      return row
    }
  }

  private static func bucket(_ byte: UInt8) -> BucketID {
    BucketID([UInt8](repeating: byte, count: 32)) ?? .init(random: SystemRandom.shared)
  }

  private func schema() throws -> ObjectSchema { ObjectSchema(journal: try journal()) }

  private func journal() throws -> ObjectJournal {
    let world = ModelWorld(seed: 1)
    let node = try world.open()
    defer { node.close() }
    return try ObjectJournal(database: node.replica.database, runtime: world.runtime)
  }
}
