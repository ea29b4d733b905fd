// Three nodes with their databases, clocks and links, in one simulated world.

import Base
import LocalDB
import Model
import SimulatedWorld
import Synchronization
import Tables
import TestStorage

/// A runtime whose wall clock is off by a fixed amount.
final class SkewedRuntime: Runtime {
  private let world: SimulatedRuntime
  private let skewMilliseconds: Int64

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

/// A replica behind a network that delays, and may be cut.
final class DistantReplica: TableReplica {
  let local: LocalTableReplica
  let isCut = Atomic(false)
  private let runtime: SimulatedRuntime

  init(_ local: LocalTableReplica, _ runtime: SimulatedRuntime) {
    self.local = local
    self.runtime = runtime
  }

  var node: NodeID { local.node }

  nonisolated(nonsending) func perform(
    _ request: ReplicaRequest, deadline: MonotonicInstant
  ) async throws -> ReplicaResponse {
    try await travel(deadline)
    let response = try await local.perform(request, deadline: deadline)
    try await travel(deadline)
    return response
  }

  private nonisolated(nonsending) func travel(_ deadline: MonotonicInstant) async throws {
    if isCut.load(ordering: .relaxed) {
      if runtime.worldRandom.below(2) == 0 { throw NotReached() }
      try await runtime.sleep(until: deadline)
      throw NotReached()
    }
    try await runtime.sleep(
      for: runtime.worldRandom.duration(in: .milliseconds(1) ... .milliseconds(40)))
  }
}

/// Every node holds all rows: two of three write and read.
struct ThreeNodePlacement: Placement {
  let links: [DistantReplica]
  let random: SeededRandom

  var isSole: Bool { false }
  func group(for partition: UInt8) -> ReplicaGroup { everyone }
  func layoutRefused(newer: [UInt8]) {}

  var everyone: ReplicaGroup {
    var order = links.map(\.node)
    for index in order.indices.reversed() { order.swapAt(index, random.below(index + 1)) }
    return ReplicaGroup(
      replicas: links,
      writeSets: [.init(version: 1, nodes: links.map(\.node), quorum: 2)],
      readNodes: order, readQuorum: 2, layout: LayoutStamp(newestKnown: 1, readFrom: 1))
  }
}

/// Three stores over one set of replicas.
///
/// Blocks stay on the node that was written to.
final class SimulatedCluster: Sendable {
  let runtime: SimulatedRuntime
  let nodes: [Node]
  let links: [DistantReplica]
  private let folder = TemporaryFolder()

  init(seed: UInt64, skews: [Int64] = [0, 0, 0]) throws {
    let runtime = SimulatedRuntime(seed: seed)
    self.runtime = runtime
    var made: [(LocalTableReplica, SkewedRuntime, String)] = []
    for (index, skew) in skews.enumerated() {
      let skewed = SkewedRuntime(runtime, skewMilliseconds: skew)
      let replica = try LocalTableReplica(
        node: NodeID(random: runtime.worldRandom),
        database: try folder.open(
          "meta\(index)", .inline, fsync: false, random: runtime.worldRandom),
        clock: HybridClock(runtime: skewed), random: runtime.worldRandom)
      made.append((replica, skewed, folder.path + "/data\(index)"))
    }
    let links = made.map { DistantReplica($0.0, runtime) }
    self.links = links
    let placement = ThreeNodePlacement(links: links, random: runtime.worldRandom)
    var options = Store.Options()
    options.inlineThresholdBytes = 64
    nodes = try made.map { replica, skewed, data in
      try Node(
        options, replica: replica, placement: placement, runtime: skewed, data: data,
        blockBytes: 4096)
    }
  }

  /// Cuts every node off, also from itself.
  func cutAll() {
    for link in links { link.isCut.store(true, ordering: .relaxed) }
  }

  /// Cuts `node` off, and connects the others.
  func cut(_ node: Int?) {
    for (index, link) in links.enumerated() { link.isCut.store(index == node, ordering: .relaxed) }
  }
}
