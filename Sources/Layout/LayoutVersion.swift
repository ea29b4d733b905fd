// A version of the layout: who has which role, and who holds what (docs/formats/layout.md).
//
// Invariants:
//   1. A version is within the bounds of LayoutLimits, and has at least one storage node.
//   2. It has one encoding: encoding what was decoded gives the same bytes, later fields included.
//   3. The first version, and no other, has no predecessor.
// PartitionAssignment.swift has those of the assignment.

package import Base
package import Codecs
private import Crypto

/// Tag of `LayoutHash`.
package enum LayoutTag: Sendable {}

/// The name of a layout version: the first 256 bits of a BLAKE2b-512 of all its bytes.
package typealias LayoutHash = Identifier32<LayoutTag>

/// A version of the layout.
package struct LayoutVersion: Sendable {
  /// Rows and blocks are in one of so many partitions, by the first byte of a hash.
  package static let partitionCount = 256
  /// The number of one more partition, which all storage nodes hold: the tables that are replicated everywhere.
  package static let fullyReplicated = 256

  /// From 1 on, each one above its predecessor's.
  package let number: UInt64
  /// The version that this one changes; `nil` for the first.
  package let predecessor: LayoutHash?
  package let cluster: ClusterID
  package let parameters: LayoutParameters
  /// In ascending order of the nodes.
  package let roles: [AssignedRole]
  /// The endings of members under which the version was made, ascending: no later ending voids one of them.
  package let endings: [RecordID]
  /// Fields of later versions of the format.
  package let trailing: [UInt8]

  /// The nodes that store data, ascending.
  package let storageNodes: [NodeID]
  let assignment: PartitionAssignment

  /// A version of these parts, in any order.
  ///
  /// - Parameter holders: The holders of each of the 256 partitions.
  /// - Throws: `BinaryError` when a part is out of bounds; a duplicate is `notCanonical`.
  package init(
    number: UInt64, predecessor: LayoutHash?, cluster: ClusterID, parameters: LayoutParameters,
    roles: [AssignedRole], holders: [[NodeID]], endings: [RecordID], trailing: [UInt8] = []
  ) throws(BinaryError) {
    let unchecked = Self(
      number: number, predecessor: predecessor, cluster: cluster, parameters: parameters,
      roles: roles.sorted { $0.node < $1.node }, assignment: PartitionAssignment(holders),
      endings: endings.sorted(), trailing: trailing)
    try self.init(decoding: unchecked.encoded)
  }

  private init(
    number: UInt64, predecessor: LayoutHash?, cluster: ClusterID, parameters: LayoutParameters,
    roles: [AssignedRole], assignment: PartitionAssignment, endings: [RecordID],
    trailing: [UInt8]
  ) {
    self.number = number
    self.predecessor = predecessor
    self.cluster = cluster
    self.parameters = parameters
    self.roles = roles
    self.assignment = assignment
    self.endings = endings
    self.trailing = trailing
    storageNodes = roles.filter { !$0.role.isGateway }.map(\.node)
  }

  /// The nodes that store nothing, ascending.
  package var gateways: [NodeID] { roles.filter(\.role.isGateway).map(\.node) }

  /// The role of `node`; `nil` when it has none.
  package func role(of node: NodeID) -> NodeRole? { roles.first { $0.node == node }?.role }

  /// The nodes that hold `partition`, ascending: at least one.
  ///
  /// - Requires: `partition` is 0 to `fullyReplicated`.
  package func holders(of partition: Int) -> [NodeID] {
    partition == Self.fullyReplicated ? storageNodes : assignment.holders(of: partition)
  }

  /// How many bytes the cluster can store, each in as many copies as there are.
  ///
  /// No node may have to hold more than its capacity: while all hold everything it is that of the smallest one.
  /// Above `UInt64.max` it is that.
  package var usableCapacityBytes: UInt64 {
    var held: [NodeID: UInt64] = [:]
    for partition in 0..<Self.partitionCount {
      for node in holders(of: partition) { held[node, default: 0] += 1 }
    }
    var usable = UInt64.max
    for (node, role) in roles.map({ ($0.node, $0.role) }) {
      guard let capacity = role.capacityBytes, let count = held[node] else { continue }
      let product = capacity.multipliedFullWidth(by: UInt64(Self.partitionCount))
      guard product.high < count else { continue }
      usable = min(usable, count.dividingFullWidth(product).quotient)
    }
    return usable
  }

  // MARK: Coding

  private static let formatVersion: UInt8 = 1

  /// Put before what is hashed, so that a version's hash is never that of something else.
  private static let hashDomain = Array("grange layout version\0".utf8)

  /// The version's name.
  package var hash: LayoutHash {
    let digest = Digests.digest(Self.hashDomain + encoded, .blake2b512)
    guard let hash = LayoutHash(digest[..<LayoutHash.byteCount]) else {
      preconditionFailure("a digest is longer than a hash")
    }
    return hash
  }

  /// The version's bytes.
  package var encoded: [UInt8] {
    var writer = BinaryWriter(capacity: 1024)
    write(to: &writer)
    return writer.bytes
  }

  /// Reads a version; throws for everything else.
  package init(decoding bytes: [UInt8]) throws(BinaryError) {
    self = try BinaryReader.read(bytes, Self.init(from:))
  }

  func write(to writer: inout BinaryWriter) {
    writer.version(Self.formatVersion)
    writer.varint(number)
    writer.raw(predecessor?.bytes ?? Self.noHash)
    writer.id(cluster)
    parameters.write(to: &writer)
    writer.list(roles) { $1.write(to: &$0) }
    assignment.write(to: &writer, storageNodes: storageNodes)
    writer.list(endings) { $0.id($1) }
    writer.raw(trailing)
  }

  /// What stands where the first version's predecessor would.
  private static let noHash = [UInt8](repeating: 0, count: LayoutHash.byteCount)

  /// Takes all that is left as a version.
  init(from reader: inout BinaryReader) throws(BinaryError) {
    guard reader.remainingCount <= LayoutLimits.versionBytesMax else { throw .overLimit }
    _ = try reader.version(upTo: Self.formatVersion)
    number = try reader.varint()
    guard number <= LayoutLimits.numberMax else { throw .overLimit }
    let hash = try reader.id(LayoutHash.self)
    predecessor = hash.bytes == Self.noHash ? nil : hash
    guard number >= 1, (number == 1) == (predecessor == nil) else { throw .invalidValue }
    cluster = try reader.id()
    parameters = try LayoutParameters(from: &reader)
    roles = try reader.ascending(
      max: LayoutLimits.nodesMax, AssignedRole.init(from:), by: { $0.node < $1.node })
    storageNodes = roles.filter { !$0.role.isGateway }.map(\.node)
    guard !storageNodes.isEmpty else { throw .invalidValue }
    assignment = try PartitionAssignment(
      from: &reader, storageNodes: storageNodes,
      copies: min(parameters.replicationFactor, storageNodes.count))
    endings = try reader.ascending(
      max: LayoutLimits.endingsMax,
      { (reader: inout BinaryReader) throws(BinaryError) in try reader.id(RecordID.self) }, by: <)
    trailing = reader.remaining()
  }
}

extension LayoutVersion: Equatable {
  package static func == (left: Self, right: Self) -> Bool { left.encoded == right.encoded }
}
