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
    let (cluster, mesh) = state.withLock { ($0.cluster, $0.mesh) }
    guard let cluster else { return [] }
    var lines: [String] = []
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
    return lines
  }
}
