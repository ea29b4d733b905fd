// The members as one node sees them, for people.

package import Base
package import Mesh
import Reactor
import Synchronization

/// A member.
package struct MemberFacts: Sendable {
  package var node: NodeID
  package var isFounder: Bool
  /// What it tells of itself; `nil` before it was heard.
  package var announcement: AnnouncementBody?
  /// The connection to it; `nil` for this node itself.
  package var peer: PeerStatus?
}

extension ClusterService {
  /// All members, this node first, then in the order of their IDs.
  package var members: [MemberFacts] {
    let (cluster, mesh) = state.withLock { ($0.cluster, $0.mesh) }
    guard let cluster else { return [] }
    let peers = mesh?.statuses ?? []
    let others = cluster.membership.members.filter { $0 != own }
    let known = cluster.membership.contains(own) ? [own] + others : others
    return known.map { node in
      MemberFacts(
        node: node, isFounder: node == cluster.founder,
        announcement: cluster.announcement(of: node)?.body,
        peer: peers.first { $0.node == node })
    }
  }

  /// What an operator should look at.
  package var attention: [String] {
    let (cluster, mesh, hasConflict) = state.withLock {
      ($0.cluster, $0.mesh, $0.hasLayoutConflict)
    }
    guard let cluster else { return [] }
    var lines: [String] = []
    if hasConflict {
      lines.append(
        "the founder has signed two first layout versions, and this node keeps the one that it heard of first: "
          + "compare `grange layout show` on all nodes, and remove those that keep the other one; "
          + "was the founder's disk copied, or set back to an older state?")
    }
    for peer in mesh?.statuses ?? [] where peer.isCloned {
      lines.append(
        "two computers run with the key of node \(peer.node.short): a disk was copied; stop one of them"
      )
    }
    for invite in cluster.invites {
      let uses = cluster.membership.uses(of: invite.body.invite)
      guard uses > invite.body.usesMax else { continue }
      lines.append(
        "the invite \(invite.body.invite.hex.prefix(8)) for \(invite.body.usesMax) let \(uses) nodes in, through members "
          + "that did not see each other: remove who should not be there (`grange node remove`)")
    }
    return lines + expulsions(cluster)
  }

  /// How long an expulsion is shown: until somebody has looked, even one who looks once a week.
  private static let expulsionShownMilliseconds: UInt64 = 7 * 86_400_000

  /// Members that expelled others lately, by the time that they say.
  private func expulsions(_ cluster: ClusterState) -> [String] {
    func name(_ node: NodeID) -> String {
      let hostName = cluster.announcement(of: node)?.body.hostName ?? ""
      return hostName.isEmpty ? node.short : "\(hostName) (\(node.short))"
    }
    let now = runtime.wallNow.milliseconds
    var expelled: [NodeID: [NodeID]] = [:]
    for case .ending(let ending) in cluster.members
    where ending.signer != ending.subject && cluster.membership.contains(ending.signer)
      && !cluster.membership.contains(ending.subject)
      && now.subtractingReportingOverflow(ending.signed.milliseconds).partialValue.magnitude
        < Self.expulsionShownMilliseconds
    {
      expelled[ending.signer, default: []].append(ending.subject)
    }
    return expelled.sorted { $0.key < $1.key }.map { signer, subjects in
      "\(name(signer)) removed \(subjects.sorted().map(name).joined(separator: ", ")); if you did not want that, run "
        + "`grange node remove \(signer.short)` on a node that it has not removed"
    }
  }
}
