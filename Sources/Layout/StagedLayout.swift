// Changes of the layout that an operator collects, before they are applied all at once (docs/formats/cluster-state.md).
//
// What is kept is what was asked for, not what the layout is to become: when another version comes in meanwhile, the
// changes are made on top of that one. A change that is in effect already is none any more.
//
// Invariants:
//   1. A node is either given a role or loses one, in one change.
//   2. The bytes are the only ones of these changes.

package import Base
package import Codecs

/// Changes on top of a layout version.
package struct StagedLayout: Equatable, Sendable {
  /// The number of the version that was current at the first change; 0 for none.
  package let base: UInt64
  /// The roles that nodes are to have, ascending.
  package private(set) var assigned: [AssignedRole] = []
  /// The nodes that are to have none any more, ascending.
  package private(set) var removed: [NodeID] = []
  /// What the whole cluster's parameters are to be; `nil` when they stay.
  package var parameters: LayoutParameters?

  /// No changes.
  package init(base: UInt64) { self.base = base }

  /// Whether nothing is staged.
  package var isEmpty: Bool { assigned.isEmpty && removed.isEmpty && parameters == nil }

  /// Gives `node` a role, in the place of what was staged for it.
  ///
  /// - Throws: `LayoutRefusal` when it cannot have such a role, or there are too many.
  package mutating func assign(_ role: NodeRole, to node: NodeID) throws(LayoutRefusal) {
    let change = AssignedRole(node: node, role: role)
    try change.check()
    forget(node)
    guard assigned.count < LayoutLimits.nodesMax else { throw .tooLarge }
    assigned = (assigned + [change]).sorted { $0.node < $1.node }
  }

  /// Takes the role of `node` away.
  ///
  /// - Throws: `LayoutRefusal` when there are too many changes.
  package mutating func remove(_ node: NodeID) throws(LayoutRefusal) {
    forget(node)
    guard removed.count < LayoutLimits.nodesMax else { throw .tooLarge }
    removed = (removed + [node]).sorted()
  }

  /// Stages nothing for `node`.
  package mutating func forget(_ node: NodeID) {
    assigned.removeAll { $0.node == node }
    removed.removeAll { $0 == node }
  }

  /// The next version with these changes: on top of `present`, or as the first one, which has `parameters` unless others
  /// are staged.
  package func draft(
    changing present: LayoutVersion?, of cluster: ClusterID, parameters: LayoutParameters
  ) -> LayoutDraft {
    var draft =
      present.map { LayoutDraft(changing: $0) }
      ?? LayoutDraft(cluster: cluster, parameters: parameters)
    for change in assigned { draft.assign(change.role, to: change.node) }
    for node in removed { draft.remove(node) }
    if let staged = self.parameters { draft.parameters = staged }
    return draft
  }

  // MARK: Coding

  private static let formatVersion: UInt8 = 1

  /// The changes' bytes.
  package var encoded: [UInt8] {
    var writer = BinaryWriter(capacity: 256)
    writer.version(Self.formatVersion)
    writer.varint(base)
    writer.list(assigned) { $1.write(to: &$0) }
    writer.list(removed) { $0.id($1) }
    writer.optional(parameters) { $1.write(to: &$0) }
    return writer.bytes
  }

  /// Reads changes; throws for everything else.
  package init(decoding bytes: [UInt8]) throws(BinaryError) {
    self = try BinaryReader.read(bytes) { (reader: inout BinaryReader) throws(BinaryError) in
      _ = try reader.version(upTo: Self.formatVersion)
      let staged = try Self(from: &reader)
      try reader.expectEnd()
      return staged
    }
  }

  private init(from reader: inout BinaryReader) throws(BinaryError) {
    base = try reader.varint()
    guard base <= LayoutLimits.numberMax else { throw .overLimit }
    assigned = try reader.ascending(
      max: LayoutLimits.nodesMax, AssignedRole.init(from:), by: { $0.node < $1.node })
    removed = try reader.ascending(
      max: LayoutLimits.nodesMax,
      { (reader: inout BinaryReader) throws(BinaryError) in try reader.id(NodeID.self) }, by: <)
    parameters = try reader.optional { (reader: inout BinaryReader) throws(BinaryError) in
      try LayoutParameters(from: &reader)
    }
    guard Set(removed).isDisjoint(with: assigned.map(\.node)) else { throw .notCanonical }
  }
}
