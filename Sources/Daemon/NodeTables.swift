// The tables of a node: its own rows, where the others are, and how they come together.

package import Base
import Cluster
import LocalDB
import Mesh
package import Tables

/// The replicated tables, between the cluster below and the model above.
package struct NodeTables: Sendable {
  package let replica: LocalTableReplica
  let placement: LayoutPlacement
  let coordinator: TableCoordinator
  package let sync: TableSync
  private let cluster: ClusterService
  private let runtime: any Runtime

  /// Opens them; blocks the thread, for start-up.
  init(
    _ cluster: ClusterService, database: LocalDatabase, runtime: any Runtime, logger: Logger
  ) throws {
    self.cluster = cluster
    self.runtime = runtime
    let clock = HybridClock(runtime: runtime)
    replica = try LocalTableReplica(
      node: cluster.own, database: database, clock: clock, random: runtime.random,
      fence: LayoutFence { cluster.layoutNumber },
      willChange: { try cluster.willChangeRow(in: $0) })
    placement = LayoutPlacement(replica, runtime: runtime)
    coordinator = TableCoordinator(
      placement: placement, clock: clock, runtime: runtime, local: replica)
    sync = try TableSync(
      replica, hasher: { cluster.identity.map { RowHasher(secret: $0.secret) } },
      runtime: runtime, logger: logger.labelled("tables"))
    cluster.observe(self)
    place()
  }

  /// Registers what other nodes may ask.
  func registerEndpoints(_ registry: inout EndpointRegistry.Builder) {
    MeshReplicas.register(&registry, replica, sync.source, runtime: runtime)
  }

  /// Reaches the others by `mesh` from now on; must be called on a loop.
  func start(_ mesh: NodeMesh) {
    let replicas = MeshReplicas(mesh, runtime: runtime) { [cluster] node, _ in
      cluster.compareStates(with: node)
    }
    placement.connect(replicas)
    sync.start(replicas)
    sync.update(layout: cluster.layout)
  }

  private func place() {
    let layout = cluster.layout
    placement.update(layout: layout, mayBeFirst: layout == nil && cluster.isHolder)
  }
}

extension NodeTables: ClusterObserver {
  package func clusterChanged() {
    place()
    // Elsewhere: this may be the writer's thread.
    runtime.spawn { [sync, cluster] in sync.update(layout: cluster.layout) }
  }

  package func connected(_ node: NodeID) { sync.connected(node) }

  package func lost(_ node: NodeID) { sync.lost(node) }

  package var news: [UInt8] {
    withUnsafeBytes(of: replica.feed.last.bigEndian) { Array($0) }
  }

  package func heard(_ news: [UInt8], from node: NodeID) {
    guard news.count >= 8 else { return }
    sync.heard(news.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }, from: node)
  }
}
