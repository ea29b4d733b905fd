// Why there is no next version, in words for operators.

package import Base

/// Why a draft cannot be applied, or a version does not follow those that are held.
package enum LayoutRefusal: Error, Equatable, Sendable {
  /// The draft is what is there: no new version.
  case nothingChanged
  /// No node stores data.
  case noStorageNode
  /// There are more storage nodes than copies, and nothing that distributes partitions.
  case moreNodesThanCopies(storageNodes: Int, copies: Int)
  /// A storage node with a capacity of 0.
  case noCapacity(NodeID)
  /// A zone's name that cannot be one.
  case zoneName(NodeID)
  /// Tags that cannot be ones.
  case tags(NodeID)
  /// A replication factor that cannot be one.
  case replicationFactor
  /// A zone redundancy of 0, or above the replication factor.
  case zoneRedundancy(replicationFactor: Int)
  /// The storage nodes are in fewer zones than the zone redundancy asks of so many nodes.
  case tooFewZones(zones: Int, needed: Int)
  /// A consistency mode other than `consistent`.
  case consistency
  /// More nodes, endings or bytes than a version takes.
  case tooLarge

  /// A version of another cluster.
  case otherCluster
  /// A version that is not the one after the newest that is held.
  case notNext(number: UInt64, expected: UInt64)
  /// The next version, made from another one than the newest that is held.
  case otherPredecessor
}

extension LayoutRefusal: CustomStringConvertible {
  package var description: String {
    switch self {
    case .nothingChanged: "Nothing changed: there is no new layout version to make."
    case .noStorageNode:
      "No node would store anything: assign a role with a capacity to at least one node."
    case .moreNodesThanCopies(let nodes, let copies):
      """
      \(nodes) storage nodes for \(copies) \(copies == 1 ? "copy" : "copies"): this version of Grange cannot \
      distribute data over more nodes than there are copies yet. Make the others gateways, or raise the \
      replication factor.
      """
    case .noCapacity(let node):
      "Node \(name(node)) would have a capacity of 0: give it a capacity, or make it a gateway."
    case .zoneName(let node):
      """
      The zone of node \(name(node)) must have 1 to \(LayoutLimits.zoneBytesMax) bytes and no control characters.
      """
    case .tags(let node):
      """
      Node \(name(node)) can have \(LayoutLimits.tagsMax) tags of at most \(LayoutLimits.tagBytesMax) bytes each, \
      without control characters.
      """
    case .replicationFactor:
      "The replication factor must be between 1 and \(LayoutLimits.replicationFactorMax)."
    case .zoneRedundancy(let factor):
      """
      The zone redundancy must be `maximum` or between 1 and \(factor), the replication factor: there are no more \
      copies to put into different zones.
      """
    case .tooFewZones(let zones, let needed):
      """
      The storage nodes are in \(zones) \(zones == 1 ? "zone" : "zones"), and the zone redundancy asks for \
      \(needed): assign a node of another zone, or lower the zone redundancy.
      """
    case .consistency:
      """
      `consistent` is the only consistency mode: with the others, a read might not see what was acknowledged.
      """
    case .tooLarge:
      """
      A layout has at most \(LayoutLimits.nodesMax) nodes and \(LayoutLimits.versionBytesMax >> 10) KiB: give a role to \
      fewer nodes, or shorten their tags and the names of their zones.
      """
    case .otherCluster: "The layout version is of another cluster."
    case .notNext(let number, let expected):
      "Layout version \(number) does not come next: \(expected) does."
    case .otherPredecessor:
      "The next layout version was made from another one than the newest that this node holds."
    }
  }

  /// A node as tables show it.
  private func name(_ node: NodeID) -> Substring { node.hex.prefix(16) }
}
