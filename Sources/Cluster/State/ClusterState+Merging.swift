// Takes records in.

package import Base
package import Codecs

/// Why a record is not taken.
package enum MergeRefusal: Equatable, Sendable {
  /// It is no record, or of a kind that only a newer program knows.
  case malformed(BinaryError)
  case wrongCluster(ClusterID)
  case wrongSignature
  /// Its signer was never admitted, by what is known here: its admission goes first.
  case unknownSigner(NodeID)
  /// A revocation of an invite that is not known here.
  case unknownInvite(InviteID)
  /// Only the founder admits itself.
  case selfAdmission
  /// An invite that ended long ago.
  case expired(WallTime)
  /// A layout version above the first, of this number: only a newer program knows who decides these.
  case laterLayout(UInt64)
  /// A first layout version that somebody signed who is not the founder.
  case layoutNotByFounder(NodeID)
  /// A layout version of this number is held, and it is another one: the held one stays.
  case otherLayout(UInt64)
  /// No room, and nothing that this may take the place of.
  case full(StateBound)
}

/// What came of a record.
package enum MergeOutcome: Equatable, Sendable {
  /// It is held now, and these are not any more: what it replaced, and what it took the place of.
  case added(RecordID, removed: [RecordID])
  /// It was held already.
  case known
  /// A newer one in its place is held.
  case superseded
  case refused(MergeRefusal)
}

extension ClusterState {
  /// How long after its end an invite is still held, for `invites` to show: a month.
  package static let expiredInviteKeptMilliseconds: Int64 = 30 * 86_400_000

  /// Takes one record.
  @discardableResult
  package mutating func merge(_ record: [UInt8], now: WallTime) -> MergeOutcome {
    merge([record], now: now)[0]
  }

  /// Takes records in whatever order makes most of them welcome; says for each what came of it.
  ///
  /// - Parameter now: This node's clock, for invites that ended long ago.
  @discardableResult
  package mutating func merge(_ all: [[UInt8]], now: WallTime) -> [MergeOutcome] {
    var outcomes = [MergeOutcome](repeating: .known, count: all.count)
    var open: [(place: Int, record: ClusterRecord)] = []
    for (place, bytes) in all.enumerated() {
      do throws(BinaryError) {
        let record = try ClusterRecord(decoding: bytes)
        if record.cluster != cluster {
          outcomes[place] = .refused(.wrongCluster(record.cluster))
        } else if records[record.id] == nil {
          open.append((place, record))
        }
      } catch {
        outcomes[place] = .refused(.malformed(error))
      }
    }
    open.sort {
      ($0.record.kind.rawValue, $0.record.id) < ($1.record.kind.rawValue, $1.record.id)
    }
    var pass = MergePass(now: now)
    var count = open.count + 1
    // An admission may make another record's signer known; with nothing new there is nothing to hope for.
    while open.count < count {
      count = open.count
      open.removeAll { place, record in
        guard missing(for: record) == nil else { return false }
        outcomes[place] = take(record, &pass)
        return true
      }
    }
    for (place, record) in open {
      if let refusal = missing(for: record) { outcomes[place] = .refused(refusal) }
    }
    refreshMembership(&pass)
    return outcomes
  }

  /// Drops invites that ended more than a month ago, with their revocations; names what is gone.
  package mutating func dropExpired(now: WallTime) -> [RecordID] {
    var removed: [RecordID] = []
    for invite in invites where Self.isLongExpired(invite.body.expiry, now) {
      removed += drop(invite)
    }
    return removed
  }

  private static func isLongExpired(_ expiry: WallTime, _ now: WallTime) -> Bool {
    now.milliseconds > expiredInviteKeptMilliseconds
      && expiry.milliseconds < now.milliseconds - expiredInviteKeptMilliseconds
  }

  /// What has to be held before `record` is.
  private func missing(for record: ClusterRecord) -> MergeRefusal? {
    if !wasEverAdmitted(record.signer) { return .unknownSigner(record.signer) }
    if case .revocation(let revocation) = record, invites(named: revocation.body.invite).isEmpty {
      return .unknownInvite(revocation.body.invite)
    }
    return nil
  }

  private mutating func take(_ record: ClusterRecord, _ pass: inout MergePass) -> MergeOutcome {
    // One of the same call.
    if records[record.id] != nil { return .known }
    if isSuperseded(record) { return .superseded }
    if case .admission(let admission) = record, admission.body.subject == admission.body.signer,
      admission.body.signer != founder
    {
      return .refused(.selfAdmission)
    }
    if case .invite(let invite) = record, Self.isLongExpired(invite.body.expiry, pass.now) {
      return .refused(.expired(invite.body.expiry))
    }
    guard record.isSignatureValid else { return .refused(.wrongSignature) }
    switch record {
    case .admission(let admission): return take(.admission(admission), as: record, &pass)
    case .ending(let ending): return take(.ending(ending), as: record, &pass)
    case .invite(let invite): return take(invite, &pass)
    case .revocation(let revocation): return take(revocation)
    case .announcement(let announcement): return take(announcement, &pass)
    case .setting(let setting): return take(setting, &pass)
    case .layout(let layout): return take(layout, &pass)
    }
  }

  private func isSuperseded(_ record: ClusterRecord) -> Bool {
    switch record {
    case .announcement(let announcement):
      heldAnnouncements[announcement.body.node].map { $0.replaces(announcement) } ?? false
    case .setting(let setting):
      self.setting(setting.body.name).map { $0.replaces(setting) } ?? false
    case .admission, .ending, .invite, .revocation, .layout: false
    }
  }

  private mutating func take(
    _ member: MemberRecord, as record: ClusterRecord, _ pass: inout MergePass
  ) -> MergeOutcome {
    switch memberRecords.add(member, layout, pinned: settings.map(\.body.node) + layout.roles) {
    case .full(let bound): return .refused(.full(bound))
    case .added(let victims):
      pass.isMembershipStale = true
      for victim in victims { forget(victim.id) }
      remember(record)
      return .added(
        member.id, removed: victims.map(\.id) + (victims.isEmpty ? [] : dropStrangers()))
    }
  }

  /// Drops what is signed by keys whose admissions were dropped; names it.
  private mutating func dropStrangers() -> [RecordID] {
    var removed: [RecordID] = []
    for announcement in announcements where !wasEverAdmitted(announcement.body.node) {
      removed += drop(announcement)
    }
    for invite in invites where !wasEverAdmitted(invite.body.issuer) { removed += drop(invite) }
    for revocation in revocations where !wasEverAdmitted(revocation.body.signer) {
      heldRevocations[revocation.id] = nil
      removed += forget(revocation.id)
    }
    return removed
  }

  mutating func refreshMembership(_ pass: inout MergePass) {
    if pass.isMembershipStale { membership = memberRecords.membership(layout) }
    pass.isMembershipStale = false
  }

  mutating func remember(_ record: ClusterRecord) {
    records[record.id] = record
    ids.insert(record.id, at: placeOfID(record.id))
  }

  @discardableResult
  mutating func forget(_ id: RecordID) -> [RecordID] {
    guard records.removeValue(forKey: id) != nil else { return [] }
    ids.remove(at: placeOfID(id))
    return [id]
  }

  private func placeOfID(_ id: RecordID) -> Int {
    var (low, high) = (0, ids.count)
    while low < high {
      let middle = (low + high) / 2
      if ids[middle] < id { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

/// What one call of `merge` knows.
struct MergePass {
  let now: WallTime
  /// Whether member records changed since `membership` was computed.
  var isMembershipStale = false
}
