// What the admin interface asks of the cluster's layout. The daemon answers; tests answer for it.

package import Base
package import Layout

/// The layout of the cluster that a node is in.
package protocol AdminLayout: Sendable {
  /// What is decided, and what is staged on this node.
  func layoutOverview() throws -> LayoutOverview

  /// Stages changes on this node, all of them or none.
  ///
  /// - Throws: `AdminError`.
  func stage(_ wish: LayoutWish) async throws

  /// Drops what is staged on this node.
  func revertLayout() async throws

  /// The version that what is staged would make.
  ///
  /// - Throws: `AdminError` with the reason why it makes none.
  func previewLayout() throws -> LayoutVersion

  /// Makes what is staged the next version.
  ///
  /// - Parameter number: What its number has to be; `nil` for any.
  /// - Throws: `AdminError`.
  func applyLayout(number: UInt64?) async throws -> LayoutVersion
}

/// The layout as one node knows it.
package struct LayoutOverview: Sendable {
  /// A member, and what it tells of itself.
  package struct Member: Equatable, Sendable {
    package var node: NodeID
    package var hostname: String
    package var zone: String?
    package var capacityBytes: UInt64?

    package init(node: NodeID, hostname: String, zone: String?, capacityBytes: UInt64?) {
      self.node = node
      self.hostname = hostname
      self.zone = zone
      self.capacityBytes = capacityBytes
    }
  }

  /// The versions that were decided, the oldest first.
  package var versions: [LayoutVersion]
  /// Of the newest version, or what the first one gets unless something else is staged.
  package var parameters: LayoutParameters
  package var staged: StagedLayout
  /// In the order of their IDs.
  package var members: [Member]

  package init(
    versions: [LayoutVersion], parameters: LayoutParameters, staged: StagedLayout,
    members: [Member]
  ) {
    self.versions = versions
    self.parameters = parameters
    self.staged = staged
    self.members = members
  }

  /// The newest version; `nil` before there is one.
  package var current: LayoutVersion? { versions.last }
}

/// Changes that somebody asks for.
package struct LayoutWish: Equatable, Sendable {
  /// A role for a node, or its end.
  package struct Role: Equatable, Sendable {
    /// What a node gives.
    package enum Capacity: Equatable, Sendable {
      /// As before, or what it offers.
      case unchanged
      case gateway
      case bytes(UInt64)
    }

    /// Its ID, or how that begins, or its host name.
    package var node: String
    package var isRemoval = false
    /// `nil` stays as it is, or becomes what the node announces.
    package var zone: String?
    package var capacity = Capacity.unchanged
    /// `nil` stays as it is, or becomes what the node announces.
    package var tags: [String]?

    package init(node: String) { self.node = node }
  }

  package var roles: [Role] = []
  /// `nil` stays as it is, as for the others.
  package var replicationFactor: Int?
  package var zoneRedundancy: ZoneRedundancy?
  package var consistency: ConsistencyMode?

  package init() {}

  /// Whether a parameter of the whole cluster is to change.
  package var changesParameters: Bool {
    replicationFactor != nil || zoneRedundancy != nil || consistency != nil
  }
}
