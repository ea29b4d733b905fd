// Named cases of who is a member, with the results of the design's model (`models/members_cases.py`).

import Base
import Cluster
import Testing

@Suite struct MembershipTests {
  private let people = People()

  /// A admits B, C and F.
  private func base() throws -> [Admission] {
    try [
      people.admission("A", by: "A"), people.admission("B", by: "A"),
      people.admission("C", by: "A"), people.admission("F", by: "A"),
    ]
  }

  private func members(
    _ admissions: [Admission], _ endings: [Ending], ranks: [RecordID: Int] = [:],
    roles: String = "ABCF"
  ) -> String {
    people.letters(membership(admissions, endings, ranks: ranks, roles: roles).members)
  }

  private func membership(
    _ admissions: [Admission], _ endings: [Ending], ranks: [RecordID: Int] = [:],
    roles: String = ""
  ) -> Membership {
    Membership(
      founder: people["A"].id,
      records: admissions.map(MemberRecord.admission) + endings.map(MemberRecord.ending),
      ranks: ranks, roles: roles.map { people[$0].id })
  }

  /// F expels all others, who then expel F: so many of them are members as did not.
  @Test func whoExpelsAllIsExpelledByAnyOfThem() throws {
    let base = try base()
    let purge = try "ABC".map { try people.ending($0, by: "F") }
    #expect(members(base, purge) == "F")
    for (who, left) in [
      ("A", "BC"), ("B", "AC"), ("C", "AB"), ("AB", "C"), ("AC", "B"), ("BC", "A"), ("ABC", ""),
    ] {
      let answers = try who.map { try people.ending("F", by: $0, keeps: [base[0].id]) }
      #expect(members(base, purge + answers) == left, "F is expelled by \(who)")
    }
  }

  @Test func aDecidedLayoutThatListsAnEndingSettlesIt() throws {
    let base = try base()
    let purge = try "ABC".map { try people.ending($0, by: "F") }
    let listed = try people.ending("F", by: "A")
    let other = try people.ending("F", by: "B")
    #expect(members(base, purge + [listed, other], ranks: [listed.id: 5]) == "ABC")
  }

  @Test func aKeyThatTheExpellerDidNotKnowExpelsIt() throws {
    let base = try base() + [people.admission("D", by: "B")]
    let purge = try "ABC".map { try people.ending($0, by: "F") }
    #expect(members(base, purge + [try people.ending("F", by: "D")]) == "AC")
  }

  @Test func theFoundersAdmissionsAreKeptOrNot() throws {
    let base = try base()
    let keeping = try people.ending("A", by: "B", keeps: base.dropFirst().map(\.id))
    #expect(members(base, [keeping], roles: "") == "BCF")
    let bare = try people.ending("A", by: "B")
    #expect(members(base, [bare], roles: "") == "")
    #expect(members(base, [bare]) == "BCF")
  }

  @Test func thoseInACircleAllCount() throws {
    let base = try base()
    let mutual = try [
      people.ending("A", by: "B", keeps: base.map(\.id)), people.ending("B", by: "A"),
    ]
    #expect(members(base, mutual) == "CF")
    let three = try [
      people.ending("B", by: "A"), people.ending("C", by: "B"), people.ending("A", by: "C"),
    ]
    #expect(members(base, three) == "F")
  }

  @Test func whatIsSignedAfterLeavingIsVoid() throws {
    let admissions = try base() + [people.admission("G", by: "C")]
    let endings = try [people.ending("C", by: "C"), people.ending("B", by: "C")]
    #expect(members(admissions, endings) == "ABF")
  }

  @Test func absencesSayWhy() throws {
    let invited = try people.admission("C", by: "B")
    let later = try people.admission("D", by: "C")
    let strangers = try people.admission("G", by: "H")
    let admissions = try [people.admission("B", by: "A"), invited, later, strangers]
    let ending = try people.ending("B", by: "A")
    let membership = membership(admissions, [ending])
    #expect(membership.absence(of: people["A"].id) == nil)
    #expect(membership.absence(of: people["B"].id) == .ended(by: [ending.id]))
    #expect(membership.absence(of: people["C"].id) == .admissionVoided(by: [ending.id]))
    #expect(membership.absence(of: people["D"].id) == .admissionVoided(by: [ending.id]))
    #expect(membership.absence(of: people["G"].id) == .neverAdmitted)
    #expect(membership.absence(of: people["M"].id) == .neverAdmitted)
  }

  @Test func aSelfSignedAdmissionCountsForNobody() throws {
    let membership = membership(
      try [people.admission("M", by: "M"), people.admission("G", by: "M")], [])
    #expect(people.letters(membership.members) == "A")
    #expect(membership.absence(of: people["M"].id) == .neverAdmitted)
  }

  @Test func usesOfAnInviteAreKeysLetIn() throws {
    let invite = InviteID(high: 1, low: 1)
    let admissions = try [
      people.admission("B", by: "A"),
      people.admission("C", by: "A", invite: invite),
      // The same joiner on the other side of a partition.
      people.admission("C", by: "B", invite: invite),
      people.admission("D", by: "B", invite: invite),
      people.admission("E", by: "B", invite: InviteID(high: 1, low: 2)),
      // By a stranger: not let in.
      people.admission("F", by: "G", invite: invite),
    ]
    #expect(membership(admissions, []).uses(of: invite) == 2)
    // D left: it was let in all the same. B is expelled, which voids D's admission.
    #expect(membership(admissions, [try people.ending("D", by: "D")]).uses(of: invite) == 2)
    #expect(membership(admissions, [try people.ending("B", by: "A")]).uses(of: invite) == 1)
  }

  @Test func aForecastShowsWhatGoesAlong() throws {
    let admissions = try [
      people.admission("B", by: "A"), people.admission("C", by: "B"),
      people.admission("D", by: "C"),
    ]
    let kept = try people.ending("M", by: "B")
    let membership = membership(admissions, [kept])
    let all = membership.forecast(ending: people["B"].id, by: people["A"].id, keeping: [])
    #expect(all.stands)
    #expect(people.letters(all.membersLost) == "BCD")
    #expect(all.endingsVoided == [kept.id])
    #expect(Set(all.admissionsVoided) == [admissions[1].id, admissions[2].id])
    let usual = membership.forecast(
      ending: people["B"].id, by: people["A"].id,
      keeping: membership.signed(by: people["B"].id))
    #expect(people.letters(usual.membersLost) == "B")
    #expect(usual.endingsVoided.isEmpty && usual.admissionsVoided.isEmpty)
    let stranger = membership.forecast(ending: people["B"].id, by: people["H"].id, keeping: [])
    #expect(!stranger.stands && stranger.membersLost.isEmpty)
  }
}
