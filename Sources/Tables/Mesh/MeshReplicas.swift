// Replicas on other nodes, over the mesh.

package import Base
package import Mesh

/// The names under which replicas ask each other.
private enum TableEndpoints {
  /// A request of a coordinator.
  static let request = MeshEndpoint<ReplicaRequest, ReplicaResponse>(
    "tables/request", bytesMax: TableMessageLimits.bytesMax)
  /// Reading change feeds: beside the blocks, so that no client waits for it.
  static let heads = MeshEndpoint<HeadsRequest, HeadsAnswer>(
    "tables/heads", lane: .bulk, bytesMax: TableMessageLimits.bytesMax)
  static let feed = MeshEndpoint<FeedRequest, FeedAnswer>(
    "tables/feed", lane: .bulk, bytesMax: TableMessageLimits.bytesMax)
  static let fingerprints = MeshEndpoint<FingerprintRequest, FingerprintAnswer>(
    "tables/fingerprints", lane: .bulk, bytesMax: TableMessageLimits.bytesMax)
  static let rows = MeshEndpoint<RowsRequest, RowsAnswer>(
    "tables/rows", lane: .bulk, bytesMax: TableMessageLimits.bytesMax)
}

/// The other nodes' replicas.
package final class MeshReplicas: ReplicaNetwork, FeedNetwork {
  /// How long a feed's answer may take: it is cut to what a slow line carries in some seconds.
  private static let feedMax: Duration = .seconds(60)

  private let mesh: NodeMesh
  private let runtime: any Runtime
  private let isBehind: @Sendable (NodeID, [UInt8]) -> Void

  /// - Parameter isBehind: Told that a node knows a newer layout, and the record of it if it came along.
  package init(
    _ mesh: NodeMesh, runtime: any Runtime,
    isBehind: @escaping @Sendable (NodeID, [UInt8]) -> Void
  ) {
    self.mesh = mesh
    self.runtime = runtime
    self.isBehind = isBehind
  }

  /// Registers what other nodes may ask.
  ///
  /// - Parameter mayRun: Limits what peers' requests may hold up at a time.
  package static func register(
    _ registry: inout EndpointRegistry.Builder, _ replica: LocalTableReplica, _ source: FeedSource,
    runtime: any Runtime
  ) {
    registry.answer(TableEndpoints.request) { _, request in
      try await replica.perform(request, deadline: runtime.now + .seconds(10))
    }
    registry.answer(TableEndpoints.heads) { node, request in source.heads(request, from: node) }
    registry.answer(TableEndpoints.feed) { node, request in
      try source.feed(request, from: node)
    }
    registry.answer(TableEndpoints.fingerprints) { _, request in
      try await runtime.blocking { try source.fingerprints(request) }
    }
    registry.answer(TableEndpoints.rows) { _, request in try source.rows(request) }
  }

  package func replica(on node: NodeID) -> any TableReplica {
    MeshReplica(node: node, mesh: mesh)
  }

  package func roundTrip(to node: NodeID) -> Duration? { mesh.roundTrip(to: node) }

  package func layoutIsBehind(that node: NodeID, record: [UInt8]) { isBehind(node, record) }

  package nonisolated(nonsending) func heads(
    _ request: HeadsRequest, of node: NodeID
  ) async throws -> HeadsAnswer {
    try await mesh.call(
      TableEndpoints.heads, node, request, deadline: runtime.now + Self.feedMax)
  }

  package nonisolated(nonsending) func feed(
    _ request: FeedRequest, of node: NodeID
  ) async throws -> FeedAnswer {
    try await mesh.call(TableEndpoints.feed, node, request, deadline: runtime.now + Self.feedMax)
  }

  package nonisolated(nonsending) func fingerprints(
    _ request: FingerprintRequest, of node: NodeID
  ) async throws -> FingerprintAnswer {
    try await mesh.call(
      TableEndpoints.fingerprints, node, request, deadline: runtime.now + Self.feedMax)
  }

  package nonisolated(nonsending) func rows(
    _ request: RowsRequest, of node: NodeID
  ) async throws -> RowsAnswer {
    try await mesh.call(TableEndpoints.rows, node, request, deadline: runtime.now + Self.feedMax)
  }
}

/// One of them.
private struct MeshReplica: TableReplica {
  let node: NodeID
  let mesh: NodeMesh

  nonisolated(nonsending) func perform(
    _ request: ReplicaRequest, deadline: MonotonicInstant
  ) async throws -> ReplicaResponse {
    do {
      return try await mesh.call(TableEndpoints.request, node, request, deadline: deadline)
    } catch MeshError.notConnected {
      throw NotSent("there is no connection to node \(node.hex.prefix(16))")
    }
  }
}
