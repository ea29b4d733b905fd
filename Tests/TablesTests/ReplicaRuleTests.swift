import Base
import LocalDB
import SimulatedCluster
import SimulatedWorld
import Synchronization
import Tables
import TestStorage
import Testing

/// What a replica demands and what a coordinator does about it, one rule at a time, over real replicas.
@Suite struct ReplicaRuleTests {
  private let partitionKey: [UInt8] = [9, 9, 9, 9]
  private var partition: UInt16 { UInt16(Partition.of(partitionKey)) }

  private func key(_ sortKey: String) -> RowKey {
    RowKey(partitionKey: partitionKey, sortKey: Array(sortKey.utf8))
  }

  private func row(_ milliseconds: Int64, _ value: String?) -> Register {
    Register(timestamp: Timestamp(milliseconds: milliseconds), writer: 1, value: value)
  }

  /// Three replicas, read in this order: node 1, node 2, node 0.
  private func ordered(
    _ cluster: RegisterCluster, readQuorum: Int = 2
  ) -> Table<RegisterSchema> {
    let links = cluster.links
    let group = ReplicaGroup(
      replicas: links, writeSets: [.init(version: 1, nodes: links.map(\.node), quorum: 2)],
      readNodes: [links[1].node, links[2].node, links[0].node], readQuorum: readQuorum,
      layout: LayoutStamp(1))
    return Table(
      local: cluster.nodes[0].local,
      coordinator: TableCoordinator(
        placement: FixedGroup(group: group), clock: cluster.nodes[0].coordinator.clock,
        runtime: cluster.runtime))
  }

  private func put(
    _ sortKey: String, _ row: Register, on cluster: RegisterCluster, _ indices: [Int]
  ) async throws {
    for index in indices {
      _ = try await cluster.nodes[index].local.merge([(key(sortKey), row)], origin: .feed)
    }
  }

  /// Without delay nothing is lost on the way either.
  private static let quick: ClosedRange<Duration> = .zero ... .zero

  // MARK: Floors and repairs

  /// Node 1 answers "old"; then all learn of the delete and forget it; then node 2 answers "nothing, and a floor".
  @Test func aRepairThatItsReaderDidNotSeeTheDeleteOfIsRefusedAndReadAgain() throws {
    let runtime = SimulatedRuntime(seed: 1)
    let cluster = try RegisterCluster(runtime, delay: Self.quick)
    try runtime.run {
      try await put("a", row(1, "old"), on: cluster, [0, 1, 2])
      let table = ordered(cluster)
      let isForgotten = Flag()
      cluster.links[1].didAnswer.withLock {
        $0 = { [partition] request in
          guard case .read = request.body, !isForgotten.isSet else {
            return
          }
          try await put("a", row(2, nil), on: cluster, [0, 1, 2])
          for node in cluster.nodes {
            let collected = try await node.replica.collectTombstones(of: partition, upTo: .max)
            #expect(collected.dropped == 1)
          }
          isForgotten.set()
        }
      }
      cluster.links[2].willPerform.withLock {
        $0 = { request in
          guard case .read = request.body else { return }
          while !isForgotten.isSet {
            try await runtime.sleep(for: .milliseconds(1))
          }
        }
      }
      #expect(try await table.entry(key("a")) == nil)
      for node in cluster.nodes { #expect(try node.local.entry(key("a")) == nil) }
      // Reads of two replicas, repairs of three, and the reads again.
      let requests = cluster.links.map { $0.requestCount.load(ordering: .relaxed) }
      #expect(requests == [1, 3, 3])
    }
  }

  @Test func aRepairThatNamesTheFloorsOfTheReplicasIsTaken() throws {
    let runtime = SimulatedRuntime(seed: 2)
    let cluster = try RegisterCluster(runtime, delay: Self.quick)
    try runtime.run {
      try await put("gone", row(9, nil), on: cluster, [0, 1, 2])
      for node in cluster.nodes {
        _ = try await node.replica.collectTombstones(of: partition, upTo: .max)
      }
      try await put("a", row(5, "x"), on: cluster, [1])
      let table = ordered(cluster)
      // The first repair is refused, as nothing is known of the floors; all of them say theirs.
      #expect(try await table.entry(key("a"))?.value == "x")
      try await runtime.sleep(for: .seconds(1))
      for node in cluster.nodes { #expect(try node.local.entry(key("a"))?.value == "x") }
      try await put("b", row(6, "y"), on: cluster, [2])
      let before = cluster.links.map { $0.requestCount.load(ordering: .relaxed) }
      #expect(try await table.entry(key("b"))?.value == "y")
      let after = cluster.links.map { $0.requestCount.load(ordering: .relaxed) }
      #expect(zip(after, before).map { $0 - $1 } == [1, 2, 2])
    }
  }

  // MARK: The layout's stamp

  @Test func aSenderWhoDoesNotKnowTheLayoutIsRefused() throws {
    let world = try FencedReplica(seed: 3)
    try world.runtime.run {
      let bytes = world.schema.encode(row(1, "x"))
      let input = SetRegister(schema: world.schema).encode(
        .init(sortKey: [1], row: row(1, "x")))
      let bodies: [ReplicaRequest.Body] = [
        .read([key("a")]),
        .range(
          RangeRequest(partitionKey: partitionKey, from: [], to: nil, limit: 10, grouping: nil)),
        .merge([EncodedRow(key: key("a"), bytes: bytes)], .client),
        .merge([EncodedRow(key: key("a"), bytes: bytes)], .repair),
        .operate(name: "set", partitionKey: partitionKey, input: input),
      ]
      world.newest.value = 2
      func answer(_ body: ReplicaRequest.Body, _ version: UInt64) async throws
        -> ReplicaResponse.Body
      {
        try await world.replica.perform(
          ReplicaRequest(
            table: "register", partition: partition, layout: LayoutStamp(version), body: body),
          deadline: .distantFuture
        ).body
      }
      for body in bodies {
        for version in [UInt64(0), 1] {
          let body = try await answer(body, version)
          #expect(body == .staleLayout([]), "\(version)")
        }
      }
      #expect(try world.local.range(RangeQuery(partitionKey: partitionKey)).items.isEmpty)
      for body in bodies {
        for version in [UInt64(2), 3] {
          let body = try await answer(body, version)
          #expect(body != .staleLayout([]), "\(version)")
        }
      }
    }
  }

  /// The layout becomes a newer one between the moment at which a sole node looks and the transaction of its write.
  @Test(arguments: [false, true])
  func theOwnWritesOfASoleNodeAreFencedInTheirTransactions(byOperation: Bool) throws {
    let world = try FencedReplica(seed: 4)
    try world.runtime.run {
      let others = (0..<3).map { RecordingReplica(node: NodeID(random: SeededRandom(seed: $0))) }
      let placement = ThenGroup(
        stamp: LayoutStamp(1),
        group: ReplicaGroup(
          replicas: others, writeSets: [.init(version: 2, nodes: others.map(\.node), quorum: 2)],
          readNodes: others.map(\.node), readQuorum: 2, layout: LayoutStamp(2)))
      let table = Table(
        local: world.local,
        coordinator: TableCoordinator(
          placement: placement, clock: world.replica.clock, runtime: world.host))
      // The writer is busy, then records the layout, then comes to the write.
      let database = world.replica.database
      let newest = world.newest
      let (counts, row) = (world.schema.counts, row(5, "x"))
      let busy = world.runtime.spawn {
        _ = try? await database.write { try $0.put(counts, [9], [9]) }
      }
      try await world.runtime.sleep(for: .milliseconds(1))
      let layout = world.runtime.spawn {
        _ = try? await database.write { _ in newest.value = 2 }
      }
      try await world.runtime.sleep(for: .milliseconds(1))
      #expect(newest.value == 1)
      let written = row
      let outcome =
        byOperation
        ? try await table.operate(
          SetRegister(schema: world.schema), partitionKey: partitionKey,
          input: .init(sortKey: Array("a".utf8), row: written))
        : try await table.merge(key("a"), written)
      await busy.value
      await layout.value
      #expect(outcome.isAccepted)
      #expect(placement.solesAsked.value >= 1)
      // Nothing is left where nobody of the new layout looks; the others got the same bytes.
      #expect(try world.local.entry(key("a")) == nil)
      let bytes = world.schema.encode(written)
      for other in others {
        let requests = other.requests.withLock { $0 }
        #expect(requests.map(\.layout) == [LayoutStamp(2)])
        switch requests[0].body {
        case .merge(let rows, .client):
          #expect(rows == [EncodedRow(key: key("a"), bytes: bytes)])
        case .operate(_, _, let input):
          #expect(Array(input.suffix(bytes.count)) == bytes)
        default: Issue.record("another request: \(requests[0])")
        }
      }
    }
  }

  // MARK: Clocks

  /// A row of a clock that was years ahead, on two replicas: what is written above it reaches the third too.
  @Test(arguments: [false, true])
  func aWriteAboveAStaleAnswerIsTakenWhereNothingIsAhead(byOperation: Bool) throws {
    let runtime = SimulatedRuntime(seed: 5)
    let cluster = try RegisterCluster(runtime, delay: Self.quick)
    try runtime.run {
      let ahead = row(runtime.wallNow.milliseconds + 70 * 365 * 86_400_000, "ahead")
      try await put("a", ahead, on: cluster, [0, 1])
      let table = cluster.nodes[2].table
      let outcome = try await table.retryingStale { attempt in
        let row = Register(timestamp: attempt.timestamp, writer: 2, value: "now")
        if byOperation {
          return try await table.operate(
            SetRegister(schema: table.schema), partitionKey: partitionKey,
            input: .init(sortKey: Array("a".utf8), row: row), above: attempt.above)
        }
        return try await table.merge(key("a"), row, above: attempt.above)
      }
      #expect(outcome.isAccepted)
      try await runtime.sleep(for: .seconds(20))
      for node in cluster.nodes {
        #expect(try node.local.entry(key("a"))?.value == "now")
        #expect(try node.local.entry(key("a"))?.timestamp == ahead.timestamp.next)
      }
      // No further than that: nobody may climb.
      let further = Register(
        timestamp: Timestamp(rawValue: ahead.timestamp.rawValue + 9), writer: 3, value: "far")
      let refused = try await table.merge(key("b"), further, above: ahead.timestamp)
      guard case .refused(RefusalCode.clockAhead, _, false) = refused else {
        Issue.record("\(refused)")
        return
      }
    }
  }

  // MARK: Ranges

  /// A replica that holds a later companion says so, and the coordinator keeps it.
  @Test func aLaterCompanionComesBackWithTheAnswer() throws {
    let world = try FencedReplica(seed: 10)
    let asking = try FencedReplica(beside: world)
    try world.runtime.run {
      let mark = RowKey(partitionKey: [], sortKey: Array("mark".utf8))
      let known = CompanionRow(
        table: "mark", row: EncodedRow(key: mark, bytes: world.schema.encode(row(3, "live"))))
      _ = try await world.marks.merge([(mark, row(5, "mark"))], origin: .feed)
      let group = ReplicaGroup(
        replicas: [world.replica],
        writeSets: [.init(version: 1, nodes: [world.replica.node], quorum: 1)],
        readNodes: [world.replica.node], readQuorum: 1, layout: LayoutStamp(1))
      let table = Table(
        local: asking.local,
        coordinator: TableCoordinator(
          placement: FixedGroup(group: group), clock: world.replica.clock,
          runtime: world.runtime, local: asking.replica))
      #expect(try asking.marks.entry(mark) == nil)
      #expect(try await table.get(key("a"), companion: known) == nil)
      #expect(try asking.marks.entry(mark)?.value == "mark")
      #expect(try world.marks.entry(mark)?.value == "mark")
    }
  }

  private func answer(
    _ replica: LocalTableReplica, limit: Int, grouping: DelimiterGrouping? = nil,
    from: [UInt8] = [], companion: CompanionRow? = nil
  ) async throws -> RangeAnswer? {
    var request = ReplicaRequest(
      table: "register", partition: partition, layout: LayoutStamp(1),
      body: .range(
        RangeRequest(
          partitionKey: partitionKey, from: from, to: nil, limit: limit, grouping: grouping)))
    request.companion = companion
    let response = try await replica.perform(request, deadline: .distantFuture)
    guard case .range(let range) = response.body else { return nil }
    return range
  }

  @Test func aRangeIsCutByRowsAndByBytes() throws {
    let world = try FencedReplica(seed: 6)
    try world.runtime.run {
      let value = String(repeating: "v", count: 990)
      let rows = (0..<1000).map { (key("\(10_000 + $0)"), row(1, value)) }
      _ = try await world.local.merge(rows, origin: .feed)
      let few = try #require(try await answer(world.replica, limit: 5))
      #expect(few.entries.count == 5 && few.coveredEnd == Array("10005".utf8))
      let many = try #require(try await answer(world.replica, limit: 1001))
      let bytes = many.entries.reduce(0) { $0 + $1.bytes.count + $1.sortKey.count }
      #expect(many.entries.count < 1000 && bytes < TableMessageLimits.answerBytesMax + 2000)
      #expect(bytes > TableMessageLimits.answerBytesMax - 2000)
      #expect(many.coveredEnd == Array("\(10_000 + many.entries.count)".utf8))
      let rest = try #require(
        try await answer(world.replica, limit: 1001, from: many.coveredEnd ?? []))
      #expect(rest.entries.count == 1000 - many.entries.count && rest.coveredEnd == nil)
    }
  }

  @Test func aRangeIsCutByTheRowsThatWereLookedAt() throws {
    let world = try FencedReplica(seed: 7)
    try world.runtime.run {
      let gone = (0..<10_500).map { (key("a/\(10_000 + $0)"), row(1, nil)) }
      _ = try await world.local.merge(gone + [(key("b/1"), row(1, "x"))], origin: .feed)
      let grouping = DelimiterGrouping(start: 0, delimiter: Array("/".utf8))
      let first = try #require(try await answer(world.replica, limit: 10, grouping: grouping))
      #expect(first.coveredEnd?.starts(with: Array("a/".utf8)) ?? false)
      let rest = try #require(
        try await answer(
          world.replica, limit: 10, grouping: grouping, from: first.coveredEnd ?? []))
      #expect(rest.entries.last?.group == Array("b/".utf8) && rest.coveredEnd == nil)
    }
  }

  @Test func whatOneReplicaKnowsToBeDeletedIsInNoPage() throws {
    let runtime = SimulatedRuntime(seed: 8)
    let cluster = try RegisterCluster(runtime, delay: Self.quick)
    try runtime.run {
      try await put("a", row(1, "old"), on: cluster, [1])
      try await put("a", row(2, nil), on: cluster, [0, 2])
      try await put("b", row(1, "x"), on: cluster, [0, 1, 2])
      try await put("c/1", row(1, "old"), on: cluster, [1])
      try await put("c/1", row(2, nil), on: cluster, [0, 2])
      let table = ordered(cluster)
      let page = try await table.range(
        RangeQuery(
          partitionKey: partitionKey,
          grouping: DelimiterGrouping(start: 0, delimiter: Array("/".utf8))))
      #expect(page.items.count == 1)
      guard case .row(Array("b".utf8), _) = page.items.first else {
        Issue.record("\(page.items)")
        return
      }
      // And the replica that did not know it does now.
      try await runtime.sleep(for: .seconds(1))
      #expect(try cluster.nodes[1].local.entry(key("a"))?.value == nil)
    }
  }

  // MARK: Companions

  @Test func aCompanionRowIsHeldBeforeARangeIsAnswered() throws {
    let world = try FencedReplica(seed: 9)
    try world.runtime.run {
      let mark = RowKey(partitionKey: [], sortKey: Array("mark".utf8))
      func companion(_ row: Register) -> CompanionRow {
        CompanionRow(
          table: "mark", row: EncodedRow(key: mark, bytes: world.schema.encode(row)))
      }
      _ = try await world.marks.merge([(mark, row(3, "live"))], origin: .feed)
      let range = try await answer(world.replica, limit: 9, companion: companion(row(5, "mark")))
      #expect(range != nil)
      #expect(try world.marks.entry(mark)?.value == "mark")
      // An older one changes nothing, and costs no transaction.
      let commits = world.replica.database.commitNumber
      #expect(
        try await answer(world.replica, limit: 9, companion: companion(row(4, "older"))) != nil)
      #expect(
        try await answer(world.replica, limit: 9, companion: companion(row(5, "mark"))) != nil)
      #expect(try world.marks.entry(mark)?.value == "mark")
      #expect(world.replica.database.commitNumber == commits)
      // A replica that does not have it says nothing.
      await #expect(throws: TableError.unknown(name: "none")) {
        var companion = companion(row(5, "mark"))
        companion.table = "none"
        _ = try await answer(world.replica, limit: 9, companion: companion)
      }
      await #expect(throws: (any Error).self) {
        var companion = companion(row(6, "bad"))
        companion.row.bytes = [0xFF]
        _ = try await answer(world.replica, limit: 9, companion: companion)
      }
    }
  }
}

/// A replica that knows a layout, on a host whose commits take time.
private final class FencedReplica: Sendable {
  let runtime: SimulatedRuntime
  let host: SimulatedHost
  /// The newest layout version.
  let newest = Counter(1)
  let replica: LocalTableReplica
  let schema: RegisterSchema
  let local: LocalTable<RegisterSchema>
  /// A table that every node holds whole.
  let marks: LocalTable<RegisterSchema>

  convenience init(seed: UInt64) throws { try self.init(SimulatedRuntime(seed: seed), "node") }

  /// Another one in the same world.
  convenience init(beside other: FencedReplica) throws { try self.init(other.runtime, "other") }

  private init(_ runtime: SimulatedRuntime, _ name: String) throws {
    self.runtime = runtime
    host = runtime.addHost(name)
    host.commitDelay = .milliseconds(10) ... .milliseconds(10)
    let database = try LocalDatabase.open(host.databaseOptions(), random: host.random)
    replica = try LocalTableReplica(
      node: NodeID(random: host.random), database: database, clock: HybridClock(runtime: host),
      random: host.random,
      fence: LayoutFence { [newest] in newest.value })
    schema = try RegisterSchema(database)
    local = try replica.register(schema)
    local.register(SetRegister(schema: schema))
    var marks = schema
    marks.name = "mark"
    marks.partitionKeyBytes = 0
    marks.isFullyReplicated = true
    self.marks = try replica.register(marks)
  }

  deinit { runtime.takeApart() }
}

/// Takes every write, and keeps the requests.
private final class RecordingReplica: TableReplica {
  let node: NodeID
  let requests = Mutex<[ReplicaRequest]>([])

  init(node: NodeID) { self.node = node }

  nonisolated(nonsending) func perform(
    _ request: ReplicaRequest, deadline: MonotonicInstant
  ) async throws -> ReplicaResponse {
    requests.withLock { $0.append(request) }
    return ReplicaResponse(.answer(.accepted))
  }
}

/// One group for everything.
private struct FixedGroup: Placement {
  var group: ReplicaGroup
  var sole: LayoutStamp? { nil }
  func group(for partition: UInt16) -> ReplicaGroup { group }
  func layoutRefused(by node: NodeID, newer: [UInt8]) {}
}

/// A node that takes itself to be alone, until it hears of a group.
private final class ThenGroup: Placement {
  let solesAsked = Counter()
  private let stamp: LayoutStamp
  private let others: ReplicaGroup

  init(stamp: LayoutStamp, group: ReplicaGroup) {
    self.stamp = stamp
    others = group
  }

  var sole: LayoutStamp? {
    solesAsked.add()
    return stamp
  }
  func group(for partition: UInt16) -> ReplicaGroup { others }
  func layoutRefused(by node: NodeID, newer: [UInt8]) {}
}
