// Where rows live by the cluster's layout.
//
// A node that holds everything alone, and one that has no layout yet and may make the first, go straight to their rows.
// Everybody else asks the holders: this node first if it is one, then those that are near.

package import Base
package import Layout
import Synchronization

/// What the placement has to know of the other nodes.
package protocol ReplicaNetwork: Sendable {
  /// The replica on another node.
  func replica(on node: NodeID) -> any TableReplica
  /// How long a question to `node` and its answer travel; `nil` when there is no connection.
  func roundTrip(to node: NodeID) -> Duration?
  /// `node` knows a newer layout.
  func layoutIsBehind(that of: NodeID, record: [UInt8])
}

/// The placement of a member.
package final class LayoutPlacement: Placement {
  private struct State {
    var layout: LayoutVersion?
    /// Whether a node without a layout may store rows, with which it makes one.
    var mayBeFirst = true
    var replicas: [NodeID: any TableReplica] = [:]
    var network: (any ReplicaNetwork)?
    /// The holders of all partitions, nearest first, and until when that is believed.
    var order: [NodeID] = []
    var orderedUntil: MonotonicInstant?
  }

  /// How long an order of nodes is kept: lines change in minutes, and a connection that is lost fails at once.
  private static let orderKept: Duration = .milliseconds(500)

  private let local: LocalTableReplica
  private let runtime: any Runtime
  private let state = Mutex(State())
  /// What `sole` says, as a number, as every request asks.
  ///
  /// 0 for nobody, else the version and one.
  private let soleVersion = Atomic<UInt64>(1)

  package init(_ local: LocalTableReplica, runtime: any Runtime) {
    self.local = local
    self.runtime = runtime
  }

  /// Takes what is known now.
  ///
  /// - Parameters:
  ///   - layout: The newest version; `nil` before the first.
  ///   - mayBeFirst: Whether this node may store rows when there is none.
  package func update(layout: LayoutVersion?, mayBeFirst: Bool) {
    state.withLock { state in
      state.layout = layout
      state.mayBeFirst = mayBeFirst
      state.orderedUntil = nil
      let isSole = layout.map { $0.storageNodes == [local.node] } ?? mayBeFirst
      soleVersion.store(isSole ? (layout?.number ?? 0) + 1 : 0, ordering: .releasing)
    }
  }

  /// Reaches other nodes by `network` from now on.
  package func connect(_ network: any ReplicaNetwork) {
    state.withLock { $0.network = network }
  }

  /// The newest layout version.
  package var layout: LayoutVersion? { state.withLock(\.layout) }

  package var sole: LayoutStamp? {
    let version = soleVersion.load(ordering: .acquiring)
    return version == 0 ? nil : LayoutStamp(version - 1)
  }

  package func group(for partition: UInt16) -> ReplicaGroup {
    state.withLock { state in
      guard let layout = state.layout else {
        return ReplicaGroup(
          replicas: [], writeSets: [], readNodes: [], readQuorum: 1, layout: LayoutStamp(0))
      }
      let holders = layout.holders(of: Int(partition))
      orderIfDue(layout, &state)
      let isHolder = Set(holders)
      return ReplicaGroup(
        replicas: holders.map { replica(on: $0, &state) },
        writeSets: [
          .init(
            version: layout.number, nodes: holders, quorum: Quorum.write(of: holders.count))
        ],
        readNodes: state.order.filter(isHolder.contains),
        readQuorum: Quorum.read(of: holders.count), layout: LayoutStamp(layout.number))
    }
  }

  private func replica(on node: NodeID, _ state: inout State) -> any TableReplica {
    if node == local.node { return local }
    if let known = state.replicas[node] { return known }
    let replica = state.network?.replica(on: node) ?? UnreachedReplica(node: node)
    if state.network != nil { state.replicas[node] = replica }
    return replica
  }

  /// This node, then those with a connection by their round trip, then the others.
  private func orderIfDue(_ layout: LayoutVersion, _ state: inout State) {
    let now = runtime.now
    if let until = state.orderedUntil, now < until { return }
    let network = state.network
    let distances = layout.storageNodes.map { node in
      (node, node == local.node ? Duration.zero : network?.roundTrip(to: node) ?? .seconds(3600))
    }
    state.order = distances.sorted { ($0.1, $0.0) < ($1.1, $1.0) }.map(\.0)
    state.orderedUntil = now + Self.orderKept
  }

  package func roundTrip(to node: NodeID) -> Duration? {
    node == local.node ? .zero : state.withLock(\.network)?.roundTrip(to: node)
  }

  package func layoutRefused(by node: NodeID, newer: [UInt8]) {
    state.withLock(\.network)?.layoutIsBehind(that: node, record: newer)
  }
}

/// A node before there is a network.
private struct UnreachedReplica: TableReplica {
  let node: NodeID

  nonisolated(nonsending) func perform(
    _ request: ReplicaRequest, deadline: MonotonicInstant
  ) async throws -> ReplicaResponse {
    throw NotSent("this node is starting")
  }
}
