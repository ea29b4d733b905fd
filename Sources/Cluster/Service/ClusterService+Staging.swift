// Changes of the layout that are collected on this node until they are applied.
//
// They are this node's own: others do not see them (docs/decisions/0023-stage-layout-changes-where-they-are-typed.md).

import Base
package import Layout
import LocalDB
import Mesh
import Synchronization

extension ClusterService {
  /// What is staged on this node.
  ///
  /// - Throws: `LocalDBError`, `BinaryError`.
  package func stagedLayout() throws -> StagedLayout {
    try store.draft() ?? StagedLayout(base: layout?.number ?? 0)
  }

  /// Changes what is staged on this node.
  ///
  /// - Throws: `ClusterRefusal` on a node that is no member, or when a change is not allowed; what `body` throws.
  package nonisolated(nonsending) func stageLayout(
    _ body: @escaping @Sendable (inout StagedLayout) throws -> Void
  ) async throws {
    try requireMember()
    let base = layout?.number ?? 0
    try await store.database.write { [self] transaction in
      var staged = try store.draft(in: transaction) ?? StagedLayout(base: base)
      try body(&staged)
      let founder = state.withLock { $0.cluster?.founder } ?? own
      guard options.allowsOtherHolders || staged.assigned.allSatisfy({ $0.node == founder }) else {
        throw ExperimentalCluster.refusal
      }
      try store.put(draft: staged, in: transaction)
    }
  }

  /// Drops what is staged on this node.
  package nonisolated(nonsending) func revertLayout() async throws {
    try await store.database.write { [store] in try store.put(draft: nil, in: $0) }
  }

  /// The version that `applyLayout` would ask for.
  ///
  /// - Throws: `LayoutRefusal`, `ClusterRefusal` with what an operator can do.
  package func preview() throws -> LayoutVersion {
    try requireMember()
    let staged = try stagedLayout()
    guard !staged.isEmpty else { throw LayoutRefusal.nothingChanged }
    guard layout == nil else { throw Self.isInUse }
    let cluster = state.withLock(\.cluster)
    let version = try draft(staged).apply(under: cluster?.membership.standing ?? [])
    try checkRoles(of: version)
    if let cluster,
      let stranger = version.roles.first(where: { !cluster.membership.contains($0.node) })
    {
      throw ClusterRefusal(
        "\(stranger.node.short) is no member any more: take it out (`grange layout remove`)")
    }
    return version
  }

  /// The roles and parameters with what is staged.
  package func draft(_ staged: StagedLayout) -> LayoutDraft {
    // A fresh node has no cluster yet, and may want to know what its first version would be.
    let cluster = identity?.cluster ?? Self.noCluster
    return staged.draft(changing: layout, of: cluster, parameters: options.layoutParameters)
  }

  private static let noCluster =
    ClusterID([UInt8](repeating: 0, count: ClusterID.byteCount))
    ?? ClusterID(random: SystemRandom.shared)

  /// The versions that were decided, the oldest first.
  package var layoutVersions: [LayoutVersion] {
    state.withLock { $0.cluster?.layouts.versions ?? [] }
  }

  /// What this node would announce: for one that has no cluster yet.
  package var ownOffer: (hostName: String, zone: String, capacityBytes: UInt64?) {
    let (cluster, capacity) = state.withLock { ($0.cluster, $0.capacityBytes) }
    return (options.hostName, zone(in: cluster), capacity)
  }

  /// The parameters of the layout, or those that a first one has.
  package var layoutParameters: LayoutParameters {
    layout?.parameters ?? options.layoutParameters
  }

  /// Whether this node is or may become a member; throws `ClusterRefusal` if not.
  private func requireMember() throws(ClusterRefusal) {
    if case .fresh = standing { return }
    _ = try memberState()
  }
}
