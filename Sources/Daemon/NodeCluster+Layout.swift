// The layout as the admin interface shows and changes it.

import AdminAPI
import Base
import Cluster
import Layout
import Mesh

extension NodeCluster {
  func layoutOverview() throws -> LayoutOverview {
    LayoutOverview(
      versions: service.layoutVersions, parameters: service.layoutParameters,
      staged: try service.stagedLayout(),
      members: service.members.map(Self.member).sorted { $0.node < $1.node })
  }

  private static func member(_ facts: MemberFacts) -> LayoutOverview.Member {
    LayoutOverview.Member(
      node: facts.node, hostname: facts.announcement?.hostName ?? "",
      zone: facts.announcement?.zone, capacityBytes: facts.announcement?.capacityBytes)
  }

  func stage(_ wish: LayoutWish) async throws {
    try await translating {
      var changes: [(node: NodeID, wish: LayoutWish.Role, announced: LayoutOverview.Member?)] = []
      for role in wish.roles {
        let (node, announced) = try node(called: role.node, mayBeGone: role.isRemoval)
        changes.append((node, role, announced))
      }
      let (present, before) = (service.layout, service.layoutParameters)
      let found = changes
      try await service.stageLayout { staged in
        for (node, wish, announced) in found {
          try staged.take(wish, for: node, announced, present: present)
        }
        guard wish.changesParameters else { return }
        var parameters = staged.parameters ?? before
        parameters.replicationFactor = wish.replicationFactor ?? parameters.replicationFactor
        parameters.zoneRedundancy = wish.zoneRedundancy ?? parameters.zoneRedundancy
        parameters.consistency = wish.consistency ?? parameters.consistency
        try parameters.check()
        staged.parameters = parameters == present?.parameters ? nil : parameters
      }
    }
  }

  /// Which node is meant, and what it tells of itself.
  ///
  /// - Parameter mayBeGone: Whether one that is no member any more may be meant, as it has a role or is to get one.
  private func node(
    called name: String, mayBeGone: Bool
  ) throws -> (NodeID, LayoutOverview.Member?) {
    if case .fresh = service.standing {
      let own = service.ownOffer
      guard own.hostName == name || (name.utf8.count >= 8 && service.own.hex.hasPrefix(name)) else {
        throw AdminError(
          404, "NoSuchNode",
          "this node is alone, and is called \(own.hostName) (\(service.own.short))")
      }
      return (
        service.own,
        LayoutOverview.Member(
          node: service.own, hostname: own.hostName, zone: own.zone,
          capacityBytes: own.capacityBytes)
      )
    }
    do {
      let facts = try find(name)
      return (facts.node, Self.member(facts))
    } catch {
      let known = (service.layout?.roles ?? []) + (try service.stagedLayout().assigned)
      let gone = Set(known.map(\.node).filter { $0.hex.hasPrefix(name.lowercased()) })
      guard mayBeGone, name.utf8.count >= 8, gone.count == 1, let node = gone.first else {
        throw error
      }
      return (node, nil)
    }
  }

  func revertLayout() async throws { try await service.revertLayout() }

  func previewLayout() throws -> LayoutVersion { try translated { try service.preview() } }

  func applyLayout(number: UInt64?) async throws -> LayoutVersion {
    try await translating { try await service.applyLayout(number: number) }
  }
}

extension StagedLayout {
  /// Stages what is asked for one node: what is not said stays as it is, or becomes what the node announces.
  fileprivate mutating func take(
    _ wish: LayoutWish.Role, for node: NodeID, _ announced: LayoutOverview.Member?,
    present: LayoutVersion?
  ) throws {
    let current = present?.role(of: node)
    guard !wish.isRemoval else {
      guard current != nil else { return forget(node) }
      return try remove(node)
    }
    let before = assigned.first { $0.node == node }?.role ?? current
    let capacity: UInt64? =
      switch wish.capacity {
      case .gateway: nil
      case .bytes(let bytes): bytes
      case .unchanged: before == nil ? announced?.capacityBytes : before?.capacityBytes
      }
    if wish.capacity == .unchanged, before == nil, capacity == nil {
      throw AdminError(
        409, "NotPossible",
        "\(node.short) has not told yet how much it can store: give it a capacity, or make it a gateway"
      )
    }
    let role = NodeRole(
      zone: wish.zone ?? before?.zone ?? announced?.zone ?? "", capacityBytes: capacity,
      tags: wish.tags ?? before?.tags ?? [])
    if role == current { return forget(node) }
    try assign(role, to: node)
  }
}
