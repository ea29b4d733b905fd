// The cluster and this node: status, health, checks.

import Base
import Codecs

extension AdminEndpoints {
  func clusterStatus(_ request: AdminRequest) async throws -> JSON {
    let status = await node.status()
    return [
      "health": .string(status.health.rawValue),
      "layoutVersion": .count(status.layoutVersion),
      // No version replaces another one yet: there is nothing to wait for.
      "layout": status.layoutVersion == 0
        ? .null
        : [
          "version": .count(status.layoutVersion), "step": "settled", "waitingFor": .array([]),
        ],
      "copies": .count(UInt64(status.copies)),
      "tombstones": status.tombstones.map { delay in
        [
          "since": .optional(delay.since.map { CivilTime($0).iso8601 }),
          "waitingFor": .array(delay.waitingFor.map { .string($0.hex) }),
        ]
      } ?? .null,
      "nodes": .array(status.nodes.map(document)),
      "attention": .array(status.attention.map { .string($0) }),
    ]
  }

  func clusterHealth(_ request: AdminRequest) async throws -> JSON {
    let status = await node.status()
    let storage = status.nodes.filter { $0.hasRole && $0.capacityBytes != nil }
    let partitions: UInt64 = 256
    let isAvailable = status.health != .unavailable
    return [
      "status": .string(status.health.rawValue),
      "knownNodes": .count(UInt64(status.nodes.count)),
      "connectedNodes": .count(UInt64(status.nodes.count { $0.isUp })),
      "storageNodes": .count(UInt64(storage.count)),
      "storageNodesUp": .count(UInt64(storage.count { $0.isUp })),
      "partitions": .count(partitions),
      "partitionsQuorum": .count(isAvailable ? partitions : 0),
      "partitionsAllOk": .count(status.health == .healthy ? partitions : 0),
    ]
  }

  func checkBlocks(_ request: AdminRequest) async throws -> JSON {
    let report = try await node.checkBlocks()
    return [
      "blocks": .count(report.blocks),
      "references": .count(report.references),
      "problemCount": .count(report.problemCount),
      "problems": .array(report.problems.map { .string($0) }),
    ]
  }

  /// What is known of this node alone, as Garage words it: an answer for each node that was asked.
  func nodeInfo(_ request: AdminRequest) async throws -> JSON {
    let status = await node.status()
    guard let own = status.nodes.first(where: { $0.id == cluster.own }) else {
      throw AdminError(500, "InternalError", "the node does not know itself")
    }
    let info: JSON = [
      "nodeId": .string(own.id.hex), "version": .string(own.version),
      "hostname": .string(own.hostname),
      "addresses": .array(own.addresses.map { .string($0) }),
      "state": .string(own.state.rawValue),
    ]
    return ["success": .object([JSON.Member(own.id.hex, info)]), "error": .object([])]
  }

  /// A node under Grange's flat names and under Garage's, where role and address are nested.
  private func document(_ node: NodeStatus) -> JSON {
    let tags = JSON.array(node.tags.map { .string($0) })
    let capacity = node.capacityBytes.map { JSON.count($0) } ?? .null
    return [
      "id": .string(node.id.hex),
      "hostname": .string(node.hostname),
      "version": .string(node.version),
      "addresses": .array(node.addresses.map { .string($0) }),
      "addr": .optional(node.addresses.first),
      "zone": .optional(node.zone),
      "capacity": capacity,
      "tags": tags,
      "isUp": .bool(node.isUp),
      "state": .string(node.state.rawValue),
      "lastSeen": .optional(node.lastSeen.map { CivilTime($0).iso8601 }),
      "lastSeenSecsAgo": node.lastSeen.map { seen in
        .count(UInt64(clamping: max(0, wallNow().seconds - seen.seconds)))
      } ?? .null,
      "roundTripMilliseconds": node.roundTrip.map { .number($0.inSeconds * 1000) } ?? .null,
      "role": node.hasRole
        ? ["zone": .optional(node.zone), "capacity": capacity, "tags": tags] : .null,
      "draining": false,
      "dataPartition": Self.document(node.data),
      "metadataPartition": Self.document(node.metadata),
    ]
  }

  private static func document(_ room: NodeStatus.Room?) -> JSON {
    guard let room else { return .null }
    return ["available": .count(room.availableBytes), "total": .count(room.totalBytes)]
  }
}
