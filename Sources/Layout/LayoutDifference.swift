// What is different in a layout, for those who read it before they apply it.

package import Base

/// What has to change in one layout to make another one of it.
package struct LayoutDifference: Equatable, Sendable {
  /// A role that replaces another one of the same node.
  package struct ChangedRole: Equatable, Sendable {
    package let node: NodeID
    package let former: NodeRole
    package let role: NodeRole
  }

  /// The roles of nodes that had none, in ascending order of the nodes, as all lists here.
  package private(set) var assigned: [AssignedRole] = []
  /// The nodes with another role than before.
  package private(set) var changed: [ChangedRole] = []
  /// The nodes without a role, with the one they had.
  package private(set) var removed: [AssignedRole] = []
  /// What the parameters were; `nil` when they are the same, or there was no layout.
  package private(set) var formerParameters: LayoutParameters?

  /// From `old`, or from no layout, to `new`.
  package init(from old: LayoutVersion?, to new: LayoutVersion) {
    self.init(from: old?.roles ?? [], old?.parameters, to: new.roles, new.parameters)
  }

  init(
    from old: [AssignedRole], _ oldParameters: LayoutParameters?,
    to new: [AssignedRole], _ parameters: LayoutParameters
  ) {
    let before = Dictionary(uniqueKeysWithValues: old.map { ($0.node, $0.role) })
    for assigned in new {
      guard let former = before[assigned.node] else {
        self.assigned.append(assigned)
        continue
      }
      if former != assigned.role {
        changed.append(ChangedRole(node: assigned.node, former: former, role: assigned.role))
      }
    }
    let staying = Set(new.map(\.node))
    removed = old.filter { !staying.contains($0.node) }
    formerParameters = oldParameters == parameters ? nil : oldParameters
  }

  /// Whether the two layouts are the same.
  package var isEmpty: Bool {
    assigned.isEmpty && changed.isEmpty && removed.isEmpty && formerParameters == nil
  }
}
