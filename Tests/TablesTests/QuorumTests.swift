import Base
import SimulatedCluster
import SimulatedWorld
import Synchronization
import Tables
import Testing

/// What coordinators make of replicas' answers: scripted replicas, one rule at a time.
@Suite struct QuorumTests {
  let partitionKey: [UInt8] = [9, 9, 9, 9]

  private func row(_ milliseconds: Int64, _ value: String?) -> Register {
    Register(timestamp: Timestamp(milliseconds: milliseconds), writer: 1, value: value)
  }

  /// What a scripted replica does with a write.
  private enum Act: CaseIterable {
    case accepted, stale, refused, fails, notSent, silent, lossyAccepted, lossyRefused, staleLayout

    /// Whether the write may be on this replica.
    var mayStore: Bool {
      switch self {
      case .accepted, .fails, .silent, .lossyAccepted: true
      case .stale, .refused, .notSent, .lossyRefused, .staleLayout: false
      }
    }
  }

  private static let stale = Timestamp(rawValue: 7)

  private static func response(_ act: Act) throws -> ReplicaResponse? {
    switch act {
    case .accepted: ReplicaResponse(.answer(.accepted))
    case .stale: ReplicaResponse(.answer(.stale(stale)))
    case .refused: ReplicaResponse(.answer(.refused(code: 256, payload: [1])))
    case .fails: throw NotReached()
    case .notSent: throw NotSent("no connection")
    case .silent: nil
    case .lossyAccepted: ReplicaResponse(.answer(.accepted), countsInQuorum: false)
    case .lossyRefused:
      ReplicaResponse(.answer(.refused(code: 256, payload: [1])), countsInQuorum: false)
    case .staleLayout: ReplicaResponse(.staleLayout([]))
    }
  }

  /// What a replica, by its number, says to its nth request.
  private typealias Script =
    @Sendable (_ replica: Int, _ number: Int, ReplicaRequest) async throws -> ReplicaResponse?

  /// A table whose replicas do what `script` says to the nth request (from 0) of a replica.
  private func table(
    _ runtime: SimulatedRuntime, count: Int = 3, quorum: Int = 2, readQuorum: Int = 2,
    roundTrip: Duration? = nil,
    _ script: @escaping Script
  ) throws -> (Table<RegisterSchema>, ScriptedPlacement, RegisterCluster) {
    let cluster = try RegisterCluster(runtime, skews: [0], writeQuorum: 1, readQuorum: 1)
    let replicas = (0..<count).map { index in
      ScriptedReplica(node: NodeID(random: SeededRandom(seed: UInt64(index))), runtime) {
        try await script(index, $0, $1)
      }
    }
    let placement = ScriptedPlacement(
      replicas, quorum: quorum, readQuorum: readQuorum, roundTrip: roundTrip)
    let coordinator = TableCoordinator(
      placement: placement, clock: HybridClock(runtime: runtime), runtime: runtime)
    return (Table(local: cluster.nodes[0].local, coordinator: coordinator), placement, cluster)
  }

  private func write(_ table: Table<RegisterSchema>) async throws -> WriteOutcome {
    try await table.merge(RowKey(partitionKey: partitionKey, sortKey: [1]), row(5, "x"))
  }

  // MARK: No definite refusal after a partial acceptance

  /// All answers of three replicas: accepted at two; and "not done" only if nobody can have stored it.
  @Test func aWriteThatAReplicaMayHaveStoredIsNeverSaidNotToBeThere() throws {
    for first in Act.allCases {
      for second in Act.allCases {
        for third in Act.allCases {
          let acts = [first, second, third]
          let runtime = SimulatedRuntime(seed: 1)
          try runtime.run {
            let (table, _, cluster) = try table(runtime) { index, request, _ in
              // Who is refused for its layout comes again.
              let isAgain = request > 0 && acts[index] == .staleLayout
              return try Self.response(isAgain ? .refused : acts[index])
            }
            defer { withExtendedLifetime(cluster) {} }
            let outcome = try? await write(table)
            let isAccepted = acts.count { $0 == .accepted } >= 2
            #expect((outcome?.isAccepted ?? false) == isAccepted, "\(acts)")
            guard let outcome, !outcome.isAccepted else { return }
            let mayExist = acts.contains { $0.mayStore }
            if mayExist { #expect(outcome.mayExist, "\(acts)") }
            // And it is said when it can be.
            if acts.allSatisfy({ [.stale, .refused].contains($0) }) {
              #expect(!outcome.mayExist, "\(acts)")
            }
          }
        }
      }
    }
  }

  /// One took the write before the others knew a newer layout; then all refuse the copies.
  @Test func acceptancesOfCopiesThatWereSentBeforeCount() throws {
    let runtime = SimulatedRuntime(seed: 2)
    try runtime.run {
      for (act, mayExist) in [(Act.accepted, true), (.silent, true), (.refused, false)] {
        let (table, placement, cluster) = try table(runtime) { index, request, _ in
          guard request == 0 else { return try Self.response(.refused) }
          return try Self.response(index == 0 ? act : .staleLayout)
        }
        defer { withExtendedLifetime(cluster) {} }
        let outcome = try await write(table)
        #expect(
          outcome == .refused(code: 256, payload: [1], mayExist: mayExist), "\(act)")
        #expect(placement.refusals.value == 2)
      }
    }
  }

  @Test func aRefusedWriteWaitsForTheRemainingAnswersOnlyBriefly() throws {
    for (delay, mayExist) in [(200, false), (2000, true)] {
      let runtime = SimulatedRuntime(seed: 3)
      try runtime.run {
        let (table, _, cluster) = try table(runtime) { index, _, _ in
          if index == 2 { try await runtime.sleep(for: .milliseconds(delay)) }
          return try Self.response(.refused)
        }
        defer { withExtendedLifetime(cluster) {} }
        let outcome = try await write(table)
        #expect(outcome == .refused(code: 256, payload: [1], mayExist: mayExist))
        #expect(runtime.elapsed <= .milliseconds(500))
      }
    }
  }

  /// An acceptance makes waiting useless: it may exist, whatever the others say.
  @Test func anAcceptedWriteThatCannotReachItsQuorumIsAnsweredAtOnce() throws {
    let runtime = SimulatedRuntime(seed: 4)
    try runtime.run {
      let (table, _, cluster) = try table(runtime) { index, _, _ in
        try Self.response(index == 0 ? .accepted : .refused)
      }
      defer { withExtendedLifetime(cluster) {} }
      #expect(try await write(table) == .refused(code: 256, payload: [1], mayExist: true))
      #expect(runtime.elapsed < .milliseconds(100))
    }
  }

  // MARK: Quorums

  /// Write and read quorums of 1 to 5 holders, of which one may have lost rows.
  @Test func quorumsAreCountedWithoutALossyHolder() throws {
    for count in 1...5 {
      let quorum = count / 2 + 1
      let readQuorum = count == 2 ? 1 : quorum
      for answering in 0...count {
        for isLossy in [false, true] {
          let runtime = SimulatedRuntime(seed: 5)
          try runtime.run {
            let (table, _, cluster) = try table(
              runtime, count: count, quorum: quorum, readQuorum: readQuorum
            ) { index, _, request in
              guard index < answering else { throw NotReached() }
              let isGood = index > 0 || !isLossy
              if case .read(let keys) = request.body {
                return ReplicaResponse(.rows(keys.map { _ in nil }), countsInQuorum: isGood)
              }
              return ReplicaResponse(.answer(.accepted), countsInQuorum: isGood)
            }
            defer { withExtendedLifetime(cluster) {} }
            let counting = answering - (isLossy && answering > 0 ? 1 : 0)
            let isWritten = (try? await write(table))?.isAccepted ?? false
            #expect(isWritten == (counting >= quorum), "\(answering) of \(count)")
            let key = RowKey(partitionKey: partitionKey, sortKey: [1])
            let isRead = await (try? table.entries([key])) != nil
            #expect(isRead == (counting >= readQuorum), "\(answering) of \(count)")
          }
        }
      }
    }
  }

  // MARK: Another attempt

  @Test func anotherTimestampIsAnotherWriteWhenAnAttemptMayExist() async throws {
    let runtime = SimulatedRuntime(seed: 6)
    try runtime.run {
      let (table, _, cluster) = try table(runtime) { _, _, _ in nil }
      defer { withExtendedLifetime(cluster) {} }
      let now = runtime.wallNow.milliseconds
      let held = Timestamp(milliseconds: now + 1000)
      func attempts(_ outcomes: [WriteOutcome]) async throws -> [WriteAttempt] {
        var seen: [WriteAttempt] = []
        _ = try await table.retryingStale { attempt in
          seen.append(attempt)
          return outcomes[seen.count - 1]
        }
        return seen
      }
      let clock = WriteOutcome.refused(
        code: RefusalCode.clockAhead, payload: [], mayExist: true)
      let nowhere = WriteOutcome.refused(
        code: RefusalCode.clockAhead, payload: [], mayExist: false)

      // Nobody stored it: the same write, above.
      var seen = try await attempts([.stale(held, mayExist: false), .accepted([])])
      #expect(seen.map(\.isAnother) == [false, false])
      #expect(seen[1].timestamp == held.next && seen[1].above == held)
      // Somebody may have: another one, and so are those that follow.
      seen = try await attempts([
        .stale(held, mayExist: true), .stale(held.next, mayExist: false), .accepted([]),
      ])
      #expect(seen.map(\.isAnother) == [false, true, true])
      // The same bytes go again after a refusal for the clock that somebody may have stored.
      seen = try await attempts([clock, clock, .accepted([])])
      #expect(Set(seen.map(\.timestamp)).count == 1)
      #expect(seen.map(\.isAnother) == [false, false, false])
      // After one that nobody stored it takes the clock's time.
      seen = try await attempts([nowhere, .accepted([])])
      #expect(seen[1].timestamp > seen[0].timestamp && !seen[1].isAnother)
      // And once it is stale, another one.
      seen = try await attempts([clock, .stale(held, mayExist: false), .accepted([])])
      #expect(seen.map(\.isAnother) == [false, false, true])
      #expect(seen[1].timestamp == seen[0].timestamp && seen[2].timestamp == held.next)
    }
  }

  @Test func whatMayExistIsKnownOverAllCallsOfOneWrite() throws {
    let runtime = SimulatedRuntime(seed: 7)
    try runtime.run {
      let (table, _, cluster) = try table(runtime) { _, _, _ in nil }
      defer { withExtendedLifetime(cluster) {} }
      var tries = WriteTries()
      var timestamps: [Timestamp] = []
      // A bucket's refusal, twice: the same bytes go again, with another stamp around them.
      for outcome in [
        WriteOutcome.refused(code: 256, payload: [], mayExist: true),
        .refused(code: 256, payload: [], mayExist: false),
      ] {
        let last = try await table.retryingStale(&tries) { attempt in
          timestamps.append(attempt.timestamp)
          #expect(!attempt.isAnother)
          return outcome
        }
        #expect(last == outcome)
      }
      #expect(timestamps[0] == timestamps[1])
      #expect(tries.mayExist)
    }
  }

  // MARK: Reading

  @Test func aSlowReplicaIsHedgedAndThenAskedLast() throws {
    let runtime = SimulatedRuntime(seed: 8)
    try runtime.run {
      let asked = Mutex<[Int]>([])
      let (table, _, cluster) = try table(runtime) { index, _, request in
        asked.withLock { $0.append(index) }
        if index == 0 { try await runtime.sleep(for: .seconds(5)) }
        guard case .read(let keys) = request.body else { return nil }
        return ReplicaResponse(.rows(keys.map { _ in nil }))
      }
      defer { withExtendedLifetime(cluster) {} }
      let key = RowKey(partitionKey: partitionKey, sortKey: [1])
      _ = try await table.entry(key)
      // Half a second, where the round trips are not known.
      #expect(runtime.elapsed == .milliseconds(500))
      #expect(asked.withLock { Set($0) } == [0, 1, 2])
      asked.withLock { $0 = [] }
      _ = try await table.entry(key)
      #expect(runtime.elapsed == .milliseconds(500))
      #expect(asked.withLock { Set($0) } == [1, 2])
      // It answers, and is trusted again.
      try await runtime.sleep(for: .seconds(6))
      asked.withLock { $0 = [] }
      _ = try await table.entry(key)
      #expect(asked.withLock { $0.contains(0) })
    }
  }

  @Test func hedgingWaitsThreeRoundTripsWhereTheyAreKnown() throws {
    for (trip, expected) in [(10, 100), (60, 180), (400, 500)] {
      let runtime = SimulatedRuntime(seed: 9)
      try runtime.run {
        let (table, _, cluster) = try table(runtime, roundTrip: .milliseconds(trip)) {
          index, _, request in
          if index == 0 { return nil }
          guard case .read(let keys) = request.body else { return nil }
          return ReplicaResponse(.rows(keys.map { _ in nil }))
        }
        defer { withExtendedLifetime(cluster) {} }
        _ = try await table.entry(RowKey(partitionKey: partitionKey, sortKey: [1]))
        #expect(runtime.elapsed == .milliseconds(expected))
      }
    }
  }

  /// Everything is slow: a dozen further questions, and then one for ten reads.
  @Test func hedgingIsBounded() throws {
    let runtime = SimulatedRuntime(seed: 10)
    try runtime.run {
      let asked = Mutex(0)
      let (table, _, cluster) = try table(runtime) { index, _, request in
        asked.withLock { $0 += 1 }
        try await runtime.sleep(for: .milliseconds(900))
        guard case .read(let keys) = request.body else { return nil }
        return ReplicaResponse(.rows(keys.map { _ in nil }))
      }
      defer { withExtendedLifetime(cluster) {} }
      for _ in 0..<200 {
        _ = try await table.entry(RowKey(partitionKey: partitionKey, sortKey: [1]))
      }
      let further = asked.withLock { $0 } - 400
      #expect((12...33).contains(further))
    }
  }
}

/// Answers as a test says; `nil` is silence.
private final class ScriptedReplica: TableReplica {
  let node: NodeID
  private let runtime: SimulatedRuntime
  private let script: @Sendable (Int, ReplicaRequest) async throws -> ReplicaResponse?
  private let requests = Mutex(0)

  init(
    node: NodeID, _ runtime: SimulatedRuntime,
    _ script: @escaping @Sendable (Int, ReplicaRequest) async throws -> ReplicaResponse?
  ) {
    self.node = node
    self.runtime = runtime
    self.script = script
  }

  nonisolated(nonsending) func perform(
    _ request: ReplicaRequest, deadline: MonotonicInstant
  ) async throws -> ReplicaResponse {
    let number = requests.withLock { number in
      defer { number += 1 }
      return number
    }
    if let response = try await script(number, request) { return response }
    try await runtime.sleep(until: deadline)
    throw NotReached()
  }
}

private final class ScriptedPlacement: Placement {
  let refusals = Counter()
  private let replicas: [ScriptedReplica]
  private let quorum: Int
  private let readQuorum: Int
  private let trip: Duration?

  init(_ replicas: [ScriptedReplica], quorum: Int, readQuorum: Int, roundTrip: Duration?) {
    self.replicas = replicas
    self.quorum = quorum
    self.readQuorum = readQuorum
    trip = roundTrip
  }

  var sole: LayoutStamp? { nil }

  func group(for partition: UInt16) -> ReplicaGroup {
    ReplicaGroup(
      replicas: replicas,
      writeSets: [.init(version: 1, nodes: replicas.map(\.node), quorum: quorum)],
      readNodes: replicas.map(\.node), readQuorum: readQuorum, layout: LayoutStamp(1))
  }

  func layoutRefused(by node: NodeID, newer: [UInt8]) {
    refusals.add()
  }

  func roundTrip(to node: NodeID) -> Duration? { trip }
}
