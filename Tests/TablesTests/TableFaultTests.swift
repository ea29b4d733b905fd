import Base
import SimulatedCluster
import SimulatedWorld
import Synchronization
import Tables
import Testing

/// Three replicas of which one at a time fails, clocks that disagree, and clients on every node.
@Suite struct TableFaultTests {
  /// What is known about one key from outside.
  private struct Known {
    /// The newest write that some client has seen acknowledged or read.
    var newest = Timestamp.zero
    /// The timestamps of all deletes that were ever sent.
    var deletes: Set<Timestamp> = []
  }

  private final class History: Sendable {
    let keys = Mutex<[[UInt8]: Known]>([:])
    let acknowledged = Atomic(0)
    let failed = Atomic(0)
    let reads = Atomic(0)
    let problems = Mutex<[String]>([])

    func newest(_ key: [UInt8]) -> Timestamp { keys.withLock { $0[key]?.newest ?? .zero } }
    func saw(_ key: [UInt8], _ timestamp: Timestamp) {
      keys.withLock { $0[key, default: Known()].newest = max($0[key]?.newest ?? .zero, timestamp) }
    }
    func sends(_ key: [UInt8], _ row: Register) {
      guard row.value == nil else { return }
      _ = keys.withLock { $0[key, default: Known()].deletes.insert(row.timestamp) }
    }
    /// Whether a key that a range did not show may be deleted, for one who knew `timestamp` before.
    func mayBeDeleted(_ key: [UInt8], since timestamp: Timestamp) -> Bool {
      keys.withLock { keys in
        timestamp == .zero
          || (keys[key]?.deletes.contains { $0 >= timestamp } ?? false)
      }
    }
    func problem(_ text: String) { problems.withLock { $0.append(text) } }
  }

  private static let partitionKey: [UInt8] = [1, 2, 3, 4]
  private static let sortKeys: [[UInt8]] = (0..<5).map { [0x61 + $0] }

  @Test(arguments: (0..<20).map { UInt64($0) &* 7919 &+ 3 })
  func readsSeeEveryAcknowledgedWriteOrSomethingNewer(seed: UInt64) throws {
    let runtime = SimulatedRuntime(seed: seed)
    let cluster = try RegisterCluster(runtime, skews: [0, -40_000, 300_000])
    let history = History()
    try runtime.run {
      let stop = Atomic<Bool>.box()
      let chaos = runtime.spawn { await Self.breakOneAtATime(cluster, runtime, stop) }
      await withTaskGroup(of: Void.self) { group in
        for client in 0..<6 {
          group.addTask { await Self.client(client, cluster, runtime, history) }
        }
      }
      stop.value.store(true, ordering: .relaxed)
      await chaos.value
      for node in cluster.nodes { node.link.isCut.store(false, ordering: .relaxed) }
      try await runtime.sleep(for: .seconds(60))
      for node in cluster.nodes {
        #expect(node.coordinator.outstandingCalls == 0, "late calls remain (seed \(seed))")
        #expect(try node.replica.feedFaults().isEmpty, "seed \(seed)")
      }
    }
    let problems = history.problems.withLock { $0 }
    #expect(problems == [], "seed \(seed)")
    #expect(history.acknowledged.load(ordering: .relaxed) > 50, "seed \(seed)")
    #expect(history.reads.load(ordering: .relaxed) > 50, "seed \(seed)")
  }

  private static func breakOneAtATime(
    _ cluster: RegisterCluster, _ runtime: SimulatedRuntime, _ stop: Box<Atomic<Bool>>
  ) async {
    while !stop.value.load(ordering: .relaxed) {
      let victim = cluster.nodes[runtime.worldRandom.below(cluster.nodes.count)].link
      victim.isCut.store(true, ordering: .relaxed)
      try? await runtime.sleep(
        for: runtime.worldRandom.duration(in: .milliseconds(20) ... .milliseconds(3000)))
      victim.isCut.store(false, ordering: .relaxed)
      try? await runtime.sleep(
        for: runtime.worldRandom.duration(in: .zero ... .milliseconds(100)))
    }
  }

  private static func client(
    _ number: Int, _ cluster: RegisterCluster, _ runtime: SimulatedRuntime, _ history: History
  ) async {
    for step in 0..<40 {
      let table = cluster.nodes[runtime.worldRandom.below(cluster.nodes.count)].table
      let sortKey = sortKeys[runtime.worldRandom.below(sortKeys.count)]
      let name = UInt64(number) << 32 | UInt64(step)
      do {
        switch runtime.worldRandom.below(10) {
        case 0..<4: try await write(name, sortKey, table, runtime, history)
        case 4..<8: try await read(sortKey, table, history)
        default: try await list(table, history)
        }
      } catch {
        history.failed.wrappingAdd(1, ordering: .relaxed)
      }
      try? await runtime.sleep(
        for: runtime.worldRandom.duration(in: .zero ... .milliseconds(100)))
    }
  }

  /// A write that began after another was acknowledged has a greater timestamp: it wins.
  private static func write(
    _ name: UInt64, _ sortKey: [UInt8], _ table: Table<RegisterSchema>,
    _ runtime: SimulatedRuntime, _ history: History
  ) async throws {
    let before = history.newest(sortKey)
    let isDelete = runtime.worldRandom.below(4) == 0
    let byOperation = runtime.worldRandom.below(2) == 0
    let final = Mutex(Timestamp.zero)
    let outcome = try await table.retryingStale { attempt in
      let row = Register(
        timestamp: attempt.timestamp, writer: name, value: isDelete ? nil : "\(name)")
      history.sends(sortKey, row)
      final.withLock { $0 = attempt.timestamp }
      if byOperation {
        return try await table.operate(
          SetRegister(schema: table.schema), partitionKey: partitionKey,
          input: .init(sortKey: sortKey, row: row))
      }
      return try await table.merge(RowKey(partitionKey: partitionKey, sortKey: sortKey), row)
    }
    guard outcome.isAccepted else { return history.problem("refused: \(outcome)") }
    let timestamp = final.withLock { $0 }
    if timestamp <= before {
      history.problem("write \(timestamp.rawValue) acknowledged after \(before.rawValue) was")
    }
    history.saw(sortKey, timestamp)
    history.acknowledged.wrappingAdd(1, ordering: .relaxed)
  }

  /// A read sees what was acknowledged or read before it began, or something newer.
  private static func read(
    _ sortKey: [UInt8], _ table: Table<RegisterSchema>, _ history: History
  ) async throws {
    let before = history.newest(sortKey)
    let row = try await table.entry(RowKey(partitionKey: partitionKey, sortKey: sortKey))
    let seen = row?.timestamp ?? .zero
    if seen < before { history.problem("read \(seen.rawValue) after \(before.rawValue)") }
    history.saw(sortKey, seen)
    history.reads.wrappingAdd(1, ordering: .relaxed)
  }

  /// So does a range, and what it does not show is deleted.
  private static func list(
    _ table: Table<RegisterSchema>, _ history: History
  ) async throws {
    let before = sortKeys.map { history.newest($0) }
    var found: [[UInt8]: Timestamp] = [:]
    var from: [UInt8]? = []
    while let position = from {
      let page = try await table.range(
        RangeQuery(partitionKey: partitionKey, from: position, limit: 2))
      for case .row(let sortKey, let row) in page.items { found[sortKey] = row.timestamp }
      from = page.next
    }
    for (sortKey, before) in zip(sortKeys, before) {
      if let seen = found[sortKey] {
        if seen < before { history.problem("range read \(seen.rawValue) after \(before.rawValue)") }
        history.saw(sortKey, seen)
      } else if !history.mayBeDeleted(sortKey, since: before) {
        history.problem("range missed \(sortKey), which had \(before.rawValue)")
      }
    }
    history.reads.wrappingAdd(1, ordering: .relaxed)
  }
}

/// A place for something that cannot be copied.
final class Box<Value: ~Copyable & Sendable>: Sendable {
  let value: Value
  init(_ value: consuming sending Value) { self.value = value }
}

extension Atomic where Value == Bool {
  static func box() -> Box<Atomic<Bool>> { Box(Atomic(false)) }
}
