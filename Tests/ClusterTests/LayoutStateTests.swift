// Layout versions among the records of the cluster state.

import Base
import Cluster
import Codecs
import Layout
import Testing

@Suite struct LayoutStateTests {
  private let people = People()

  private func state(_ records: [UInt8]...) -> ClusterState {
    var state = ClusterState(cluster: people.cluster, founder: people["A"].id)
    for record in records { state.merge(record, now: wall(0)) }
    return state
  }

  @Test func theFirstOneStays() throws {
    let layout = try people.layout("AB", by: "A")
    var state = state()
    #expect(state.currentLayout == nil)
    #expect(state.merge(layout.bytes, now: wall(0)) == .added(layout.id, removed: []))
    #expect(state.merge(layout.bytes, now: wall(0)) == .known)
    let before = state.encoded
    let other = try people.layout("A", by: "A")
    #expect(state.merge(other.bytes, now: wall(0)) == .refused(.otherLayout(1)))
    #expect(state.encoded == before && state.currentLayout == layout.body.version)
    #expect(state.layouts.versions == [layout.body.version] && state.layoutRecords == [layout])
  }

  @Test func onlyTheFounderSignsIt() throws {
    var state = state(try people.admission("B", by: "A").bytes)
    #expect(
      state.merge(try people.layout("B", by: "B").bytes, now: wall(0))
        == .refused(.layoutNotByFounder(people["B"].id)))
    #expect(
      state.merge(try people.layout("B", by: "C").bytes, now: wall(0))
        == .refused(.unknownSigner(people["C"].id)))
    var forged = try people.layout("A", by: "A").bytes
    forged[forged.count - 1] ^= 1
    #expect(state.merge(forged, now: wall(0)) == .refused(.wrongSignature))
    #expect(state.currentLayout == nil)
  }

  @Test func laterOnesAreNotTakenYet() throws {
    let first = try people.firstLayout("A")
    var draft = LayoutDraft(changing: first)
    draft.assign(NodeRole(zone: "z", capacityBytes: 9), to: people["B"].id)
    let second = try LayoutRecord(
      signing: LayoutRecordBody(try draft.apply(under: []), signer: people["A"].id),
      with: people["A"].key)
    var state = state(try people.layout("A", by: "A").bytes)
    #expect(state.merge(second.bytes, now: wall(0)) == .refused(.laterLayout(2)))
    #expect(state.currentLayout == first)
  }

  @Test func aVersionOfAnotherClusterIsNoRecord() throws {
    var body = try people.layout("A", by: "A").body
    body.cluster = People.clusterID(8)
    #expect(throws: BinaryError.invalidValue) {
      try LayoutRecord(signing: body, with: people["A"].key)
    }
  }

  @Test func aJoinerGetsItWithTheState() throws {
    let state = state(
      try people.layout("AB", by: "A").bytes, try people.admission("B", by: "A").bytes)
    let read = try ClusterState(decoding: state.encoded, now: wall(0))
    #expect(read.currentLayout == state.currentLayout && read.currentLayout != nil)
    #expect(read.digest == state.digest)
    #expect(
      read.missing(from: [], salt: 1).last == (try people.layout("AB", by: "A").bytes))
  }

  /// A long one, beside a record of an operator's hand.
  @Test func theLongestIsTaken() throws {
    var body = try people.layout("A", by: "A").body
    body.trailing = [UInt8](repeating: 1, count: RecordLimits.layoutBytesMax - 700)
    let layout = try LayoutRecord(signing: body, with: people["A"].key)
    let state = state(layout.bytes)
    #expect(state.currentLayout != nil)
    #expect(try ClusterState(decoding: state.encoded, now: wall(0)).currentLayout != nil)
    body.trailing += [UInt8](repeating: 1, count: 700)
    #expect(throws: BinaryError.overLimit) {
      try LayoutRecord(signing: body, with: people["A"].key)
    }
  }

  // MARK: Who is a member

  /// A listed ending is not voided by one that nobody listed; in whatever order they come.
  @Test func listedEndingsComeFirst() throws {
    let ending = try people.ending("B", by: "A")
    let records = [
      try people.admission("B", by: "A").bytes, ending.bytes,
      try people.ending("A", by: "B").bytes,
      try people.layout("A", under: [ending.id], by: "A").bytes,
    ]
    for first in records.indices {
      var state = state()
      for place in records.indices {
        state.merge(records[(first + place) % records.count], now: wall(0))
      }
      // What came too early comes again.
      state.merge(records, now: wall(0))
      #expect(people.letters(state.membership.members) == "A", "from \(first) on")
    }
    let unlisted = state(records[0], records[1], records[2], try people.layout("A", by: "A").bytes)
    #expect(people.letters(unlisted.membership.members) == "")
  }

  /// Who has a role needs no valid admission, only not to be ended.
  @Test func rolesMakeMembers() throws {
    let records = [
      try people.admission("B", by: "A").bytes, try people.admission("C", by: "B").bytes,
      try people.ending("B", by: "A").bytes,
    ]
    var state = state(records[0], records[1], records[2])
    #expect(people.letters(state.membership.members) == "A")
    state.merge(try people.layout("ABC", by: "A").bytes, now: wall(0))
    #expect(people.letters(state.membership.members) == "AC")
  }

  /// At a bound an admission of somebody with a role is no room for others: its bearer would be a stranger.
  @Test func whoHasARoleStaysKnown() throws {
    var limits = StateLimits()
    limits.memberRecordsMax = 4
    for hasRole in [false, true] {
      var state = ClusterState(
        cluster: people.cluster, founder: people["A"].id, limits: limits)
      for record in [
        try people.admission("B", by: "A").bytes, try people.admission("C", by: "B").bytes,
        try people.layout(hasRole ? "AC" : "A", by: "A").bytes,
        try people.ending("B", by: "A").bytes, try people.admission("D", by: "A").bytes,
        try people.admission("E", by: "A").bytes,
      ] { state.merge(record, now: wall(0)) }
      #expect(state.wasEverAdmitted(people["C"].id) == hasRole)
      #expect(people.letters(state.membership.members) == (hasRole ? "ACD" : "ADE"))
    }
  }
}
