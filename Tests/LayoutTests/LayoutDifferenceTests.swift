// What `layout show` says is different.

import Base
import Layout
import Testing

@Suite struct LayoutDifferenceTests {
  @Test func fromNoLayout() throws {
    let version = try first([1: storage("a"), 2: gateway("b")])
    let difference = LayoutDifference(from: nil, to: version)
    #expect(difference.assigned == version.roles)
    #expect(difference.changed.isEmpty && difference.removed.isEmpty)
    #expect(difference.formerParameters == nil && !difference.isEmpty)
  }

  @Test func assignedChangedRemoved() throws {
    let old = try first([1: storage("a", 7), 2: gateway("b"), 3: gateway("c"), 4: gateway("d")])
    var draft = LayoutDraft(changing: old)
    draft.assign(storage("e"), to: id(5))
    draft.assign(gateway("f"), to: id(0))
    draft.assign(storage("a", 8), to: id(1))
    draft.assign(storage("b"), to: id(2))
    draft.remove(id(3))
    let difference = LayoutDifference(from: old, to: try draft.apply(under: []))
    #expect(
      difference.assigned == [
        AssignedRole(node: id(0), role: gateway("f")),
        AssignedRole(node: id(5), role: storage("e")),
      ])
    #expect(difference.changed.map(\.node) == [id(1), id(2)])
    #expect(difference.changed.map(\.former) == [storage("a", 7), gateway("b")])
    #expect(difference.changed.map(\.role) == [storage("a", 8), storage("b")])
    #expect(difference.removed == [AssignedRole(node: id(3), role: gateway("c"))])
    #expect(difference.formerParameters == nil)
    #expect(draft.changes == difference)
  }

  @Test func parameters() throws {
    let old = try first([1: storage("a")])
    var draft = LayoutDraft(changing: old)
    draft.parameters.zoneRedundancy = .atLeast(2)
    let difference = LayoutDifference(from: old, to: try draft.apply(under: []))
    #expect(difference.formerParameters == LayoutParameters())
    #expect(difference.assigned.isEmpty && difference.changed.isEmpty && difference.removed.isEmpty)
    #expect(!difference.isEmpty)
  }

  /// Endings and numbers are no difference: an automatic layout that changes nothing proposes nothing.
  @Test func theSameRoles() throws {
    let version = try first([1: storage("a")])
    let next = try LayoutVersion(
      number: 2, predecessor: version.hash, cluster: cluster, parameters: version.parameters,
      roles: version.roles, holders: Array(repeating: [id(1)], count: LayoutVersion.partitionCount),
      endings: [id(9)])
    #expect(LayoutDifference(from: version, to: next).isEmpty)
  }
}
