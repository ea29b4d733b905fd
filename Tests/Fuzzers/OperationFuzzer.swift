// What other nodes ask of a replica: operations and rows, one after the other, beside rows that may be damaged.
//
//   input:  [bucket] step*               bucket, by its lowest bits: none, live, with a quota, being deleted
//   step:   [kind] [length: u16] [bytes]
//
// Laws:
//   1. What is not accepted, or fails, changes no row.
//   2. What is accepted is accepted again, and then changes nothing (PutVersion, invariant 2).
//   3. Unless something was damaged from the start, the feed and the counts are those of the rows.
//   4. The input of an operation that was decoded encodes to the same bytes.

import Base
import Codecs
import LocalDB
import Model
import SimulatedWorld
private import Synchronization
import Tables
import TestStorage

private struct Step: Sendable {
  var kind: UInt8
  var bytes: [UInt8]

  /// The bytes behind a first one that counts how many of them come before the rest.
  var split: (key: [UInt8], rest: [UInt8]) {
    let count = Int(bytes.first ?? 0)
    return (Array(bytes.dropFirst().prefix(count)), Array(bytes.dropFirst(1 + count)))
  }

  static func read(_ input: [UInt8]) -> [Step] {
    var rest = input.dropFirst()
    var steps: [Step] = []
    while rest.count >= 3, steps.count < 16 {
      let header = Array(rest.prefix(3))
      let bytes = rest.dropFirst(3).prefix(Int(header[1]) << 8 | Int(header[2]))
      steps.append(Step(kind: header[0] % 16, bytes: Array(bytes)))
      rest = rest.dropFirst(3 + bytes.count)
    }
    return steps
  }
}

/// A replica of one bucket, over a database that every input finds empty.
private struct ReplicaWorld: Sendable {
  static let bucket =
    BucketID([UInt8](repeating: 0x42, count: 32)) ?? BucketID(random: SeededRandom(seed: 1))
  static let partitionKey = ObjectPartition.key(bucket)
  static let partition = UInt16(Partition.of(partitionKey))
  /// A minute before the time at which an input is played.
  private static let created = Timestamp(milliseconds: 1_789_999_940_000)

  static let layout = LayoutStamp(1)

  /// Its files are gone, but for the descriptors: nothing stays behind.
  private static let opened: (database: LocalDatabase, trees: [Tree])? = {
    let folder = TemporaryFolder()
    guard let database = try? folder.open("meta", .inline, fsync: false) else { return nil }
    defer { withExtendedLifetime(folder) {} }
    let runtime = SimulatedRuntime(seed: 1)
    guard (try? ReplicaWorld(database, runtime)) != nil else { return nil }
    let tables = ["bucket", "object"].flatMap { name in ["", "_floor"].map { name + $0 } }
    let names =
      tables
      + [
        "model_release", "model_manifest_release", "model_open", "model_usage",
        "model_upload_bytes", "model_time", "feed", "feed_tombstone", "feed_dropped", "feed_start",
        "feed_last",
      ]
    let trees = names.compactMap { try? database.tree($0) }
    // With the log and its index open for readers too.
    guard trees.count == names.count, (try? dump(database, trees)) != nil else { return nil }
    return (database, trees)
  }()

  /// There is one database, and tests run side by side.
  private static let oneAtATime = Mutex(())

  let database: LocalDatabase
  let runtime: SimulatedRuntime
  let replica: LocalTableReplica
  let tables: ReplicaTables

  private init(_ database: LocalDatabase, _ runtime: SimulatedRuntime) throws {
    self.database = database
    self.runtime = runtime
    replica = try LocalTableReplica(
      node: NodeID(random: SeededRandom(seed: 2)), database: database,
      clock: HybridClock(runtime: runtime), random: SeededRandom(seed: 3))
    tables = try ReplicaTables(replica, ObjectJournal(database: database, runtime: runtime))
  }

  /// Calls `body` with a replica that finds `damage` in its database; not at all when it refuses to start.
  static func with(
    damage: [Step], bucket kind: UInt8, _ body: (ReplicaWorld) throws -> Void
  ) throws {
    try oneAtATime.withLock { _ in try withEmpty(damage: damage, bucket: kind, body) }
  }

  private static func withEmpty(
    damage: [Step], bucket kind: UInt8, _ body: (ReplicaWorld) throws -> Void
  ) throws {
    guard let (database, trees) = opened else {
      throw BrokenProperty(description: "no database in /tmp")
    }
    defer { try? empty(database, trees) }
    try database.writeBlocking { transaction in
      for step in damage {
        var (key, value) = step.split
        let tree = trees[Int(key.first ?? 0) % trees.count]
        key = Array(key.dropFirst())
        switch tree.name {
        case "bucket": key = RowKey(partitionKey: [], sortKey: bucket.bytes).diskKey
        case "object": key = RowKey(partitionKey: partitionKey, sortKey: key).diskKey
        case "object_floor" where key.isEmpty: key = [Partition.of(partitionKey)]
        case "model_usage": key = bucket.bytes
        default: break
        }
        try transaction.put(tree, key, value)
      }
    }
    guard let world = try? ReplicaWorld(database, SimulatedRuntime(seed: 1)) else {
      return try require(!damage.isEmpty, "a replica that does not start")
    }
    if kind % 4 > 0 {
      let made: Void? = try? world.makeBucket(kind % 4)
      try require(made != nil || !damage.isEmpty, "no bucket")
    }
    try body(world)
  }

  private func makeBucket(_ kind: UInt8) throws {
    var row = BucketRow(
      created: Self.created, createdWall: WallTime(milliseconds: Self.created.milliseconds))
    if kind == 2 {
      row.quota = Register(BucketQuota(bytesMax: 1000, objectsMax: 2), at: Self.created.next)
    }
    if kind == 3 { row.state = Register(.deleting, at: Self.created.next) }
    _ = try runtime.run { [row] in
      try await tables.buckets.merge(
        [(RowKey(partitionKey: [], sortKey: Self.bucket.bytes), row)], origin: .feed)
    }
  }

  private static func empty(_ database: LocalDatabase, _ trees: [Tree]) throws {
    let entries = try dump(database, trees)
    try database.writeBlocking { transaction in
      for entry in entries { try transaction.delete(trees[entry.tree], entry.key) }
    }
  }

  struct Entry: Equatable {
    var tree: Int
    var key: [UInt8]
    var value: [UInt8]
  }

  private static func dump(_ database: LocalDatabase, _ trees: [Tree]) throws -> [Entry] {
    var entries: [Entry] = []
    for (index, tree) in trees.enumerated() {
      try database.scan(tree) { key, value in
        entries.append(Entry(tree: index, key: Array(key), value: Array(value)))
        return true
      }
    }
    return entries
  }

  /// All rows, of both tables.
  func rows() throws -> [Entry] {
    try Self.dump(database, [database.tree("bucket"), database.tree("object")])
  }

  // MARK: Steps

  /// What a node may ask for in one step; `nil` when the step is no request.
  func request(_ step: Step) -> ReplicaRequest? {
    let (key, rest) = step.split
    switch step.kind {
    case 0...5:
      let name = tables.objectOperations[Int(step.kind)].name
      return object(.operate(name: name, partitionKey: Self.partitionKey, input: step.bytes))
    case 6, 7:
      let row = EncodedRow(
        key: RowKey(partitionKey: Self.partitionKey, sortKey: key), bytes: rest)
      return object(.merge([row], step.kind == 6 ? .repair : .client))
    case 8:
      let row = EncodedRow(
        key: RowKey(partitionKey: [], sortKey: Self.bucket.bytes), bytes: step.bytes)
      return bucket(.merge([row], .feed))
    case 9:
      return object(
        .read([key, rest].map { RowKey(partitionKey: Self.partitionKey, sortKey: $0) }))
    case 10:
      return object(.read([RowKey(partitionKey: key, sortKey: rest)]))
    case 11:
      let name = String(decoding: rest, as: UTF8.self)
      let table = rest.count.isMultiple(of: 2) ? "object" : name
      return ReplicaRequest(
        table: table, partition: Self.partition, layout: Self.layout,
        body: .operate(name: name, partitionKey: Self.partitionKey, input: key))
    case 12:
      return object(
        .range(
          RangeRequest(
            partitionKey: Self.partitionKey, from: key, to: nil,
            limit: rest.isEmpty ? 5000 : Int(rest[0] % 4), grouping: grouping(step))))
    default: return nil
    }
  }

  private func grouping(_ step: Step) -> DelimiterGrouping? {
    let (key, rest) = step.split
    guard let start = rest.first else { return nil }
    return DelimiterGrouping(
      start: Int(start) - 2, delimiter: Array(rest.dropFirst()),
      terminator: key.isEmpty ? [] : [0, 0])
  }

  private func object(_ body: ReplicaRequest.Body) -> ReplicaRequest {
    ReplicaRequest(
      table: "object", partition: Self.partition, layout: Self.layout, body: body)
  }

  private func bucket(_ body: ReplicaRequest.Body) -> ReplicaRequest {
    ReplicaRequest(
      table: "bucket", partition: Partition.everywhere, layout: Self.layout, body: body)
  }

  /// What the replica says; `nil` when it fails.
  func answer(_ request: ReplicaRequest) async -> ReplicaResponse.Body? {
    try? await replica.perform(request, deadline: runtime.now).body
  }

  /// What a node does by itself: drops tombstones.
  func collect(_ step: Step) async {
    let bound = step.split.rest.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    for partition in [Self.partition, Partition.everywhere] {
      _ = try? await replica.collectTombstones(of: partition, upTo: bound)
    }
  }

  // MARK: Laws

  func play(_ steps: [Step]) async throws {
    var before = try rows()
    for step in steps {
      guard let request = request(step) else {
        await collect(step)
        before = try rows()
        continue
      }
      let first = await answer(request)
      let after = try rows()
      guard case .answer(.accepted(let payload)) = first else {
        try require(after == before, "not accepted, and rows changed: \(step)")
        continue
      }
      before = after
      // More parts are left to drop.
      if step.kind == 4, payload == [1] { continue }
      let again = await answer(request)
      try require(try rows() == after, "repeated, and rows changed: \(step)")
      // An upload that is to be open is not any more; a merge by a client may have met a newer row.
      if step.kind == 3 || step.kind == 7 { continue }
      guard case .answer(.accepted) = again else {
        throw BrokenProperty(description: "repeated, and not accepted: \(step)")
      }
    }
  }

  /// That what is kept beside the rows is what they say.
  func checkSums(checksFeed: Bool) throws {
    // Takes as long as all the rest.
    if checksFeed {
      let faults = try replica.feedFaults()
      try require(faults.isEmpty, "the feed: \(faults)")
    }
    var expected = BucketUsage()
    var isOrdinary = true
    try database.scan(database.tree("object")) { key, value in
      let stored = try StoredRow(value)
      let row = try ObjectRow(stored.row)
      let sortKey = RowKey(diskKey: key, partitionKeyBytes: Self.partitionKey.count)?.sortKey ?? []
      switch (row, ObjectSortKey(sortKey)) {
      case (.version(let row), .version):
        expected.objects += row.object == nil ? 0 : 1
        expected.bytes += row.object?.sizeBytes ?? 0
      case (.upload(let row), .upload):
        expected.unfinishedUploads += row.state == .open && row.purpose == .multipart ? 1 : 0
      case (.part, .part): break
      case (_, nil): isOrdinary = false
      default: throw BrokenProperty(description: "a row of another kind than its key")
      }
      return true
    }
    guard isOrdinary else { return }
    var counted =
      try database.get(database.tree("model_usage"), Self.bucket.bytes) { try BucketUsage($0) }
      ?? BucketUsage()
    // Parts count from when their upload is known.
    counted.unfinishedBytes = 0
    try require(counted == expected, "counted \(counted) instead of \(expected)")
  }
}

extension Fuzzer {
  static let operations = Fuzzer(
    "operations",
    of: [
      "Model/Objects/PutVersion", "Model/Uploads/PutPart", "Model/Uploads/OpenUpload",
      "Model/Uploads/EndUpload",
      "Model/Releasing/DropParts", "Model/Buckets/CheckQuota", "Model/Objects/KeyedInput",
      "Model/Releasing/ObjectJournal+Usage",
      "Tables/Local/LocalTable+Requests", "Tables/Local/FloorTable", "Tables/Feed/ChangeFeed",
    ]
  ) { input in
    let steps = Step.read(input)
    guard !steps.isEmpty else { return }
    let damage = steps.filter { $0.kind >= 14 }
    try ReplicaWorld.with(damage: damage, bucket: input[0]) { world in
      for step in steps {
        for operation in world.tables.objectOperations { try roundTrip(operation, step.bytes) }
      }
      try world.runtime.run { try await world.play(steps.filter { $0.kind < 14 }) }
      if damage.isEmpty { try world.checkSums(checksFeed: choices(input).below(8) == 0) }
    }
  }

  /// What a newer program wrote behind the input may be lost.
  private static func roundTrip<Operation: TableOperation>(
    _ operation: Operation, _ bytes: [UInt8]
  ) throws {
    guard let input = try? operation.decode(bytes) else { return }
    let again = operation.encode(input)
    try require(
      bytes.starts(with: again), "\(operation.name) written again: \(hex(again))")
    let twice = operation.encode(try operation.decode(again))
    try require(twice == again, "\(operation.name) written twice: \(hex(twice))")
  }
}
