// The layout as a JSON document: Garage's names, and a few of our own beside them.

import Base
import Codecs
import Layout

/// Writes what a node knows of the layout.
struct LayoutDocument {
  private let overview: LayoutOverview
  private let hostnames: [NodeID: String]

  init(_ overview: LayoutOverview) {
    self.overview = overview
    hostnames = Self.hostnames(overview.members)
  }

  /// The answer to GetClusterLayout.
  var json: JSON {
    let staged = overview.staged
    let withRole = Set(overview.current?.roles.map(\.node) ?? [])
    return [
      "version": .count(overview.current?.number ?? 0),
      "roles": .array(overview.current.map { Self.roles(of: $0, hostnames) } ?? []),
      "parameters": Self.document(overview.parameters),
      "usableCapacity": overview.current.map { .count($0.usableCapacityBytes) } ?? .null,
      "stagedRoleChanges": .array(
        staged.assigned.map { Self.document($0, hostnames) }
          + staged.removed.map { node in
            [
              "id": .string(node.hex), "hostname": .optional(hostnames[node]), "remove": true,
            ]
          }),
      "stagedParameters": staged.parameters.map(Self.document) ?? .null,
      "stagedOnVersion": staged.isEmpty ? .null : .count(staged.base),
      "nodesWithoutRole": .array(
        overview.members.filter { !withRole.contains($0.node) }.map { member in
          [
            "id": .string(member.node.hex), "hostname": .string(member.hostname),
            "zone": .optional(member.zone),
            "capacity": member.capacityBytes.map { .count($0) } ?? .null,
          ]
        }),
    ]
  }

  /// A version that is not decided yet.
  static func document(_ version: LayoutVersion, _ members: [LayoutOverview.Member]) -> JSON {
    [
      "version": .count(version.number),
      "roles": .array(roles(of: version, hostnames(members))),
      "parameters": document(version.parameters),
      "usableCapacity": .count(version.usableCapacityBytes),
    ]
  }

  /// What a version means, in sentences.
  static func message(of version: LayoutVersion) -> [String] {
    let copies = version.holders(of: 0).count
    let zones = Set(
      version.roles.filter { !$0.role.isGateway }.map { Array($0.role.zone.utf8) }
    ).count
    let nodes = version.storageNodes.count
    return [
      "Version \(version.number): \(nodes) storage \(nodes == 1 ? "node" : "nodes") in "
        + "\(zones) \(zones == 1 ? "zone" : "zones"), \(version.gateways.count) gateways.",
      "Everything is stored \(copies == 1 ? "once" : "in \(copies) copies"); the cluster can store "
        + "\(ByteSize.describe(version.usableCapacityBytes)).",
    ]
  }

  private static func hostnames(_ members: [LayoutOverview.Member]) -> [NodeID: String] {
    Dictionary(members.map { ($0.node, $0.hostname) }, uniquingKeysWith: { first, _ in first })
  }

  private static func roles(of version: LayoutVersion, _ hostnames: [NodeID: String]) -> [JSON] {
    let partitions = UInt64(LayoutVersion.partitionCount)
    let usable = version.usableCapacityBytes
    return version.roles.map { assigned in
      let held = UInt64(
        (0..<LayoutVersion.partitionCount).count {
          version.holders(of: $0).contains(assigned.node)
        })
      let members = document(assigned, hostnames).members ?? []
      return .object(
        members + [
          JSON.Member("storedPartitions", assigned.role.isGateway ? .null : .count(held)),
          JSON.Member(
            "usableCapacity",
            assigned.role.isGateway
              ? .null : .count(held == partitions ? usable : usable / partitions * held)),
        ])
    }
  }

  private static func document(_ assigned: AssignedRole, _ hostnames: [NodeID: String]) -> JSON {
    [
      "id": .string(assigned.node.hex),
      "hostname": .optional(hostnames[assigned.node]),
      "zone": .string(assigned.role.zone),
      "tags": .array(assigned.role.tags.map { .string($0) }),
      "capacity": assigned.role.capacityBytes.map { .count($0) } ?? .null,
      "gateway": .bool(assigned.role.isGateway),
    ]
  }

  private static func document(_ parameters: LayoutParameters) -> JSON {
    let redundancy: JSON =
      switch parameters.zoneRedundancy {
      case .maximum: "maximum"
      case .atLeast(let zones): ["atLeast": .count(UInt64(clamping: zones))]
      }
    return [
      "replicationFactor": .count(UInt64(clamping: parameters.replicationFactor)),
      "zoneRedundancy": redundancy,
      "consistency": .string(parameters.consistency.word),
    ]
  }
}
