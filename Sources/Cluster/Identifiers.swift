// Names of invites.

package import Base

/// Tag of `InviteID`.
package enum InviteTag: Sendable {}

/// An invite's name: 16 random bytes.
package typealias InviteID = Identifier16<InviteTag>

extension InviteID {
  /// What an admission names that came by no invite: the founder's.
  package static let none = InviteID(high: 0, low: 0)
}
