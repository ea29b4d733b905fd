import Base
import SimulatedCluster
import SimulatedWorld
import Synchronization
import Tables
import Testing

/// One rule at a time, over three replicas.
@Suite struct TableTests {
  let partitionKey: [UInt8] = [9, 9, 9, 9]

  private func key(_ sortKey: String) -> RowKey {
    RowKey(partitionKey: partitionKey, sortKey: Array(sortKey.utf8))
  }

  private func row(_ milliseconds: Int64, _ value: String?) -> Register {
    Register(timestamp: Timestamp(milliseconds: milliseconds), writer: 1, value: value)
  }

  /// Puts rows on one replica, behind the others' backs.
  private func plant(
    _ rows: [(String, Register)], on node: RegisterNode
  ) async throws {
    _ = try await node.local.merge(rows.map { (key($0.0), $0.1) }, origin: .feed)
  }

  @Test func aReadRepairsAWriteQuorumBeforeItAnswers() throws {
    for seed in UInt64(0)..<20 {
      let runtime = SimulatedRuntime(seed: seed)
      let cluster = try RegisterCluster(runtime)
      try runtime.run {
        try await plant([("a", row(5, "new"))], on: cluster.nodes[0])
        for node in cluster.nodes { try await plant([("a", row(3, "old"))], on: node) }
        cluster.nodes[2].link.isCut.store(true, ordering: .relaxed)
        let seen = try await cluster.nodes[1].table.get(key("a"))
        #expect(seen?.value == "new", "seed \(seed)")
        let holders = try cluster.nodes.filter { try $0.local.entry(key("a"))?.value == "new" }
        #expect(holders.count >= 2, "seed \(seed)")
      }
    }
  }

  @Test func aReadFailsWhenItsRepairCannotReachAQuorum() throws {
    let runtime = SimulatedRuntime(seed: 1)
    let cluster = try RegisterCluster(runtime)
    try runtime.run {
      try await plant([("a", row(5, "new"))], on: cluster.nodes[0])
      for node in cluster.nodes {
        node.link.falsify.withLock {
          $0 = { response in
            guard case .answer = response.body else { return response }
            return ReplicaResponse(.answer(.refused(code: 300, payload: [])))
          }
        }
      }
      await #expect(throws: TableError.self) {
        // Some pair of replicas disagrees; three reads try more than one pair.
        for _ in 0..<10 { _ = try await cluster.nodes[1].table.get(key("a")) }
      }
    }
  }

  @Test func aWriteReturnsAtTheQuorumAndTheLateReplicaGetsItToo() throws {
    let runtime = SimulatedRuntime(seed: 2)
    let cluster = try RegisterCluster(runtime, delay: .milliseconds(1) ... .seconds(5))
    try runtime.run {
      let outcome = try await cluster.nodes[0].table.merge(key("a"), row(5, "x"))
      #expect(outcome.isAccepted)
      try await runtime.sleep(for: .seconds(20))
      for node in cluster.nodes { #expect(try node.local.entry(key("a"))?.value == "x") }
      #expect(cluster.nodes[0].coordinator.outstandingCalls == 0)
    }
  }

  @Test func aWriteWithoutAQuorumFailsWithinTheTimeout() throws {
    let runtime = SimulatedRuntime(seed: 3)
    let cluster = try RegisterCluster(runtime)
    try runtime.run {
      for node in cluster.nodes[1...] { node.link.isCut.store(true, ordering: .relaxed) }
      await #expect(throws: TableError.self) {
        _ = try await cluster.nodes[0].table.merge(key("a"), row(5, "x"))
      }
      #expect(runtime.elapsed <= .seconds(11))
      try await runtime.sleep(for: .seconds(20))
      #expect(cluster.nodes[0].coordinator.outstandingCalls == 0)
    }
  }

  @Test func aHangingNodeHoldsUpAtMostTheLimitOfCalls() throws {
    let runtime = SimulatedRuntime(seed: 4)
    let cluster = try RegisterCluster(
      runtime, delay: .zero ... .zero, commitDelay: .zero ... .zero)
    try runtime.run {
      cluster.nodes[2].link.isCut.store(true, ordering: .relaxed)
      for number in 0..<3000 {
        _ = try await cluster.nodes[0].table.merge(key("\(number)"), row(5, "x"))
      }
      #expect(cluster.nodes[0].coordinator.outstandingCalls <= 1024)
      #expect(runtime.elapsed < .seconds(1))
    }
  }

  @Test func aReplicaThatMayHaveLostRowsStoresAndDoesNotCount() throws {
    let runtime = SimulatedRuntime(seed: 5)
    let cluster = try RegisterCluster(runtime)
    try runtime.run {
      cluster.nodes[1].replica.noteLoss()
      #expect(try await cluster.nodes[0].table.merge(key("a"), row(5, "x")).isAccepted)
      try await runtime.sleep(for: .seconds(9))
      #expect(try cluster.nodes[1].local.entry(key("a"))?.value == "x")
      cluster.nodes[2].link.isCut.store(true, ordering: .relaxed)
      await #expect(throws: TableError.self) {
        _ = try await cluster.nodes[0].table.merge(key("a"), row(6, "y"))
      }
    }
  }

  @Test func aWriteFarAheadIsRefusedUnlessItFollowsTheRowsOwn() throws {
    let runtime = SimulatedRuntime(seed: 6)
    let cluster = try RegisterCluster(runtime)
    try runtime.run {
      let table = cluster.nodes[0].table
      let now = runtime.wallNow.milliseconds
      let ahead = row(now + 16 * 60_000, "ahead")
      let operation = SetRegister(schema: table.schema)
      func set(_ row: Register) async throws -> WriteOutcome {
        try await table.operate(
          operation, partitionKey: partitionKey, input: .init(sortKey: [1], row: row))
      }
      for outcome in [
        try await set(ahead), try await table.merge(key("a"), ahead),
      ] {
        guard case .refused(RefusalCode.clockAhead, _, _) = outcome else {
          Issue.record("\(outcome)")
          return
        }
      }
      // A row that is far ahead all the same (another node's clock stepped back) can be overwritten.
      for node in cluster.nodes {
        _ = try await node.local.merge(
          [(RowKey(partitionKey: partitionKey, sortKey: [1]), ahead)], origin: .feed)
      }
      let outcome = try await table.retryingStale { attempt in
        try await set(Register(timestamp: attempt.timestamp, writer: 2, value: "next"))
      }
      #expect(outcome.isAccepted)
      #expect(
        try await table.get(RowKey(partitionKey: partitionKey, sortKey: [1]))?.value == "next")
      // The stale answer raised that write alone.
      #expect(cluster.nodes[0].coordinator.clock.now().milliseconds <= runtime.wallNow.milliseconds)
    }
  }

  @Test func twoLayoutVersionsNeedBothOfTheirQuorums() {
    let nodes = (0..<6).map { NodeID(random: SeededRandom(seed: $0)) }
    let sets = [
      ReplicaGroup.WriteSet(version: 1, nodes: Array(nodes[0..<3]), quorum: 2),
      ReplicaGroup.WriteSet(version: 2, nodes: Array(nodes[2..<5]), quorum: 2),
    ]
    let runtime = SimulatedRuntime(seed: 7)
    for accepting in 0..<32 {
      let group = ReplicaGroup(
        replicas: (0..<5).map { index in
          FixedReplica(
            node: nodes[index],
            answer: accepting >> index & 1 == 1 ? .accepted : .stale(Timestamp(rawValue: 7)))
        },
        writeSets: sets, readNodes: [], readQuorum: 1,
        layout: LayoutStamp(newestKnown: 2, readFrom: 1))
      let expected = sets.allSatisfy { set in
        set.nodes.count { node in
          nodes.firstIndex(of: node).map { accepting >> $0 & 1 == 1 } ?? false
        } >= 2
      }
      #expect(throws: Never.self) {
        try runtime.run {
          let cluster = try RegisterCluster(runtime)
          let coordinator = TableCoordinator(
            placement: OneGroup(group: group), clock: cluster.nodes[0].coordinator.clock,
            runtime: runtime)
          let table = Table(local: cluster.nodes[0].local, coordinator: coordinator)
          let outcome = try await table.merge(key("a"), row(1, "x"))
          #expect(outcome.isAccepted == expected)
          if case .stale(let newer, _) = outcome {
            #expect(newer == Timestamp(rawValue: 7))
          } else {
            #expect(expected)
          }
        }
      }
    }
  }

  @Test func aFullyReplicatedTableAnswersYesLocallyAndAsksBeforeNo() throws {
    let runtime = SimulatedRuntime(seed: 8)
    let cluster = try RegisterCluster(runtime, isFullyReplicated: true)
    try runtime.run {
      let table = cluster.nodes[0].table
      for node in cluster.nodes[1...] { try await plant([("a", row(5, "x"))], on: node) }
      #expect(try await table.get(key("a"))?.value == "x")
      let asked = cluster.nodes.map { $0.link.requestCount.load(ordering: .relaxed) }
      #expect(asked.reduce(0, +) >= 2)
      #expect(try cluster.nodes[0].local.entry(key("a"))?.value == "x")
      try await runtime.sleep(for: .seconds(20))
      let before = cluster.nodes.map { $0.link.requestCount.load(ordering: .relaxed) }
      #expect(try await table.get(key("a"))?.value == "x")
      #expect(cluster.nodes.map { $0.link.requestCount.load(ordering: .relaxed) } == before)
    }
  }

  /// Rows of a group that replicas show differently are read 64 at a time.
  @Test func aGroupIsFoundBehindManyRowsThatOneReplicaDoesNotKnowToBeDeleted() throws {
    let runtime = SimulatedRuntime(seed: 1)
    let cluster = try RegisterCluster(runtime)
    let partitionKey: [UInt8] = [1, 2, 3, 4]
    @Sendable func rows(_ numbers: Range<Int>, _ value: String?, _ milliseconds: Int64) -> [(
      RowKey, Register
    )] {
      numbers.map { number in
        (
          RowKey(partitionKey: partitionKey, sortKey: Array("a/\(number)".utf8)),
          Register(timestamp: Timestamp(milliseconds: milliseconds), writer: 1, value: value)
        )
      }
    }
    try runtime.run {
      for (index, node) in cluster.nodes.enumerated() {
        let deleted = index == 0 ? rows(100..<300, "old", 1) : rows(100..<300, nil, 2)
        _ = try await node.local.merge(deleted + rows(300..<301, "new", 3), origin: .feed)
      }
      cluster.nodes[2].link.isCut.store(true, ordering: .relaxed)
      let page = try await cluster.nodes[0].table.range(
        RangeQuery(
          partitionKey: partitionKey,
          grouping: DelimiterGrouping(start: 0, delimiter: Array("/".utf8))))
      #expect(page.items.count == 1)
      guard case .group(Array("a/".utf8)) = page.items.first else {
        Issue.record("\(page.items)")
        return
      }
    }
  }

  @Test func hostileRequestsAreErrors() throws {
    let runtime = SimulatedRuntime(seed: 9)
    let cluster = try RegisterCluster(runtime)
    try runtime.run {
      let replica = cluster.nodes[0].replica
      let partition = UInt16(Partition.of(partitionKey))
      let short = RowKey(partitionKey: [1], sortKey: [])
      let good = RowKey(partitionKey: partitionKey, sortKey: [1])
      let long = RowKey(partitionKey: partitionKey, sortKey: [UInt8](repeating: 1, count: 9000))
      let bytes = cluster.nodes[0].schema.encode(row(1, "x"))
      let bodies: [ReplicaRequest.Body] = [
        .read([short]), .read([RowKey](repeating: good, count: 5000)),
        .merge([EncodedRow(key: good, bytes: [])], .client),
        .merge([EncodedRow(key: good, bytes: [0xFF, 1, 2])], .repair),
        .merge([EncodedRow(key: long, bytes: bytes)], .repair),
        .operate(name: "none", partitionKey: partitionKey, input: []),
        .operate(name: "set", partitionKey: partitionKey, input: [0xFF]),
        .operate(name: "set", partitionKey: [], input: []),
      ]
      for body in bodies {
        await #expect(throws: (any Error).self) {
          _ = try await replica.perform(
            ReplicaRequest(
              table: "register", partition: partition,
              layout: LayoutStamp(newestKnown: 1, readFrom: 1), body: body),
            deadline: .distantFuture)
        }
      }
      await #expect(throws: TableError.unknown(name: "none")) {
        _ = try await replica.perform(
          ReplicaRequest(
            table: "none", partition: partition, layout: LayoutStamp(newestKnown: 1, readFrom: 1),
            body: .read([good])), deadline: .distantFuture)
      }
      let held = try cluster.nodes[0].local.entry(good)
      #expect(held == nil)
    }
  }
}

/// Answers every write the same.
private struct FixedReplica: TableReplica {
  var node: NodeID
  var answer: ReplicaAnswer

  nonisolated(nonsending) func perform(
    _ request: ReplicaRequest, deadline: MonotonicInstant
  ) async throws -> ReplicaResponse { ReplicaResponse(.answer(answer)) }
}

private struct OneGroup: Placement {
  var group: ReplicaGroup
  var sole: LayoutStamp? { nil }
  func group(for partition: UInt16) -> ReplicaGroup { group }
  func layoutRefused(by node: NodeID, newer: [UInt8]) {}
}
