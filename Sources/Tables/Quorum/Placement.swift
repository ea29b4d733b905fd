// Which nodes hold a partition, and how many of them must answer.

package import Base

/// A node that holds rows: this one, or another reached over the mesh.
package protocol TableReplica: Sendable {
  /// The node.
  var node: NodeID { get }

  /// Carries out `request` and answers for this replica.
  ///
  /// - Throws: When it did not or may not have happened: no connection, no disk, `deadline` passed. It must
  ///   return by `deadline`, since nobody waits for late replicas' answers. `NotSent` when it certainly did not.
  nonisolated(nonsending) func perform(
    _ request: ReplicaRequest, deadline: MonotonicInstant
  ) async throws -> ReplicaResponse
}

/// Why a request did not leave this node: the replica has stored nothing of it.
package struct NotSent: Error, CustomStringConvertible, Sendable {
  package let description: String

  package init(_ description: String) { self.description = description }
}

/// The replicas of one partition.
package struct ReplicaGroup: Sendable {
  /// The holders of one live layout version.
  package struct WriteSet: Sendable {
    package var version: UInt64
    package var nodes: [NodeID]
    /// How many of `nodes` must accept.
    package var quorum: Int

    package init(version: UInt64, nodes: [NodeID], quorum: Int) {
      self.version = version
      self.nodes = nodes
      self.quorum = quorum
    }
  }

  /// Every node that is in a write set or is read from, once.
  package var replicas: [any TableReplica]
  /// One for each live layout version: a write needs the quorum of every one of them.
  package var writeSets: [WriteSet]
  /// The nodes to read from, nearest first.
  package var readNodes: [NodeID]
  /// How many of `readNodes` must answer a read.
  package var readQuorum: Int
  package var layout: LayoutStamp

  package init(
    replicas: [any TableReplica], writeSets: [WriteSet], readNodes: [NodeID], readQuorum: Int,
    layout: LayoutStamp
  ) {
    self.replicas = replicas
    self.writeSets = writeSets
    self.readNodes = readNodes
    self.readQuorum = readQuorum
    self.layout = layout
  }
}

/// Where rows live now.
///
/// The answers change with the layout; each request asks anew.
package protocol Placement: Sendable {
  /// What this node knows of the layout when it alone holds everything: tables then go straight to the local rows.
  ///
  /// `nil` when other nodes hold rows too.
  var sole: LayoutStamp? { get }

  /// The replicas of `partition`, 0 to `Partition.everywhere`.
  func group(for partition: UInt16) -> ReplicaGroup

  /// `node` knows a newer layout than this one, and sent it, unless it is empty.
  func layoutRefused(by node: NodeID, newer: [UInt8])

  /// How long an answer of `node` usually takes to come; `nil` when that is not known.
  func roundTrip(to node: NodeID) -> Duration?
}

extension Placement {
  package func roundTrip(to node: NodeID) -> Duration? { nil }
}

/// One node holds everything.
package struct SoleNodePlacement: Placement {
  private let replica: LocalTableReplica

  /// Everything is in `replica`.
  package init(_ replica: LocalTableReplica) { self.replica = replica }

  package var sole: LayoutStamp? { LayoutStamp(1) }

  package func group(for partition: UInt16) -> ReplicaGroup {
    ReplicaGroup(
      replicas: [replica],
      writeSets: [.init(version: 1, nodes: [replica.node], quorum: 1)],
      readNodes: [replica.node], readQuorum: 1, layout: LayoutStamp(1))
  }

  package func layoutRefused(by node: NodeID, newer: [UInt8]) {}
}
