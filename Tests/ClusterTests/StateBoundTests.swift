// What happens when there is no room: nobody fills the part of others, and who was expelled makes room.

import Base
import Cluster
import Codecs
import Testing

@Suite struct StateBoundTests {
  private let people = People()

  private func state(_ change: (inout StateLimits) -> Void) -> ClusterState {
    var limits = StateLimits()
    change(&limits)
    return ClusterState(cluster: people.cluster, founder: people["A"].id, limits: limits)
  }

  /// `signer` admits keys that do nothing else.
  private func junk(_ numbers: Range<Int>, by signer: Character) throws -> [Admission] {
    try numbers.map { number in
      try Admission(
        signing: AdmissionBody(
          cluster: people.cluster, subject: Person(number: 1000 + number).id,
          signer: people[signer].id, invite: .none, signed: wall(0)), with: people[signer].key)
    }
  }

  @Test func oneSignerFillsItsOwnPartOnly() throws {
    var state = state { $0.memberRecordsOfOneMax = 5 }
    state.merge([try people.admission("M", by: "A").bytes], now: wall(0))
    let outcomes = state.merge(try junk(0..<8, by: "M").map(\.bytes), now: wall(0))
    let refused = outcomes.filter { $0 == .refused(.full(.memberRecordsOf(people["M"].id))) }
    #expect(refused.count == 3)
    let other = try people.admission("B", by: "A")
    #expect(state.merge(other.bytes, now: wall(0)) == .added(other.id, removed: []))
  }

  /// Also where it signed all that there is.
  @Test func theOnlySignerIsBoundedToo() throws {
    var state = state { $0.memberRecordsOfOneMax = 3 }
    let (first, void, kept) = try (
      people.admission("B", by: "A"), people.admission("C", by: "A"), people.admission("D", by: "A")
    )
    let leave = try people.ending("A", by: "A", keeps: [first.id, kept.id])
    state.merge([first.bytes, void.bytes, leave.bytes], now: wall(0))
    #expect(state.merge(kept.bytes, now: wall(0)) == .added(kept.id, removed: [void.id]))
    #expect(people.letters(state.membership.members) == "BD")
  }

  /// The founder's own record lets nobody in, and is kept all the same.
  @Test func theFoundersRecordStays() throws {
    var state = state { $0.memberRecordsOfOneMax = 2 }
    let founder = try people.admission("A", by: "A")
    state.merge([founder.bytes, try people.admission("B", by: "A").bytes], now: wall(0))
    #expect(
      state.merge(try people.admission("C", by: "A").bytes, now: wall(0))
        == .refused(.full(.memberRecordsOf(people["A"].id))))
    #expect(state[founder.id] == .admission(founder))
  }

  @Test func bytesAreBoundedToo() throws {
    var state = state {
      $0.memberBytesOfOneMax = 2000
      $0.memberBytesMax = 4000
    }
    var body = try people.admission("B", by: "A").body
    body.trailing = [UInt8](repeating: 0, count: 1500)
    let large = try Admission(signing: body, with: people["A"].key)
    #expect(state.merge(large.bytes, now: wall(0)) == .added(large.id, removed: []))
    body.subject = people["C"].id
    #expect(
      state.merge(try Admission(signing: body, with: people["A"].key).bytes, now: wall(0))
        == .refused(.full(.memberRecordsOf(people["A"].id))))
  }

  /// What an ending keeps of the ended comes in, whatever the ended filled its part with.
  @Test func whatIsKeptOfAnExpelledTakesThePlaceOfItsJunk() throws {
    var state = state { $0.memberRecordsOfOneMax = 5 }
    let friend = try people.admission("B", by: "M")
    state.merge(
      [try people.admission("M", by: "A").bytes] + (try junk(0..<5, by: "M").map(\.bytes)),
      now: wall(0))
    #expect(
      state.merge(friend.bytes, now: wall(0)) == .refused(.full(.memberRecordsOf(people["M"].id))))
    state.merge(try people.ending("M", by: "A", keeps: [friend.id]).bytes, now: wall(0))
    guard case .added(friend.id, let removed) = state.merge(friend.bytes, now: wall(0)) else {
      Issue.record("not taken")
      return
    }
    #expect(removed.count == 1)
    #expect(people.letters(state.membership.members) == "AB")
    // Nothing more of M's comes in.
    #expect(
      state.merge(try people.admission("C", by: "M").bytes, now: wall(0))
        == .refused(.full(.memberRecordsOf(people["M"].id))))
  }

  /// M fills the whole state with keys that it admitted, and they with more.
  ///
  /// A expels it all the same.
  @Test func aFullStateHasRoomForWhatExpelsWhoFilledIt() throws {
    var state = state {
      $0.memberRecordsMax = 24
      $0.memberRecordsOfOneMax = 10
    }
    var records = [try people.admission("M", by: "A").bytes]
    for (number, accomplice) in "DEF".enumerated() {
      records.append(try people.admission(accomplice, by: "M").bytes)
      records += try junk(number * 9..<number * 9 + 9, by: accomplice).map(\.bytes)
    }
    state.merge(records, now: wall(0))
    #expect(state.ids.count == 24)
    let other = try people.admission("B", by: "A")
    #expect(state.merge(other.bytes, now: wall(0)) == .refused(.full(.memberRecords)))
    let ending = try people.ending("M", by: "A")
    guard case .added(ending.id, let removed) = state.merge(ending.bytes, now: wall(0)) else {
      Issue.record("not taken")
      return
    }
    #expect(removed.count == 1)
    for case .admission(let gone) in try records.map(ClusterRecord.init(decoding:))
    where removed.contains(gone.id) {
      #expect(!state.wasEverAdmitted(gone.body.subject))
    }
    guard case .added = state.merge(other.bytes, now: wall(0)) else {
      Issue.record("not taken")
      return
    }
    #expect(state.ids.count == 24)
    #expect(people.letters(state.membership.members) == "AB")
    // What is held can be handed on.
    let read = try ClusterState(decoding: state.encoded, now: wall(0))
    #expect(read.ids == state.ids)
  }

  /// What comes in at a bound may be what makes others known.
  @Test func whoIsKnownFollowsWhatTookThePlaceOfOthers() throws {
    var state = state { $0.memberRecordsMax = 4 }
    // C is known by B's admission, B by M's, which is void.
    state.merge(
      try [
        people.admission("M", by: "A").bytes, people.admission("B", by: "M").bytes,
        people.admission("C", by: "B").bytes, people.ending("M", by: "A").bytes,
      ], now: wall(0))
    guard
      case .added(_, let removed) = state.merge(
        try people.admission("B", by: "A").bytes, now: wall(0))
    else {
      Issue.record("not taken")
      return
    }
    let voided = try people.admission("B", by: "M").id
    #expect(removed == [voided])
    #expect(state.wasEverAdmitted(people["B"].id) && state.wasEverAdmitted(people["C"].id))
    #expect(people.letters(state.membership.members) == "ABC")
  }

  @Test func invitesThatCountTakeThePlaceOfOthers() throws {
    var state = state {
      $0.invitesMax = 4
      $0.invitesOfOneMax = 3
    }
    state.merge([try people.admission("M", by: "A").bytes], now: wall(0))
    let ofM = try (1...3).map { try people.invite($0, by: "M").bytes }
    let ofA = try (4...6).map { try people.invite($0, by: "A").bytes }
    state.merge(ofM, now: wall(0))
    #expect(
      state.merge(try people.invite(7, by: "M").bytes, now: wall(0))
        == .refused(.full(.invitesOf(people["M"].id))))
    state.merge(ofA[0], now: wall(0))
    #expect(state.merge(ofA[1], now: wall(0)) == .refused(.full(.invites)))
    state.merge(try people.ending("M", by: "A").bytes, now: wall(0))
    guard case .added(_, let removed) = state.merge(ofA[1], now: wall(0)) else {
      Issue.record("not taken")
      return
    }
    #expect(removed.count == 1 && state.invites.count == 4)
    // An expired one makes room for an open one, not the other way round.
    let late = wall(1_000_000)
    #expect(state.merge(ofA[2], now: late) == .refused(.full(.invites)))
    guard
      case .added = state.merge(try people.invite(8, by: "A", expiry: 2_000_000).bytes, now: late)
    else {
      Issue.record("not taken")
      return
    }
  }

  /// Many members revoke one invite at once: all nodes keep the same of their records.
  @Test func theSameRevocationsStayWhateverTheirOrder() throws {
    let before =
      try "BCDEF".map { try people.admission($0, by: "A").bytes }
      + [people.invite(1, by: "A").bytes]
    let revocations = try "ABCDEF".map { try people.revocation(1, by: $0).bytes }
    var (one, other) = (
      state { $0.revocationsOfInviteMax = 3 }, state { $0.revocationsOfInviteMax = 3 }
    )
    for record in before + revocations { one.merge(record, now: wall(0)) }
    for record in before + revocations.reversed() { other.merge(record, now: wall(0)) }
    #expect(one.ids == other.ids && one.revocations.count == 3)
  }

  @Test func announcementsOfMembersTakeThePlaceOfOthers() throws {
    var state = state { $0.announcementsMax = 2 }
    state.merge(
      try [
        people.admission("M", by: "A").bytes, people.admission("B", by: "A").bytes,
        people.announcement(of: "M", 1).bytes, people.announcement(of: "A", 1).bytes,
      ], now: wall(0))
    let announcement = try people.announcement(of: "B", 1)
    #expect(state.merge(announcement.bytes, now: wall(0)) == .refused(.full(.announcements)))
    state.merge(try people.ending("M", by: "A").bytes, now: wall(0))
    guard case .added = state.merge(announcement.bytes, now: wall(0)) else {
      Issue.record("not taken")
      return
    }
    // A newer one replaces its own, at the bound too.
    guard case .added = state.merge(try people.announcement(of: "B", 2).bytes, now: wall(0)) else {
      Issue.record("not taken")
      return
    }
    #expect(people.letters(state.announcements.map(\.body.node)) == "AB")
  }

  @Test func settingsOfMembersTakeThePlaceOfOthers() throws {
    var state = state {
      $0.settingsMax = 3
      $0.settingsOfOneMax = 2
    }
    state.merge(
      try [
        people.admission("M", by: "A").bytes, people.setting("a", "", at: 1, by: "M").bytes,
        people.setting("b", "", at: 1, by: "M").bytes,
        people.setting("c", "", at: 1, by: "A").bytes,
      ], now: wall(0))
    #expect(
      state.merge(try people.setting("d", "", at: 1, by: "M").bytes, now: wall(0))
        == .refused(.full(.settingsOf(people["M"].id))))
    let setting = try people.setting("e", "", at: 1, by: "A").bytes
    #expect(state.merge(setting, now: wall(0)) == .refused(.full(.settings)))
    state.merge(try people.ending("M", by: "A").bytes, now: wall(0))
    state.merge(setting, now: wall(0))
    #expect(state.settings.map(\.body.name) == ["a", "c", "e"])
  }
}
