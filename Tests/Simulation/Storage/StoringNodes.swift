// Three nodes that store together, and a gateway: how they come to it, and what must be so once they are quiet.

import Base
import Codecs
import Daemon
import SimulatedWorld
import Tables

extension StorageCluster.Options {
  /// Three storage nodes and a gateway, as the flag of the issue allows them.
  static var threeStore: Self {
    Self(
      nodeCount: 4, isLargeAllowed: false, variables: ["GRANGE_EXPERIMENTAL_CLUSTER": "1"])
  }
}

extension StorageCluster {
  static let storingCount = 3

  /// The first three store all; the others are gateways.
  static let threeStore: Formation = { cluster in
    let nodes = try await cluster.join()
    let storing = Array(nodes.prefix(storingCount))
    let roles = storing.map { node in
      ["id": .string(node.id?.hex ?? ""), "zone": .string(node.name), "capacity": .count(1 << 30)]
        as JSON
    }
    _ = try await cluster.insist("no role is staged") {
      await cluster.admin(nodes[0], "UpdateClusterLayout", ["roles": .array(roles)])
    }
    _ = try await cluster.insist("no layout is decided") {
      await cluster.admin(nodes[0], "ApplyClusterLayout", ["version": 1])
    }
    cluster.storing = storing
    cluster.whyNotQuiet = { $0.whyNotEqualYet() }
    cluster.invariants.append { try $0.checkReplicas() }
    return nodes
  }

  /// What the storage nodes have not read of each other.
  private func whyNotEqualYet() -> String? {
    for node in nodes {
      guard let tables = node.running?.tables else { return "\(node.name) is down" }
      if let reason = tables.sync.whyNotServing { return "\(node.name): \(reason)" }
      if tables.sync.isCatchingUp { return "\(node.name) catches up" }
    }
    for source in storing {
      guard let tables = source.running?.tables else { return "\(source.name) is down" }
      let heads = tables.replica.feed.heads
      for (partition, head) in heads.enumerated() where head > 0 {
        let read = tables.sync.readByAll(UInt16(partition)) ?? 0
        if read < head {
          return "partition \(partition) of \(source.name) is read up to \(read) of \(head)"
        }
      }
    }
    return nil
  }

  /// Replicas hold the same, byte for byte, and their feeds say so; nobody takes a replica for one that lost rows.
  private func checkReplicas() throws {
    let replicas = storing.compactMap { $0.running?.tables.replica }
    guard replicas.count == storing.count else { throw SimulationFailure("a node is down") }
    for (node, replica) in zip(storing, replicas) {
      if replica.hasLostRows { throw SimulationFailure("\(node.name) is taken for gone back") }
      if let fault = try replica.feedFaults().first {
        throw SimulationFailure("the feed of \(node.name): \(fault)")
      }
    }
    let contents = try replicas.map { try $0.contents() }
    for (node, rows) in zip(storing, contents).dropFirst() {
      for row in Set(rows.keys).union(contents[0].keys) where rows[row] != contents[0][row] {
        throw SimulationFailure(
          "\(node.name) and \(storing[0].name) differ in \(row.table) \(Hex.encode(row.diskKey)): "
            + "\(rows[row].map(Hex.encode) ?? "nothing") and \(contents[0][row].map(Hex.encode) ?? "nothing")"
        )
      }
    }
    note("replicas are equal: \(contents[0].count) rows")
  }
}
