// What a node takes into its state, and what not.

import Base
import Cluster
import Codecs
import Testing

@Suite struct ClusterStateTests {
  private let people = People()

  private func state(_ records: [UInt8]..., limits: StateLimits = StateLimits()) -> ClusterState {
    var state = ClusterState(cluster: people.cluster, founder: people["A"].id, limits: limits)
    state.merge(records, now: wall(0))
    return state
  }

  @Test func anAdmissionMakesAMember() throws {
    var state = state()
    #expect(people.letters(state.membership.members) == "A")
    let admission = try people.admission("B", by: "A")
    #expect(state.merge(admission.bytes, now: wall(0)) == .added(admission.id, removed: []))
    #expect(state.merge(admission.bytes, now: wall(0)) == .known)
    #expect(people.letters(state.membership.members) == "AB")
    let ending = try people.ending("B", by: "A")
    #expect(state.merge(ending.bytes, now: wall(0)) == .added(ending.id, removed: []))
    #expect(people.letters(state.membership.members) == "A")
    #expect(state.wasEverAdmitted(people["B"].id))
    #expect(state[ending.id] == .ending(ending))
  }

  @Test func whatIsNotOfTheClusterIsRefused() throws {
    var state = state(try people.admission("B", by: "A").bytes)
    let other = People(cluster: 8)
    #expect(
      state.merge(try other.admission("C", by: "A").bytes, now: wall(0))
        == .refused(.wrongCluster(other.cluster)))
    var forged = try people.admission("C", by: "A").bytes
    forged[forged.count - 1] ^= 1
    #expect(state.merge(forged, now: wall(0)) == .refused(.wrongSignature))
    #expect(state.merge([1, 2, 3], now: wall(0)) == .refused(.malformed(.truncated)))
    #expect(
      state.merge(try people.admission("B", by: "B").bytes, now: wall(0))
        == .refused(.selfAdmission))
    for record in try [
      people.admission("D", by: "C").bytes, people.ending("A", by: "C").bytes,
      people.invite(1, by: "C").bytes, people.announcement(of: "C", 1).bytes,
      people.setting("a", "b", at: 1, by: "C").bytes,
    ] {
      #expect(state.merge(record, now: wall(0)) == .refused(.unknownSigner(people["C"].id)))
    }
    #expect(
      state.merge(try people.revocation(1, by: "A").bytes, now: wall(0))
        == .refused(.unknownInvite(InviteID(high: 1, low: 1))))
    #expect(state.ids.count == 1)
  }

  @Test func recordsOfOneCallMayComeInAnyOrder() throws {
    let records = try [
      people.announcement(of: "D", 1).bytes, people.revocation(1, by: "D").bytes,
      people.admission("D", by: "C").bytes, people.invite(1, by: "C").bytes,
      people.admission("C", by: "B").bytes, people.admission("B", by: "A").bytes,
      people.admission("A", by: "A").bytes,
    ]
    var state = state()
    for outcome in state.merge(records + records.prefix(1), now: wall(0)).dropLast() {
      guard case .added = outcome else {
        Issue.record("\(outcome)")
        continue
      }
    }
    #expect(state.ids.count == 7)
    #expect(people.letters(state.membership.members) == "ABCD")
  }

  @Test func theNewerAnnouncementStays() throws {
    let first = try people.announcement(of: "A", 1)
    let second = try people.announcement(of: "A", 2)
    var state = state(first.bytes)
    #expect(state.merge(second.bytes, now: wall(0)) == .added(second.id, removed: [first.id]))
    #expect(state.merge(first.bytes, now: wall(0)) == .superseded)
    #expect(state.announcements == [second] && state.ids == [second.id])
  }

  @Test func theLastWriterOfASettingWins() throws {
    var state = state(try people.admission("B", by: "A").bytes)
    let first = try people.setting("replication", "auto", at: 1, by: "A")
    let second = try people.setting("replication", "2", at: 2, by: "B")
    state.merge([second.bytes], now: wall(0))
    #expect(state.merge(first.bytes, now: wall(0)) == .superseded)
    #expect(state.setting("replication")?.value == "2")
    let other = try people.setting("layout", "manual", at: 1, by: "A")
    #expect(state.merge(other.bytes, now: wall(0)) == .added(other.id, removed: []))
    #expect(state.settings.map(\.body.name) == ["layout", "replication"])
  }

  @Test func invitesAreForgottenAMonthAfterTheirEnd() throws {
    let invite = try people.invite(1, by: "A", expiry: 1000)
    let revocation = try people.revocation(1, by: "A")
    var state = state(invite.bytes, revocation.bytes)
    let month = ClusterState.expiredInviteKeptMilliseconds
    #expect(state.dropExpired(now: wall(1000 + month)).isEmpty)
    #expect(Set(state.dropExpired(now: wall(1001 + month))) == [invite.id, revocation.id])
    #expect(state.ids.isEmpty && state.invites.isEmpty && state.revocations.isEmpty)
    #expect(
      state.merge(invite.bytes, now: wall(1001 + month)) == .refused(.expired(wall(1000))))
    #expect(state.merge(invite.bytes, now: wall(Int64.min)) == .added(invite.id, removed: []))
  }

  @Test func revocationsCountFromTheState() throws {
    let invite = try people.invite(1, by: "A")
    var state = state(invite.bytes)
    #expect(state.refusal(of: invite, now: wall(0)) == nil)
    state.merge(try people.revocation(1, by: "A").bytes, now: wall(0))
    #expect(state.refusal(of: invite, now: wall(0)) == .revoked(by: [people["A"].id]))
    #expect(state.invites(named: InviteID(high: 1, low: 1)) == [invite])
  }

  @Test func layoutsSayWhatStands() throws {
    let voided = try people.ending("A", by: "B")
    var state = state(
      try people.admission("B", by: "A").bytes, try people.ending("B", by: "A").bytes, voided.bytes)
    #expect(people.letters(state.membership.members) == "")
    let layout = try people.layout("A", under: [try people.ending("B", by: "A").id], by: "A")
    #expect(state.merge(layout.bytes, now: wall(0)) == .added(layout.id, removed: []))
    #expect(people.letters(state.membership.members) == "A")
  }

  @Test func groundsSayWhyAndNothingElse() throws {
    let needed = [
      try people.admission("B", by: "A").bytes, try people.admission("C", by: "B").bytes,
      try people.ending("C", by: "B").bytes,
    ]
    let others = [
      try people.admission("D", by: "A").bytes, try people.admission("E", by: "D").bytes,
      try people.ending("D", by: "E").bytes, try people.invite(1, by: "B").bytes,
    ]
    var state = state()
    state.merge(needed + others, now: wall(0))
    let grounds = state.grounds(for: people["C"].id)
    #expect(Set(grounds) == Set(needed))
    // Who knows nothing but these comes to the same.
    var asker = self.state()
    asker.merge(grounds, now: wall(0))
    #expect(
      asker.membership.absence(of: people["C"].id) == state.membership.absence(of: people["C"].id))
    #expect(state.grounds(for: people["F"].id).isEmpty)
  }

  @Test func goesToAJoinerInOnePiece() throws {
    let state = state(
      try people.admission("B", by: "A").bytes, try people.admission("C", by: "B").bytes,
      try people.invite(1, by: "C").bytes, try people.announcement(of: "C", 4).bytes)
    let read = try ClusterState(decoding: state.encoded, now: wall(0))
    #expect(read.ids == state.ids && read.digest == state.digest)
    #expect(read.membership.members == state.membership.members)
    #expect(read.encoded == state.encoded)
    #expect(
      Hex.encode(self.state().encoded) == "01" + people.cluster.hex + people["A"].id.hex + "00")
    // A later version adds fields to the whole.
    #expect(try ClusterState(decoding: state.encoded + [1], now: wall(0)).ids == state.ids)
    #expect(throws: BinaryError.truncated) {
      try ClusterState(decoding: state.encoded.dropLast(), now: wall(0))
    }
  }

  @Test func aFullStateFitsIntoTheAnswer() {
    let limits = StateLimits()
    let invites = limits.invitesMax * RecordLimits.inviteBytesMax
    let revocations =
      limits.invitesMax * limits.revocationsOfInviteMax * RecordLimits.revocationBytesMax
    let settings = limits.settingsMax * RecordLimits.settingBytesMax
    let records =
      limits.memberRecordsMax + limits.invitesMax * (1 + limits.revocationsOfInviteMax)
      + limits.announcementsMax + limits.settingsMax
    let all = limits.memberBytesMax + invites + revocations + limits.announcementBytesMax + settings
    // Each with a count of three bytes at most.
    #expect(all + records * 3 + 100 < JoinAnswer.stateBytesMax)
  }

  @Test func theDigestIsThatOfTheNames() throws {
    #expect(Hex.encode(state().digest) == "786a02f742015903c6c6fd852552d272")
    let one = state(try people.admission("B", by: "A").bytes)
    #expect(Hex.encode(one.digest) == "5d8b3bc27328807e61b31f6ad426fd78")
  }
}
