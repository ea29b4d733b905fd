import Base
import LocalDB
import SimulatedWorld
import Tables
import TestStorage
import Testing

@Suite struct LocalTableTests {
  let runtime = SimulatedRuntime(seed: 1)
  let folder = TemporaryFolder()
  let database: LocalDatabase
  let schema: RegisterSchema
  let replica: LocalTableReplica
  let local: LocalTable<RegisterSchema>
  let table: Table<RegisterSchema>
  let partitionKey: [UInt8] = [1, 2, 3, 4]

  init() throws {
    database = try folder.open(
      "meta", .inline, fsync: false, random: runtime.random)
    let clock = HybridClock(runtime: runtime)
    replica = try LocalTableReplica(
      node: NodeID(random: runtime.random), database: database, clock: clock,
      random: FixedRandom())
    schema = try RegisterSchema(database)
    local = try replica.register(schema)
    table = Table(
      local: local,
      coordinator: TableCoordinator(
        placement: SoleNodePlacement(replica), clock: clock, runtime: runtime))
  }

  private func key(_ sortKey: String) -> RowKey {
    RowKey(partitionKey: partitionKey, sortKey: Array(sortKey.utf8))
  }

  private func row(_ milliseconds: Int64, _ value: String?) -> Register {
    Register(timestamp: Timestamp(milliseconds: milliseconds), writer: 1, value: value)
  }

  /// Drops the tombstones that the feed has up to `sequence`.
  private func collect(upTo sequence: UInt64) async throws -> CollectedTombstones {
    try await replica.collectTombstones(of: UInt16(Partition.of(partitionKey)), upTo: sequence)
  }

  @Test func theBytesOnDiskAreTheDocumentedOnes() async throws {
    _ = try await table.merge(key("k"), row(1, "v"))
    _ = try await table.merge(key("l"), row(2, nil))
    var found: [String] = []
    for name in [
      "register", "register_floor", "feed", "feed_tombstone", "feed_dropped", "feed_start",
      "feed_last",
    ] {
      try database.scan(database.tree(name)) { key, value in
        found.append("\(name) \(Hex.encode(key)) \(Hex.encode(value))")
        return true
      }
    }
    #expect(
      found == [
        "register a4010203046b " + "02080000000000000001"
          + "0100000000000100000000000000000001" + "010176",
        "register a4010203046c " + "02080000000000000002" + "010000000000020000000000000000000100",
        "feed 00a40000000000000001 " + "087265676973746572" + "a4010203046b",
        "feed 00a40000000000000002 " + "087265676973746572" + "a4010203046c",
        "feed_tombstone 00a40000000000000002 " + "087265676973746572" + "a4010203046c",
        "feed_start 0000000000000001 0123456789abcdef0123456789abcdef",
      ])
    found = []
    #expect(try await collect(upTo: 2).dropped == 1)
    for name in ["register", "register_floor", "feed_tombstone", "feed_dropped", "feed_last"] {
      try database.scan(database.tree(name)) { key, value in
        found.append("\(name) \(Hex.encode(key)) \(Hex.encode(value))")
        return true
      }
    }
    #expect(
      found.dropFirst() == [
        "register_floor a4 0000000000020000", "feed_dropped 00a4 0000000000000002",
        "feed_last  0000000000000002",
      ])
  }

  @Test func aStaleWriteStoresNothingAndTheRetryWins() async throws {
    #expect(try await table.merge(key("a"), row(5, "new")).isAccepted)
    #expect(
      try await table.merge(key("a"), row(3, "old"))
        == .stale(Timestamp(milliseconds: 5), mayExist: false))
    #expect(try await table.get(key("a"))?.value == "new")
    runtime.wallStart = WallTime(milliseconds: 2)
    var attempts = 0
    _ = try await table.retryingStale { attempt in
      attempts += 1
      let row = Register(timestamp: attempt.timestamp, writer: 2, value: "later")
      if attempts == 2 { #expect(attempt.above == Timestamp(milliseconds: 5)) }
      return try await table.operate(
        SetRegister(schema: schema), partitionKey: partitionKey,
        input: .init(sortKey: Array("a".utf8), row: row))
    }
    #expect(attempts == 2)
    #expect(try await table.get(key("a"))?.value == "later")
  }

  @Test func rowsOfOneMergeAreStoredTogetherOrNotAtAll() async throws {
    _ = try await table.merge(key("b"), row(5, "held"))
    let outcome = try await table.merge(
      partitionKey: partitionKey, [(Array("a".utf8), row(4, "x")), (Array("b".utf8), row(4, "y"))])
    #expect(outcome == .stale(Timestamp(milliseconds: 5), mayExist: false))
    #expect(try await table.entry(key("a")) == nil)
    #expect(try schema.liveCount(database) == 1)
  }

  @Test func anOperationThatIsNotAcceptedIsUndone() async throws {
    let outcome = try await table.operate(
      ChangeAndRefuse(), partitionKey: partitionKey, input: 7)
    #expect(outcome == .refused(code: 256, payload: [7], mayExist: false))
    #expect(try await table.entry(RowKey(partitionKey: partitionKey, sortKey: [7])) == nil)
    #expect(try schema.liveCount(database) == 0)
    #expect(try replica.feedFaults().isEmpty)
  }

  @Test func aDroppedTombstoneRaisesTheFloorAndOldWritesAreStale() async throws {
    _ = try await table.merge(key("a"), row(5, "x"))
    _ = try await table.merge(key("a"), row(9, nil))
    _ = try await table.merge(key("b"), row(5, "stays"))
    #expect(try await table.get(key("a")) == nil)
    #expect(try await table.entry(key("a")) != nil)

    // The tombstone is the second change.
    #expect(try await collect(upTo: 1).dropped == 0)
    #expect(try await collect(upTo: 2).dropped == 1)
    #expect(try await table.entry(key("a")) == nil)
    #expect(try schema.liveCount(database) == 1)
    #expect(try replica.feedFaults().isEmpty)

    // The delete is forgotten and still holds.
    #expect(
      try await table.merge(key("a"), row(7, "back"))
        == .stale(Timestamp(milliseconds: 9), mayExist: false))
    let input = SetRegister.Input(sortKey: Array("c".utf8), row: row(9, "x"))
    #expect(
      try await table.operate(
        SetRegister(schema: schema), partitionKey: partitionKey, input: input)
        == .stale(Timestamp(milliseconds: 9), mayExist: false))
    #expect(try await table.merge(key("a"), row(10, "new")).isAccepted)
    // Repeating a write that is held is fine below the floor.
    #expect(try await table.merge(key("b"), row(5, "stays")).isAccepted)
  }

  @Test func aFloorWhoseTransactionFailedReachesTheDiskWithTheNextOne() async throws {
    _ = try await table.merge(key("a"), row(9, nil))
    try await database.write { try $0.put(schema.counts, RegisterSchema.dropFails, []) }
    await #expect(throws: RegisterSchema.DropFailed.self) { try await collect(upTo: 1) }
    try await database.write { try $0.delete(schema.counts, RegisterSchema.dropFails) }
    #expect(try await collect(upTo: 1).dropped == 1)
    let floors = try database.tree("register_floor")
    #expect(
      try database.get(floors, [Partition.of(partitionKey)])
        == [0, 0, 0, 0, 0, 9, 0, 0])
  }

  /// Tombstones are dropped 256 in a transaction.
  @Test func allOldTombstonesAreCollectedInOnePass() async throws {
    let rows = (0..<600).map { (key("\($0)"), row(Int64($0 % 7), nil)) }
    _ = try await local.merge(rows, origin: .feed)
    #expect(try await collect(upTo: .max).dropped == 600)
    #expect(try replica.feedFaults().isEmpty)
  }

  @Test func rowsThatCannotBeReadDoNotStopTheCollectionOfOthers() async throws {
    // More than one transaction's worth of them, before the one that can be read.
    let damaged = (0..<300).map { (key("damaged \($0)"), row(1, nil)) }
    _ = try await local.merge(damaged + [(key("whole"), row(2, nil))], origin: .feed)
    let rows = try database.tree("register")
    var keys: [[UInt8]] = []
    try database.scan(rows) { key, _ in
      keys.append(Array(key))
      return true
    }
    try await database.write { [keys] transaction in
      for key in keys where key.suffix(5) != Array("whole".utf8)[...] {
        try transaction.put(rows, key, [0xFF])
      }
    }
    let collected = try await collect(upTo: .max)
    #expect(collected == .init(dropped: 1, unreadable: 300))
    #expect(try await table.entry(key("whole")) == nil)
    // They stay listed, for when they can be read again.
    let again = try await collect(upTo: .max)
    #expect(again == .init(dropped: 0, unreadable: 300))
  }

  @Test func floorsAndTheFeedSurviveARestart() async throws {
    _ = try await table.merge(key("a"), row(9, nil))
    _ = try await table.merge(key("b"), row(10, "x"))
    _ = try await collect(upTo: .max)
    let clock = HybridClock(runtime: runtime)
    let again = try LocalTableReplica(
      node: replica.node, database: database, clock: clock, random: runtime.random)
    let reopened = try again.register(schema)
    #expect(try again.feedFaults().isEmpty)
    #expect(
      try await reopened.merge([(key("a"), row(7, "back"))], origin: .client)
        == .stale(Timestamp(milliseconds: 9)))
  }

  @Test func fingerprintsDoNotDependOnTheOrderOfWrites() async throws {
    let other = try folder.open(
      "other", .inline, fsync: false, random: runtime.random)
    let twin = try LocalTableReplica(
      node: replica.node, database: other, clock: HybridClock(runtime: runtime),
      random: FixedRandom())
    let twinTable = try twin.register(RegisterSchema(other))
    let rows = (0..<50).map { (key("\($0 % 20)"), row(Int64($0), $0 % 3 == 0 ? nil : "\($0)")) }
    for entry in rows { _ = try await local.merge([entry], origin: .feed) }
    for entry in rows.reversed() { _ = try await twinTable.merge([entry], origin: .feed) }
    let hasher = RowHasher(secret: [UInt8](repeating: 7, count: 32))
    let request = FingerprintRequest(partition: UInt16(Partition.of(partitionKey)))
    let mine = try FeedSource(replica) { hasher }.fingerprints(request)
    let theirs = try FeedSource(twin) { hasher }.fingerprints(request)
    #expect(mine.tables == theirs.tables)
    #expect(mine.tables.map(\.fingerprint.rowCount) == [20])
    #expect(mine.head == 50)
    // Another secret, other sums: no client knows which rows have the same.
    let strange = RowHasher(secret: [UInt8](repeating: 8, count: 32))
    let others = try FeedSource(replica) { strange }.fingerprints(request)
    #expect(others.tables[0].fingerprint.sum != mine.tables[0].fingerprint.sum)
    _ = try await twinTable.merge([(key("1"), row(60, "more"))], origin: .feed)
    #expect(try FeedSource(twin) { hasher }.fingerprints(request).tables != mine.tables)
  }

  /// Set back behind the timestamp of a retry, and set back and forth until the answer is there.
  @Test(arguments: [false, true])
  func aWallClockSetWhileAWriteIsUnderWayRefusesNothing(untilTheAnswer: Bool) async throws {
    let hours: Int64 = 2 * 3_600_000
    var attempts = 0
    func put(_ value: String, at timestamp: Timestamp) async throws -> WriteOutcome {
      try await table.operate(
        SetRegister(schema: schema), partitionKey: partitionKey,
        input: .init(
          sortKey: Array("row".utf8), row: Register(timestamp: timestamp, writer: 2, value: value)))
    }
    let outcome = try await table.retryingStale { attempt in
      attempts += 1
      let step = untilTheAnswer ? 1 : 2
      if attempts < step {
        let other = Timestamp(rawValue: attempt.timestamp.rawValue + 1)
        #expect(try await put("another's", at: other).isAccepted)
        runtime.wallStart.milliseconds += 1000
      }
      if attempts == step { runtime.wallStart.milliseconds -= hours }
      let outcome = try await put("mine", at: attempt.timestamp)
      if attempts == step, untilTheAnswer { runtime.wallStart.milliseconds += hours }
      return outcome
    }
    #expect(outcome.isAccepted)
    #expect(attempts == (untilTheAnswer ? 2 : 3))
    #expect(try await table.get(key("row"))?.value == "mine")
  }

  @Test(arguments: [false, true])
  func aWallClockSetBackRefusesNoWrite(leavingAFloorAhead: Bool) async throws {
    func put(_ sortKey: String, _ value: String?) async throws -> WriteOutcome {
      try await table.retryingStale { attempt in
        let row = Register(timestamp: attempt.timestamp, writer: 2, value: value)
        return try await table.operate(
          SetRegister(schema: schema), partitionKey: partitionKey,
          input: .init(sortKey: Array(sortKey.utf8), row: row))
      }
    }
    func merge(_ sortKey: String, _ value: String?) async throws -> WriteOutcome {
      try await table.retryingStale { attempt in
        try await table.merge(
          key(sortKey), Register(timestamp: attempt.timestamp, writer: 2, value: value))
      }
    }
    #expect(try await put("held", "old").isAccepted)
    #expect(try await merge("merged", "old").isAccepted)
    if leavingAFloorAhead {
      #expect(try await put("gone", nil).isAccepted)
      #expect(try await collect(upTo: .max).dropped == 1)
    }
    runtime.wallStart.milliseconds -= 7_200_000
    #expect(try await put("new", "1").isAccepted)
    #expect(try await merge("newly merged", "2").isAccepted)
    #expect(try await put("held", "3").isAccepted)
    #expect(try await merge("merged", "4").isAccepted)
    var values: [String?] = []
    for name in ["new", "newly merged", "held", "merged"] {
      values.append(try await table.get(key(name))?.value)
    }
    #expect(values == ["1", "2", "3", "4"])
    let ahead = row(runtime.wallNow.milliseconds + 3 * 3_600_000, "ahead")
    guard case .refused(RefusalCode.clockAhead, _, _) = try await table.merge(key("x"), ahead)
    else {
      Issue.record("a write far ahead was taken")
      return
    }
  }

  @Test func timestampsOfOneClockGrowUnlessItIsFarAhead() {
    let clock = HybridClock(runtime: runtime)
    var last = Timestamp.zero
    for step in 0..<1000 {
      if step == 500 { runtime.wallStart.milliseconds -= 800_000 }
      let now = clock.now()
      #expect(now > last)
      last = now
    }
    // Further back than a replica accepts, its own timestamps would be refused.
    runtime.wallStart.milliseconds -= 7_200_000
    #expect(clock.now() == Timestamp(milliseconds: runtime.wallNow.milliseconds))
    #expect(Timestamp(rawValue: .max).next == Timestamp(rawValue: .max))
    #expect(Timestamp(milliseconds: -5) == .zero)
    #expect(Timestamp(milliseconds: .max).milliseconds == (1 << 48) - 1)
  }
}

/// The same number again and again, for golden bytes.
final class FixedRandom: RandomSource {
  func next() -> UInt64 { 0x0123_4567_89AB_CDEF }
}
