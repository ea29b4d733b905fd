// The small state that every node holds whole (docs/formats/cluster-state.md): a set of signed records.
//
// Two nodes that merge each other's records hold the same set, whatever the order: member records are never replaced;
// of announcements and settings the newer one stays, by rules that look at the two records alone. Who is a member, and
// which invite counts, is computed from the set.
//
// Invariants:
//   1. Every record that is held is of this cluster, signed by its signer, and its signer was ever admitted.
//   2. A revocation is held beside its invite only.
//   3. Of layout versions those are held that follow each other from the first one on, and none is ever replaced.
//   4. What is held is within `limits`. At a bound, what counts takes the place of what does not, or is refused.

package import Base
package import Codecs
package import Layout

/// The state of a cluster, as one node knows it.
package struct ClusterState: Sendable {
  package let cluster: ClusterID
  /// The founder's key, which came with the cluster ID.
  package let founder: NodeID
  package let limits: StateLimits

  /// The names of all records, ascending.
  package internal(set) var ids: [RecordID] = []
  /// To look records up; its order is never looked at.
  var records: [RecordID: ClusterRecord] = [:]
  var memberRecords: MemberRecords
  var layout = MemberRecords.Layout()
  /// By record ID: two records may name one invite.
  var heldInvites = SortedRecords<RecordID, Invite>()
  var heldRevocations = SortedRecords<RecordID, InviteRevocation>()
  var heldAnnouncements = SortedRecords<NodeID, Announcement>()
  var heldSettings = SortedRecords<String.UTF8Key, ClusterSetting>()
  /// By number.
  var heldLayouts = SortedRecords<UInt64, LayoutRecord>()
  var announcementBytes = 0
  /// Who is a member, by the member records that are held.
  package internal(set) var membership: Membership

  /// The state of a cluster of which no record is known yet.
  package init(cluster: ClusterID, founder: NodeID, limits: StateLimits = StateLimits()) {
    self.cluster = cluster
    self.founder = founder
    self.limits = limits
    memberRecords = MemberRecords(founder: founder, limits: limits)
    layouts = LayoutHistory(cluster: cluster)
    membership = memberRecords.membership(layout)
  }

  /// What decided layouts say of records and keys: see `Membership`.
  mutating func setLayout(ranks: [RecordID: Int], roles: [NodeID]) {
    layout = MemberRecords.Layout(ranks: ranks, roles: roles)
    membership = memberRecords.membership(layout)
  }

  /// Whether `key` is the founder's or an admission of it is held, voided or not.
  package func wasEverAdmitted(_ key: NodeID) -> Bool {
    memberRecords.everAdmitted.contains(key)
  }

  /// A record by its name.
  package subscript(id: RecordID) -> ClusterRecord? { records[id] }

  /// Admissions and endings, by record ID.
  package var members: [MemberRecord] { memberRecords.held.records }
  /// Invites, by record ID.
  package var invites: [Invite] { heldInvites.records }
  /// Revocations of invites, by record ID.
  package var revocations: [InviteRevocation] { heldRevocations.records }
  /// Announcements, by node; of keys that are no members any more too.
  package var announcements: [Announcement] { heldAnnouncements.records }
  /// Settings, by name.
  package var settings: [ClusterSetting] { heldSettings.records }

  /// The versions of the layout that were decided.
  package internal(set) var layouts: LayoutHistory
  /// The records that say so, by number.
  package var layoutRecords: [LayoutRecord] { heldLayouts.records }
  /// The newest version; `nil` before there is one.
  package var currentLayout: LayoutVersion? { layouts.current }

  /// The invites of this name: one, unless a member signed another one of the same name.
  package func invites(named invite: InviteID) -> [Invite] {
    invites.filter { $0.body.invite == invite }
  }

  /// What `node` told of itself last.
  package func announcement(of node: NodeID) -> Announcement? { heldAnnouncements[node] }

  /// The value of a setting; `nil` when nobody set it.
  package func setting(_ name: String) -> ClusterSetting? { heldSettings[String.UTF8Key(name)] }

  /// Why an invite lets nobody in; `nil` when it does.
  package func refusal(of invite: Invite, now: WallTime) -> InviteRefusal? {
    invite.body.refusal(under: membership, revocations: revocations, now: now)
  }

  // MARK: As bytes

  /// The most records that a state can hold.
  private var recordsMax: Int {
    limits.memberRecordsMax + limits.invitesMax * (1 + limits.revocationsOfInviteMax)
      + limits.announcementsMax + limits.settingsMax + StateLimits.layoutsMax
  }

  /// The whole state, for a joiner.
  package var encoded: [UInt8] {
    var writer = BinaryWriter(capacity: 4096)
    writer.version(1)
    writer.id(cluster)
    writer.id(founder)
    writer.list(ids) { $0.bytes(records[$1]?.bytes ?? []) }
    return writer.bytes
  }

  /// Reads a state that another node wrote.
  ///
  /// Records that this node refuses are left out: of kinds that it does not know, expired by its clock, forged.
  ///
  /// - Throws: `BinaryError` when the bytes are no list of records.
  package init(
    decoding bytes: [UInt8], now: WallTime, limits: StateLimits = StateLimits()
  ) throws(BinaryError) {
    guard bytes.count <= JoinAnswer.stateBytesMax else { throw .overLimit }
    var found: [[UInt8]] = []
    self = try BinaryReader.read(bytes) { (reader: inout BinaryReader) throws(BinaryError) in
      _ = try reader.version(upTo: 1)
      let state = ClusterState(
        cluster: try reader.id(), founder: try reader.id(), limits: limits)
      found = try reader.list(max: state.recordsMax) {
        (reader: inout BinaryReader) throws(BinaryError) in
        try reader.bytes(max: RecordLimits.longestBytesMax)
      }
      return state
    }
    merge(found, now: now)
  }
}

extension String {
  /// A text by its bytes: Swift's own order takes different spellings for equal.
  struct UTF8Key: Comparable, Sendable {
    private let bytes: [UInt8]

    init(_ text: String) { bytes = Array(text.utf8) }

    static func < (left: Self, right: Self) -> Bool {
      left.bytes.lexicographicallyPrecedes(right.bytes)
    }
  }
}
