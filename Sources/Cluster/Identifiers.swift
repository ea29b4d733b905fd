// Names of clusters, invites and records.

package import Base

/// Tags of `InviteID` and `RecordID`.
package enum InviteTag: Sendable {}
package enum RecordTag: Sendable {}

/// An invite's name: 16 random bytes.
package typealias InviteID = Identifier16<InviteTag>

/// A record's name: the first 256 bits of the BLAKE2b-512 of all its bytes, the signature's too.
package typealias RecordID = Identifier32<RecordTag>

extension InviteID {
  /// What an admission names that came by no invite: the founder's.
  package static let none = InviteID(high: 0, low: 0)
}
