// When an invite lets somebody in.

package import Base

/// Why an invite lets nobody in.
package enum InviteRefusal: Equatable, Sendable {
  /// These took it back, ascending; they were members then.
  case revoked(by: [NodeID])
  /// Who issued it is no member any more.
  case issuerNotMember(NodeID, Membership.Absence)
  /// It ended before now, by the clock of the node that judges.
  case expired(at: WallTime, now: WallTime)
  /// It has let in as many as it may.
  case usedUp(uses: Int, usesMax: Int)
}

extension InviteBody {
  /// Why the invite lets nobody in now; `nil` when it does.
  ///
  /// - Parameters:
  ///   - revocations: Those that are held, of other invites too. One stands also when its signer is no member any more: an
  ///     invite that was taken back does not open again.
  ///   - now: The judge's clock, not the joiner's: old PCs start in 1970.
  package func refusal(
    under membership: Membership, revocations: some Sequence<InviteRevocation>, now: WallTime
  ) -> InviteRefusal? {
    let revokers = sortedUnique(
      revocations.filter { $0.body.invite == invite }.map(\.body.signer))
    if !revokers.isEmpty { return .revoked(by: revokers) }
    if let absence = membership.absence(of: issuer) { return .issuerNotMember(issuer, absence) }
    if expiry <= now { return .expired(at: expiry, now: now) }
    let uses = membership.uses(of: invite)
    return uses < usesMax ? nil : .usedUp(uses: uses, usesMax: usesMax)
  }
}
