// What a node does for its cluster: it stores data in a zone, or is a gateway.

package import Base
package import Codecs

/// A node's part in the cluster.
///
/// Texts are compared byte for byte, as they are stored: what is one zone to one node is one zone to all.
package struct NodeRole: Sendable {
  /// The site of the node, 1 to 64 bytes: copies go to different zones.
  package let zone: String
  /// How many bytes the node gives, above 0; `nil` for a gateway, which stores nothing.
  package let capacityBytes: UInt64?
  /// Words for people, in ascending order of their bytes.
  package let tags: [String]

  /// A role as an operator writes it: `LayoutDraft.apply` looks whether it can be.
  ///
  /// - Parameter tags: In any order.
  package init(zone: String, capacityBytes: UInt64?, tags: [String] = []) {
    self.zone = zone
    self.capacityBytes = capacityBytes
    self.tags = Set(tags.map { Array($0.utf8) }).sorted { $0.lexicographicallyPrecedes($1) }
      .map { String(decoding: $0, as: UTF8.self) }
  }

  /// Whether the node stores nothing.
  package var isGateway: Bool { capacityBytes == nil }

  func write(to writer: inout BinaryWriter) {
    writer.string(zone)
    writer.optional(capacityBytes) { $0.varint($1) }
    writer.list(tags) { $0.string($1) }
  }

  init(from reader: inout BinaryReader) throws(BinaryError) {
    zone = try reader.label(max: LayoutLimits.zoneBytesMax)
    capacityBytes = try reader.optional { (reader: inout BinaryReader) throws(BinaryError) in
      try reader.varint()
    }
    tags = try reader.tags()
    guard !zone.isEmpty, capacityBytes != 0 else { throw .invalidValue }
  }
}

extension NodeRole: Equatable {
  package static func == (left: Self, right: Self) -> Bool {
    left.zone.utf8.elementsEqual(right.zone.utf8) && left.capacityBytes == right.capacityBytes
      && left.tags.elementsEqual(right.tags) { $0.utf8.elementsEqual($1.utf8) }
  }
}

/// A node and its role.
package struct AssignedRole: Equatable, Sendable {
  package let node: NodeID
  package let role: NodeRole

  package init(node: NodeID, role: NodeRole) {
    self.node = node
    self.role = role
  }

  /// Throws `LayoutRefusal` when the node cannot have such a role.
  package func check() throws(LayoutRefusal) {
    guard (1...LayoutLimits.zoneBytesMax) ~= role.zone.utf8.count, role.zone.isLabel else {
      throw .zoneName(node)
    }
    guard role.capacityBytes != 0 else { throw .noCapacity(node) }
    guard role.tags.count <= LayoutLimits.tagsMax,
      role.tags.allSatisfy({ $0.utf8.count <= LayoutLimits.tagBytesMax && $0.isLabel })
    else { throw .tags(node) }
  }

  func write(to writer: inout BinaryWriter) {
    writer.id(node)
    role.write(to: &writer)
  }

  init(from reader: inout BinaryReader) throws(BinaryError) {
    node = try reader.id()
    role = try NodeRole(from: &reader)
  }
}

extension BinaryReader {
  /// A node's tags, as it announces them and as its role has them.
  package mutating func tags() throws(BinaryError) -> [String] {
    try ascending(
      max: LayoutLimits.tagsMax,
      { (reader: inout BinaryReader) throws(BinaryError) in
        try reader.label(max: LayoutLimits.tagBytesMax)
      }, by: { $0.utf8.lexicographicallyPrecedes($1.utf8) })
  }
}
