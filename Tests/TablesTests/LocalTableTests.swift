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

  @Test func theBytesOnDiskAreTheDocumentedOnes() async throws {
    _ = try await table.merge(key("k"), row(1, "v"))
    _ = try await table.merge(key("l"), row(2, nil))
    var found: [String] = []
    for name in ["register", "register_tombstone", "register_fingerprint", "register_floor"] {
      try database.scan(database.tree(name)) { key, value in
        found.append("\(name) \(Hex.encode(key)) \(Hex.encode(value))")
        return true
      }
    }
    #expect(
      found == [
        "register a4010203046b 0100" + "0100000000000100000000000000000001" + "010176",
        "register a4010203046c 0100" + "010000000000020000000000000000000100",
        "register_tombstone 0000000000020000a4010203046c ",
        "register_fingerprint a410 3ee2a0063e57fe40c756a4b956b8c9e90000000000000001",
        "register_fingerprint a414 6d5ad116516da32a091b13df6f2f4ac30000000000000001",
      ])
  }

  @Test func aStaleWriteStoresNothingAndTheRetryWins() async throws {
    #expect(try await table.merge(key("a"), row(5, "new")).isAccepted)
    #expect(
      try await table.merge(key("a"), row(3, "old")) == .stale(Timestamp(milliseconds: 5)))
    #expect(try await table.get(key("a"))?.value == "new")
    runtime.wallStart = WallTime(milliseconds: 2)
    var attempts = 0
    _ = try await table.retryingStale { attempt in
      attempts += 1
      let row = Register(timestamp: attempt.timestamp, writer: 2, value: "later")
      if attempts == 2 { #expect(attempt.replaces == Timestamp(milliseconds: 5)) }
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
    #expect(outcome == .stale(Timestamp(milliseconds: 5)))
    #expect(try await table.entry(key("a")) == nil)
    #expect(try schema.liveCount(database) == 1)
  }

  @Test func anOperationThatIsNotAcceptedIsUndone() async throws {
    let outcome = try await table.operate(
      ChangeAndRefuse(), partitionKey: partitionKey, input: 7)
    #expect(outcome == .refused(code: 256, payload: [7]))
    #expect(try await table.entry(RowKey(partitionKey: partitionKey, sortKey: [7])) == nil)
    #expect(try schema.liveCount(database) == 0)
    #expect(try local.fingerprintFaults().isEmpty)
  }

  @Test func aDroppedTombstoneRaisesTheFloorAndOldWritesAreStale() async throws {
    _ = try await table.merge(key("a"), row(5, "x"))
    _ = try await table.merge(key("a"), row(9, nil))
    _ = try await table.merge(key("b"), row(5, "stays"))
    #expect(try await table.get(key("a")) == nil)
    #expect(try await table.entry(key("a")) != nil)

    #expect(try await replica.collectTombstones(olderThan: Timestamp(milliseconds: 9)).dropped == 0)
    #expect(
      try await replica.collectTombstones(olderThan: Timestamp(milliseconds: 10)).dropped == 1)
    #expect(try await table.entry(key("a")) == nil)
    #expect(try schema.liveCount(database) == 1)
    #expect(try local.fingerprintFaults().isEmpty)

    // The delete is forgotten and still holds.
    #expect(try await table.merge(key("a"), row(7, "back")) == .stale(Timestamp(milliseconds: 9)))
    let input = SetRegister.Input(sortKey: Array("c".utf8), row: row(9, "x"))
    #expect(
      try await table.operate(
        SetRegister(schema: schema), partitionKey: partitionKey, input: input)
        == .stale(Timestamp(milliseconds: 9)))
    #expect(try await table.merge(key("a"), row(10, "new")).isAccepted)
    // Repeating a write that is held is fine below the floor.
    #expect(try await table.merge(key("b"), row(5, "stays")).isAccepted)
  }

  @Test func aFloorWhoseTransactionFailedReachesTheDiskWithTheNextOne() async throws {
    _ = try await table.merge(key("a"), row(9, nil))
    try await database.write { try $0.put(schema.counts, RegisterSchema.dropFails, []) }
    await #expect(throws: RegisterSchema.DropFailed.self) {
      try await replica.collectTombstones(olderThan: Timestamp(milliseconds: 10))
    }
    try await database.write { try $0.delete(schema.counts, RegisterSchema.dropFails) }
    #expect(
      try await replica.collectTombstones(olderThan: Timestamp(milliseconds: 10)).dropped == 1)
    let floors = try database.tree("register_floor")
    #expect(
      try database.get(floors, [Partition.of(partitionKey)])
        == [0, 0, 0, 0, 0, 9, 0, 0])
  }

  /// Tombstones are dropped 256 in a transaction.
  @Test func allOldTombstonesAreCollectedInOnePass() async throws {
    let rows = (0..<600).map { (key("\($0)"), row(Int64($0 % 7), nil)) }
    _ = try await local.merge(rows, origin: .repair)
    #expect(
      try await replica.collectTombstones(olderThan: Timestamp(milliseconds: 10)).dropped == 600)
    #expect(try local.fingerprintFaults().isEmpty)
  }

  @Test func rowsThatCannotBeReadDoNotStopTheCollectionOfOthers() async throws {
    // More than one transaction's worth of them, before the one that can be read.
    let damaged = (0..<300).map { (key("damaged \($0)"), row(1, nil)) }
    _ = try await local.merge(damaged + [(key("whole"), row(2, nil))], origin: .repair)
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
    let collected = try await replica.collectTombstones(olderThan: Timestamp(milliseconds: 10))
    #expect(collected == .init(dropped: 1, unreadable: 300))
    #expect(try await table.entry(key("whole")) == nil)
    // They stay listed, for when they can be read again.
    let again = try await replica.collectTombstones(olderThan: Timestamp(milliseconds: 10))
    #expect(again == .init(dropped: 0, unreadable: 300))
  }

  @Test func floorsAndTheFingerprintKeySurviveARestart() async throws {
    _ = try await table.merge(key("a"), row(9, nil))
    _ = try await table.merge(key("b"), row(10, "x"))
    _ = try await replica.collectTombstones(olderThan: Timestamp(milliseconds: 10))
    let clock = HybridClock(runtime: runtime)
    let again = try LocalTableReplica(
      node: replica.node, database: database, clock: clock, random: runtime.random)
    let reopened = try again.register(schema)
    #expect(try reopened.fingerprintFaults().isEmpty)
    #expect(
      try await reopened.merge([(key("a"), row(7, "back"))], origin: .client)
        == .stale(Timestamp(milliseconds: 9)))
  }

  @Test func theCollectorKeepsYoungTombstones() async throws {
    let now = runtime.wallNow.milliseconds
    _ = try await table.merge(key("young"), row(now - 3_500_000, nil))
    _ = try await table.merge(key("old"), row(now - 3_700_000, nil))
    let collector = TombstoneCollector(
      replica: replica, placement: SoleNodePlacement(replica), runtime: runtime, logger: .disabled)
    #expect(try await collector.collect() == 1)
    #expect(try await table.entry(key("young")) != nil)
    #expect(try await table.entry(key("old")) == nil)
  }

  @Test func fingerprintsDoNotDependOnTheOrderOfWrites() async throws {
    let other = try folder.open(
      "other", .inline, fsync: false, random: runtime.random)
    let twin = try LocalTableReplica(
      node: replica.node, database: other, clock: HybridClock(runtime: runtime),
      random: FixedRandom())
    let twinTable = try twin.register(RegisterSchema(other))
    let rows = (0..<50).map { (key("\($0 % 20)"), row(Int64($0), $0 % 3 == 0 ? nil : "\($0)")) }
    for entry in rows { _ = try await local.merge([entry], origin: .repair) }
    for entry in rows.reversed() { _ = try await twinTable.merge([entry], origin: .repair) }
    let partition = Partition.of(partitionKey)
    var total: UInt64 = 0
    for bucket in UInt8(0)..<64 {
      let mine = try database.read {
        try local.fingerprint(partition: partition, bucket: bucket, in: $0)
      }
      let theirs = try other.read {
        try twinTable.fingerprint(partition: partition, bucket: bucket, in: $0)
      }
      #expect(mine == theirs)
      total += mine.rowCount
    }
    #expect(total == 20)
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
      #expect(
        try await replica.collectTombstones(olderThan: Timestamp(rawValue: .max)).dropped == 1)
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
    guard case .refused(RefusalCode.clockAhead, _) = try await table.merge(key("x"), ahead) else {
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
