// What a node tells of itself: the newest of each node is kept.

package import Base
package import Codecs
import Layout

/// How a node came to know an address of its own.
///
/// The raw values are on disk and on the wire; one that this program does not know is kept.
package struct AddressKind: RawRepresentable, Hashable, Sendable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// `public_addresses` of the configuration: exempt from the filters.
  package static let configured = AddressKind(rawValue: 1)
  /// Of an interface, and routable from everywhere.
  package static let `public` = AddressKind(rawValue: 2)
  /// A router maps it.
  package static let mapped = AddressKind(rawValue: 3)
  /// Of an interface, for neighbours.
  package static let lan = AddressKind(rawValue: 4)
  /// Where peers saw the node come from.
  package static let observed = AddressKind(rawValue: 5)
}

/// Where a node may be reached.
package struct CandidateAddress: Hashable, Sendable {
  package var kind: AddressKind
  package var address: PeerAddress

  package init(_ kind: AddressKind, _ address: PeerAddress) {
    self.kind = kind
    self.address = address
  }
}

/// How a node is reached, and what it can do.
package struct AnnouncementBody: RecordBody {
  package static let kind = RecordKind.announcement
  package static let recordBytesMax = RecordLimits.announcementBytesMax

  package var cluster: ClusterID
  package var node: NodeID
  /// The higher one replaces the lower one.
  package var sequence: UInt64
  package var hostName = ""
  package var zone: String?
  /// What the node offers to store.
  package var capacityBytes: UInt64?
  /// In ascending order of their bytes.
  package var tags: [String] = []
  /// The program's version, for people.
  package var program = ""
  package var protocols = ProtocolRange(1, 1)
  /// Numbers of what a later version can do, ascending.
  package var features: [UInt64] = []
  /// The best first.
  package var addresses: [CandidateAddress] = []
  /// Whether it answers S3 requests.
  package var servesS3 = false
  package var trailing: [UInt8] = []

  package var signer: NodeID { node }

  package init(cluster: ClusterID, node: NodeID, sequence: UInt64) {
    self.cluster = cluster
    self.node = node
    self.sequence = sequence
  }

  package func write(to writer: inout BinaryWriter) {
    writer.id(cluster)
    writer.id(node)
    writer.u64(sequence)
    writer.string(hostName)
    writer.optional(zone) { $0.string($1) }
    writer.optional(capacityBytes) { $0.varint($1) }
    writer.list(tags) { $0.string($1) }
    writer.string(program)
    protocols.write(to: &writer)
    writer.list(features) { $0.varint($1) }
    writer.list(addresses) { writer, candidate in
      writer.u8(candidate.kind.rawValue)
      candidate.address.write(to: &writer)
    }
    writer.bool(servesS3)
    writer.raw(trailing)
  }

  package init(from reader: inout BinaryReader) throws(BinaryError) {
    cluster = try reader.id()
    node = try reader.id()
    sequence = try reader.u64()
    hostName = try reader.label(max: RecordLimits.hostNameBytesMax)
    zone = try reader.optional { (reader: inout BinaryReader) throws(BinaryError) in
      try reader.label(max: RecordLimits.zoneBytesMax)
    }
    capacityBytes = try reader.optional { (reader: inout BinaryReader) throws(BinaryError) in
      try reader.varint()
    }
    tags = try reader.tags()
    program = try reader.label(max: RecordLimits.programBytesMax)
    protocols = try ProtocolRange(from: &reader)
    features = try reader.ascending(
      max: RecordLimits.featuresMax,
      { (reader: inout BinaryReader) throws(BinaryError) in try reader.varint() }, by: <)
    addresses = try reader.list(max: RecordLimits.addressesMax) {
      (reader: inout BinaryReader) throws(BinaryError) in
      CandidateAddress(
        AddressKind(rawValue: try reader.u8()), try PeerAddress(from: &reader))
    }
    servesS3 = try reader.bool()
    trailing = reader.remaining()
  }
}

/// An announcement with its signature.
package typealias Announcement = Signed<AnnouncementBody>

extension Announcement {
  /// Whether this one replaces `other`, which is of the same node.
  ///
  /// One node does not sign two with one number unless its disk was copied: then all nodes keep the same one.
  package func replaces(_ other: Announcement) -> Bool {
    (body.sequence, id) > (other.body.sequence, other.id)
  }
}
