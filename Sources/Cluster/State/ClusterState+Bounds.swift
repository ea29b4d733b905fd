// Invites, revocations, announcements and settings, each within its bounds.
//
// At a bound, what counts takes the place of what does not: of several, of that with the greatest name.

import Base

extension ClusterState {
  mutating func take(_ invite: Invite, _ pass: inout MergePass) -> MergeOutcome {
    var removed: [RecordID] = []
    let issuer = invite.body.issuer
    if invites.count(where: { $0.body.issuer == issuer }) >= limits.invitesOfOneMax {
      guard makeRoom(for: invite, &removed, &pass, among: { $0.body.issuer == issuer }) else {
        return .refused(.full(.invitesOf(issuer)))
      }
    }
    if invites.count >= limits.invitesMax {
      guard makeRoom(for: invite, &removed, &pass, among: { _ in true }) else {
        return .refused(.full(.invites))
      }
    }
    heldInvites[invite.id] = invite
    remember(.invite(invite))
    return .added(invite.id, removed: removed)
  }

  /// Drops an invite that lets nobody in, if `invite` does; `false` when there is none.
  private mutating func makeRoom(
    for invite: Invite, _ removed: inout [RecordID], _ pass: inout MergePass,
    among isCandidate: (Invite) -> Bool
  ) -> Bool {
    refreshMembership(&pass)
    guard refusal(of: invite, now: pass.now) == nil,
      let useless = invites.last(where: {
        isCandidate($0) && refusal(of: $0, now: pass.now) != nil
      })
    else { return false }
    removed += drop(useless)
    return true
  }

  /// Drops an invite, and its revocations unless another one has its name.
  mutating func drop(_ invite: Invite) -> [RecordID] {
    heldInvites[invite.id] = nil
    var removed = forget(invite.id)
    guard invites(named: invite.body.invite).isEmpty else { return removed }
    for revocation in revocations where revocation.body.invite == invite.body.invite {
      heldRevocations[revocation.id] = nil
      removed += forget(revocation.id)
    }
    return removed
  }

  mutating func take(_ revocation: InviteRevocation) -> MergeOutcome {
    let others = revocations.filter { $0.body.invite == revocation.body.invite }
    var removed: [RecordID] = []
    if others.count >= limits.revocationsOfInviteMax {
      // Those with the least names stay: on all nodes the same, should many revoke at once.
      guard let useless = others.last, useless.id > revocation.id else {
        return .refused(.full(.revocationsOf(revocation.body.invite)))
      }
      heldRevocations[useless.id] = nil
      removed = forget(useless.id)
    }
    heldRevocations[revocation.id] = revocation
    remember(.revocation(revocation))
    return .added(revocation.id, removed: removed)
  }

  mutating func take(_ announcement: Announcement, _ pass: inout MergePass) -> MergeOutcome {
    let node = announcement.body.node
    let older = heldAnnouncements[node]
    let size = announcement.bytes.count - (older?.bytes.count ?? 0)
    func isFull() -> Bool {
      (older == nil && heldAnnouncements.count >= limits.announcementsMax)
        || announcementBytes + size > limits.announcementBytesMax
    }
    var removed: [RecordID] = []
    while isFull() {
      refreshMembership(&pass)
      let useless = announcements.last {
        $0.body.node != node && !membership.contains($0.body.node)
      }
      guard membership.contains(node), let useless else {
        return .refused(.full(.announcements))
      }
      removed += drop(useless)
    }
    if let older { removed += drop(older) }
    heldAnnouncements[node] = announcement
    announcementBytes += announcement.bytes.count
    remember(.announcement(announcement))
    return .added(announcement.id, removed: removed)
  }

  mutating func drop(_ announcement: Announcement) -> [RecordID] {
    heldAnnouncements[announcement.body.node] = nil
    announcementBytes -= announcement.bytes.count
    return forget(announcement.id)
  }

  mutating func take(_ setting: ClusterSetting, _ pass: inout MergePass) -> MergeOutcome {
    var removed: [RecordID] = []
    let older = self.setting(setting.body.name)
    let others = settings.filter { $0.body.name != setting.body.name }
    let own = others.filter { $0.body.node == setting.body.node }
    guard own.count < limits.settingsOfOneMax else {
      return .refused(.full(.settingsOf(setting.body.node)))
    }
    if others.count >= limits.settingsMax {
      refreshMembership(&pass)
      let useless = others.last { !membership.contains($0.body.node) }
      guard membership.contains(setting.body.node), let useless else {
        return .refused(.full(.settings))
      }
      heldSettings[String.UTF8Key(useless.body.name)] = nil
      removed += forget(useless.id)
    }
    if let older { removed += forget(older.id) }
    heldSettings[String.UTF8Key(setting.body.name)] = setting
    remember(.setting(setting))
    return .added(setting.id, removed: removed)
  }
}
