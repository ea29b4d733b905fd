// What a node can hold too much of.

package import Base

/// Which bound of the state was met.
package enum StateBound: Equatable, Sendable {
  /// Admissions and endings of one signer.
  case memberRecordsOf(NodeID)
  /// All admissions and endings.
  case memberRecords
  /// Invites of one issuer.
  case invitesOf(NodeID)
  /// All invites.
  case invites
  /// Revocations of one invite.
  case revocationsOf(InviteID)
  case announcements
  /// Settings that one node set.
  case settingsOf(NodeID)
  case settings
}
