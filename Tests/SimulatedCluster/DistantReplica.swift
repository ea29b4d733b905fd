// A replica behind a network that delays, loses and may be cut, with nothing of Mesh in between.

package import Base
import SimulatedWorld
package import Synchronization
package import Tables

/// A replica that is not reached.
package struct NotReached: Error {}

/// A replica behind a network that delays, and while it is cut swallows requests and answers.
package final class DistantReplica: TableReplica {
  package let local: LocalTableReplica
  package let isCut = Atomic(false)
  /// When set, answers come back as this instead.
  package let falsify = Mutex<(@Sendable (ReplicaResponse) -> ReplicaResponse)?>(nil)
  /// Called with each request once the replica has answered it, before the answer travels.
  package let didAnswer = Mutex<(@Sendable (ReplicaRequest) async throws -> Void)?>(nil)
  package let requestCount = Atomic(0)
  private let world: SimulatedRuntime
  private let delay: ClosedRange<Duration>
  private let lossPercent: Int

  init(
    _ local: LocalTableReplica, _ world: SimulatedRuntime, delay: ClosedRange<Duration>,
    lossPercent: Int
  ) {
    self.local = local
    self.world = world
    self.delay = delay
    self.lossPercent = lossPercent
  }

  package var node: NodeID { local.node }

  package nonisolated(nonsending) func perform(
    _ request: ReplicaRequest, deadline: MonotonicInstant
  ) async throws -> ReplicaResponse {
    requestCount.wrappingAdd(1, ordering: .relaxed)
    try await travel(deadline)
    let response = try await local.perform(request, deadline: deadline)
    if let hook = didAnswer.withLock({ $0 }) { try await hook(request) }
    try await travel(deadline)
    return falsify.withLock { $0?(response) } ?? response
  }

  private nonisolated(nonsending) func travel(_ deadline: MonotonicInstant) async throws {
    if isCut.load(ordering: .relaxed) {
      // Half of the time the connection breaks at once, otherwise nobody answers.
      if world.worldRandom.below(2) == 0 { throw NotReached() }
      try await world.sleep(until: deadline)
      throw NotReached()
    }
    try await world.sleep(for: world.worldRandom.duration(in: delay))
    // Now and then a packet is lost and sent again: only then does a write stay half done long enough for
    // others to look at it.
    guard delay.upperBound > .zero, world.worldRandom.below(100) < lossPercent else { return }
    try await world.sleep(
      for: world.worldRandom.duration(in: .milliseconds(200) ... .milliseconds(2000)))
  }
}

/// Every node holds everything; reads ask them in random order.
package struct FixedPlacement: Placement {
  private let replicas: [DistantReplica]
  private let writeQuorum: Int
  private let readQuorum: Int
  private let random: SeededRandom

  init(_ replicas: [DistantReplica], writeQuorum: Int, readQuorum: Int, _ random: SeededRandom) {
    self.replicas = replicas
    self.writeQuorum = writeQuorum
    self.readQuorum = readQuorum
    self.random = random
  }

  package var sole: LayoutStamp? { nil }

  package func group(for partition: UInt16) -> ReplicaGroup {
    var order = replicas.map(\.node)
    for index in order.indices.reversed() { order.swapAt(index, random.below(index + 1)) }
    return ReplicaGroup(
      replicas: replicas,
      writeSets: [.init(version: 1, nodes: replicas.map(\.node), quorum: writeQuorum)],
      readNodes: order, readQuorum: readQuorum, layout: LayoutStamp(1))
  }

  package func layoutRefused(by node: NodeID, newer: [UInt8]) {}
}
