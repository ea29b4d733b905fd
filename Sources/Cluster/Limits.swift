// What a record and the whole state may hold, as anything can come in by gossip.
//
// The sum of what is held stays below `JoinAnswer.stateBytesMax`, so that a joiner always gets it in one piece.

import Layout

/// The bounds of single records.
package enum RecordLimits {
  /// An admission or an ending; an ending that keeps `keepsMax` records has 17 KiB; the rest is for fields of later versions.
  package static let bytesMax = 32 << 10
  /// As many as a node holds of one signer (`StateLimits`), so that a plain `remove` can keep all of them.
  package static let keepsMax = StateLimits.memberRecordsOfOneMax
  /// An invite of today has 280 bytes at most.
  package static let inviteBytesMax = 1 << 10
  /// A revocation of today has 147 bytes.
  package static let revocationBytesMax = 512
  /// Full lists of long host names are cut by whoever announces: addresses of IP are what is dialled.
  package static let announcementBytesMax = 2 << 10
  /// A name and a value, and room for later fields.
  package static let settingBytesMax = 1 << 10
  /// A version of the layout, with what is around it.
  package static let layoutBytesMax = LayoutLimits.versionBytesMax + 1 << 10
  /// Of any kind.
  package static let longestBytesMax = layoutBytesMax

  /// Linux's longest host name.
  package static let hostNameBytesMax = 64
  /// As long as a role's.
  package static let zoneBytesMax = LayoutLimits.zoneBytesMax
  /// A version with what a packager adds.
  package static let programBytesMax = 64
  /// A capability takes a number until no supported version is without it.
  package static let featuresMax = 64
  /// Two families, each with a LAN address, a public, a mapped and an observed one, twice.
  package static let addressesMax = 16
  /// Longer than any key of the configuration.
  package static let settingNameBytesMax = 64
  /// Values are words and numbers.
  package static let settingValueBytesMax = 256
  /// More than any collective has nodes; a mistyped figure is told.
  package static let inviteUsesMax = 1000
}

/// The bounds of what a node holds of its cluster.
package struct StateLimits: Equatable, Sendable {
  /// Of one signer: more than anybody admits in a lifetime, and a quarter of all.
  package static let memberRecordsOfOneMax = 512

  /// Admissions and endings, which are kept for ever: a hundred nodes replaced ten times.
  ///
  /// Who is a member is decided anew with each: that takes milliseconds, and a tenth of a second for the worst set of so many.
  package var memberRecordsMax = 2048
  /// See `StateLimits.memberRecordsOfOneMax`.
  package var memberRecordsOfOneMax = StateLimits.memberRecordsOfOneMax
  /// So many admissions take 400 KiB; the rest is for endings, with what they keep.
  package var memberBytesMax = 1 << 20
  /// A quarter of it.
  package var memberBytesOfOneMax = 256 << 10

  /// Invites that are open or expired within `expiredKept`.
  package var invitesMax = 256
  /// Of one issuer.
  package var invitesOfOneMax = 64
  /// One is enough; the others are those that were signed at the same time on two sides of a partition.
  package var revocationsOfInviteMax = 4

  /// One for each key that is a member, and as many for keys that were.
  package var announcementsMax = 1024
  /// They take 300 bytes each, as a rule.
  package var announcementBytesMax = 768 << 10

  /// There are a handful of settings.
  package var settingsMax = 64
  /// Set by one node.
  package var settingsOfOneMax = 32

  /// Layout versions: nothing decides more than the first yet.
  package static let layoutsMax = 1

  /// The bounds of a running node; tests take smaller ones.
  package init() {}
}
