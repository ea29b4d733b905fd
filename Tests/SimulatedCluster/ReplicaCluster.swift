// Several nodes with their databases, clocks and links, in one simulated world: tables without Mesh and Cluster.
//
// Each node is a host of the world; its database commits in virtual time. The links between the nodes are calls that
// delay and fail (DistantReplica.swift): what is tested is what quorums make of that, not how bytes travel.

package import Base
package import LocalDB
package import SimulatedWorld
private import Synchronization
package import Tables

/// Several nodes over one set of replicas; what a node is beyond its replica is the test's to say.
package final class ReplicaCluster<Node: Sendable>: Sendable {
  /// What a node is made of.
  package struct Parts: Sendable {
    package let host: SimulatedHost
    package let replica: LocalTableReplica
    package let placement: FixedPlacement
    package let link: DistantReplica

    package var id: NodeID { replica.node }
    package var database: LocalDatabase { replica.database }
    package var clock: HybridClock { replica.clock }
  }

  package let runtime: SimulatedRuntime
  package let nodes: [Node]
  package let links: [DistantReplica]

  /// Makes the nodes.
  ///
  /// - Parameters:
  ///   - skews: How far each node's wall clock is ahead, in milliseconds; one for each node.
  ///   - delay: How long a request travels.
  ///   - lossPercent: How often it takes up to two seconds longer, as a packet was lost.
  ///   - commitDelay: How long a commit takes.
  ///   - prepare: Called with each replica before any of them is reached.
  ///   - make: Makes a node of its parts.
  package init<Prepared>(
    _ runtime: SimulatedRuntime, skews: [Int64] = [0, 0, 0], writeQuorum: Int = 2,
    readQuorum: Int = 2, delay: ClosedRange<Duration> = .milliseconds(1) ... .milliseconds(40),
    lossPercent: Int = 10, commitDelay: ClosedRange<Duration> = .zero ... .milliseconds(10),
    prepare: (LocalTableReplica) throws -> Prepared, make: (Parts, Prepared) throws -> Node
  ) throws {
    self.runtime = runtime
    var made: [(SimulatedHost, LocalTableReplica, Prepared)] = []
    for (index, skew) in skews.enumerated() {
      let host = runtime.addHost("node\(index)", clockOffset: .milliseconds(skew))
      host.commitDelay = commitDelay
      let replica = try LocalTableReplica(
        node: NodeID(random: host.random),
        database: try LocalDatabase.open(host.databaseOptions(), random: host.random),
        clock: HybridClock(runtime: host), random: host.random)
      made.append((host, replica, try prepare(replica)))
    }
    let links = made.map { DistantReplica($0.1, runtime, delay: delay, lossPercent: lossPercent) }
    self.links = links
    let placement = FixedPlacement(
      links, writeQuorum: writeQuorum, readQuorum: readQuorum, runtime.worldRandom)
    nodes = try zip(made, links).map { made, link in
      let parts = Parts(host: made.0, replica: made.1, placement: placement, link: link)
      return try make(parts, made.2)
    }
  }

  deinit { runtime.takeApart() }

  /// Cuts every node off, also from itself.
  package func cutAll() {
    for link in links { link.isCut.store(true, ordering: .relaxed) }
  }

  /// Cuts `node` off, and connects the others.
  package func cut(_ node: Int?) {
    for (index, link) in links.enumerated() { link.isCut.store(index == node, ordering: .relaxed) }
  }
}
