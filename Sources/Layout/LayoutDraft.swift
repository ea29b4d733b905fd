// Staged changes: what the next version of the layout is to be.
//
// While there are no more storage nodes than copies each of them holds everything, and there is nothing to optimise.
//
// Zone redundancy is refused where it cannot be met, as Garage refuses it. But Grange makes layouts of fewer nodes
// than copies, and a copy that is not there is in no zone: of k holders it asks for k zones at most, so that the
// first node of a cluster that wants two zones can be its first version: decision 22.

package import Base
private import Codecs

/// A layout version that an operator, or the automatic layout, is preparing.
package struct LayoutDraft: Sendable {
  /// The version that is changed; `nil` for the first.
  package let present: LayoutVersion?
  private let cluster: ClusterID
  private var roles: [NodeID: NodeRole]
  /// Of the whole cluster.
  package var parameters: LayoutParameters

  /// The draft of a cluster's first version.
  package init(cluster: ClusterID, parameters: LayoutParameters = LayoutParameters()) {
    present = nil
    self.cluster = cluster
    roles = [:]
    self.parameters = parameters
  }

  /// A draft on top of `present`, without changes.
  package init(changing present: LayoutVersion) {
    self.present = present
    cluster = present.cluster
    roles = Dictionary(uniqueKeysWithValues: present.roles.map { ($0.node, $0.role) })
    parameters = present.parameters
  }

  /// Gives `node` a role, in the place of the one it has.
  package mutating func assign(_ role: NodeRole, to node: NodeID) { roles[node] = role }

  /// Takes the role of `node` away, if it has one.
  package mutating func remove(_ node: NodeID) { roles[node] = nil }

  /// What is staged.
  package var changes: LayoutDifference {
    LayoutDifference(
      from: present?.roles ?? [], present?.parameters, to: assignedRoles, parameters)
  }

  private var assignedRoles: [AssignedRole] {
    roles.map(AssignedRole.init).sorted { $0.node < $1.node }
  }

  /// The next version.
  ///
  /// - Parameter endings: The endings of members that stand now, in any order.
  /// - Throws: `LayoutRefusal` with what an operator can do.
  package func apply(under endings: [RecordID]) throws(LayoutRefusal) -> LayoutVersion {
    guard !changes.isEmpty else { throw .nothingChanged }
    let roles = assignedRoles
    try parameters.check()
    for assigned in roles { try assigned.check() }
    let storage = roles.filter { !$0.role.isGateway }
    try checkNumbers(of: storage)
    let everyone = storage.map(\.node)
    do throws(BinaryError) {
      return try LayoutVersion(
        number: (present?.number ?? 0) + 1, predecessor: present?.hash, cluster: cluster,
        parameters: parameters, roles: roles,
        holders: Array(repeating: everyone, count: LayoutVersion.partitionCount),
        endings: Array(Set(endings)))
    } catch {
      throw .tooLarge
    }
  }

  private func checkNumbers(of storage: [AssignedRole]) throws(LayoutRefusal) {
    guard !storage.isEmpty else { throw .noStorageNode }
    let copies = parameters.replicationFactor
    guard storage.count <= copies else {
      throw .moreNodesThanCopies(storageNodes: storage.count, copies: copies)
    }
    guard case .atLeast(let zones) = parameters.zoneRedundancy else { return }
    let present = Set(storage.map { Array($0.role.zone.utf8) }).count
    let needed = min(zones, storage.count)
    guard present >= needed else { throw .tooFewZones(zones: present, needed: needed) }
  }
}
