import Base
import LocalDB
import SimulatedWorld
import Synchronization
import Tables
import TestStorage

/// A runtime whose wall clock is off by a fixed amount: one node's view of the simulated world.
final class SkewedRuntime: Runtime {
  let world: SimulatedRuntime
  let skewMilliseconds: Int64

  init(_ world: SimulatedRuntime, skewMilliseconds: Int64) {
    self.world = world
    self.skewMilliseconds = skewMilliseconds
  }

  var now: MonotonicInstant { world.now }
  var wallNow: WallTime { WallTime(milliseconds: world.wallNow.milliseconds + skewMilliseconds) }
  var random: any RandomSource { world.random }
  nonisolated(nonsending) func sleep(until deadline: MonotonicInstant) async throws {
    try await world.sleep(until: deadline)
  }
  @discardableResult
  func spawn(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
    world.spawn(body)
  }
  nonisolated(nonsending) func blocking<Value: Sendable>(
    _ lane: BlockingLane, _ body: @escaping @Sendable () throws -> Value
  ) async throws -> Value { try await world.blocking(lane, body) }
}

struct NotReached: Error {}

/// A replica behind a network that delays, and while it is cut swallows requests and answers.
final class DistantReplica: TableReplica {
  let local: LocalTableReplica
  let runtime: SimulatedRuntime
  let delay: ClosedRange<Duration>
  let isCut = Atomic(false)
  /// When set, answers come back as this instead.
  let falsify = Mutex<(@Sendable (ReplicaResponse) -> ReplicaResponse)?>(nil)
  let requestCount = Atomic(0)

  init(_ local: LocalTableReplica, _ runtime: SimulatedRuntime, delay: ClosedRange<Duration>) {
    self.local = local
    self.runtime = runtime
    self.delay = delay
  }

  var node: NodeID { local.node }

  nonisolated(nonsending) func perform(
    _ request: ReplicaRequest, deadline: MonotonicInstant
  ) async throws -> ReplicaResponse {
    requestCount.wrappingAdd(1, ordering: .relaxed)
    try await travel(deadline)
    let response = try await local.perform(request, deadline: deadline)
    try await travel(deadline)
    return falsify.withLock { $0?(response) } ?? response
  }

  private nonisolated(nonsending) func travel(_ deadline: MonotonicInstant) async throws {
    if isCut.load(ordering: .relaxed) {
      // Half of the time the connection breaks at once, otherwise nobody answers.
      if runtime.worldRandom.below(2) == 0 { throw NotReached() }
      try await runtime.sleep(until: deadline)
      throw NotReached()
    }
    try await runtime.sleep(for: runtime.worldRandom.duration(in: delay))
    // Now and then a packet is lost and sent again: only then does a write stay half done long enough for
    // others to look at it.
    guard delay.upperBound > .zero, runtime.worldRandom.below(10) == 0 else { return }
    try await runtime.sleep(
      for: runtime.worldRandom.duration(in: .milliseconds(200) ... .milliseconds(2000)))
  }
}

/// Several nodes with their databases, clocks and links, in one simulated world.
final class SimulatedCluster: Sendable {
  struct Node: Sendable {
    let id: NodeID
    let database: LocalDatabase
    let replica: LocalTableReplica
    let link: DistantReplica
    let schema: RegisterSchema
    let local: LocalTable<RegisterSchema>
    let table: Table<RegisterSchema>
    let coordinator: TableCoordinator
  }

  let runtime: SimulatedRuntime
  let nodes: [Node]
  private let folder = TemporaryFolder()

  /// - Parameter skews: One for each node, in milliseconds.
  init(
    _ runtime: SimulatedRuntime, skews: [Int64] = [0, 0, 0], writeQuorum: Int = 2,
    readQuorum: Int = 2, isFullyReplicated: Bool = false,
    delay: ClosedRange<Duration> = .milliseconds(1) ... .milliseconds(40)
  ) throws {
    self.runtime = runtime
    var made:
      [(
        NodeID, LocalDatabase, LocalTableReplica, RegisterSchema, LocalTable<RegisterSchema>,
        HybridClock, SkewedRuntime
      )] = []
    for (index, skew) in skews.enumerated() {
      let database = try folder.open(
        "node\(index)", .inline, fsync: false, random: runtime.worldRandom)
      let skewed = SkewedRuntime(runtime, skewMilliseconds: skew)
      let clock = HybridClock(runtime: skewed)
      let id = NodeID(random: runtime.worldRandom)
      let replica = try LocalTableReplica(
        node: id, database: database, clock: clock, random: runtime.worldRandom)
      var schema = try RegisterSchema(database)
      schema.isFullyReplicated = isFullyReplicated
      let local = try replica.register(schema)
      local.register(SetRegister(schema: schema))
      local.register(ChangeAndRefuse())
      made.append((id, database, replica, schema, local, clock, skewed))
    }
    let links = made.map { DistantReplica($0.2, runtime, delay: delay) }
    let placement = FixedPlacement(links, writeQuorum: writeQuorum, readQuorum: readQuorum, runtime)
    nodes = made.enumerated().map { index, parts in
      let coordinator = TableCoordinator(placement: placement, clock: parts.5, runtime: parts.6)
      return Node(
        id: parts.0, database: parts.1, replica: parts.2, link: links[index], schema: parts.3,
        local: parts.4, table: Table(local: parts.4, coordinator: coordinator),
        coordinator: coordinator)
    }
  }
}

/// Every node holds everything; reads ask them in random order.
struct FixedPlacement: Placement {
  let replicas: [DistantReplica]
  let writeQuorum: Int
  let readQuorum: Int
  let runtime: SimulatedRuntime

  init(_ replicas: [DistantReplica], writeQuorum: Int, readQuorum: Int, _ runtime: SimulatedRuntime)
  {
    self.replicas = replicas
    self.writeQuorum = writeQuorum
    self.readQuorum = readQuorum
    self.runtime = runtime
  }

  var isSole: Bool { false }
  func group(for partition: UInt8) -> ReplicaGroup { everyone }
  var everyone: ReplicaGroup {
    var order = replicas.map(\.node)
    for index in order.indices.reversed() {
      order.swapAt(index, runtime.worldRandom.below(index + 1))
    }
    return ReplicaGroup(
      replicas: replicas,
      writeSets: [.init(version: 1, nodes: replicas.map(\.node), quorum: writeQuorum)],
      readNodes: order, readQuorum: readQuorum, layout: LayoutStamp(newestKnown: 1, readFrom: 1))
  }
  func layoutRefused(newer: [UInt8]) {}
}
