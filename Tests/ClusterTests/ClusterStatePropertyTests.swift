// Laws of the state: merging is commutative, associative and idempotent; digests are equal for equal sets only; and two
// nodes that exchange what is missing end with the same set.

import Base
import Cluster
import SimulatedWorld
import Testing

@Suite struct ClusterStatePropertyTests {
  private let people = People("ABCDEF")

  /// What could have happened in a cluster, and more: a hundred records, signed by anybody.
  private func history(_ random: SeededRandom) throws -> [[UInt8]] {
    func anybody() -> Character { Array("ABCDEF")[random.below(6)] }
    var ids: [RecordID] = []
    return try (0..<60).map { _ in
      switch random.below(9) {
      case 0...2:
        let admission = try people.admission(
          anybody(), by: anybody(), invite: InviteID(high: 1, low: UInt64(random.below(4))))
        ids.append(admission.id)
        return admission.bytes
      case 3:
        let kept = ids.filter { _ in random.below(2) == 0 }
        return try people.ending(anybody(), by: anybody(), keeps: kept).bytes
      case 4: return try people.invite(UInt64(1 + random.below(4)), by: anybody()).bytes
      case 5: return try people.revocation(UInt64(1 + random.below(4)), by: anybody()).bytes
      case 6:
        return try people.announcement(
          of: anybody(), UInt64(random.below(3)), hostName: "\(random.below(3))"
        ).bytes
      case 7:
        return try people.setting(
          ["a", "b"][random.below(2)], "\(random.below(3))", at: UInt64(random.below(3)),
          by: anybody()
        ).bytes
      default: return try people.admission(anybody(), by: "A").bytes
      }
    }
  }

  private func state(_ records: [[UInt8]]) -> ClusterState {
    // Below all bounds: at one, order matters (StateBoundTests).
    var limits = StateLimits()
    limits.revocationsOfInviteMax = 100
    var state = ClusterState(cluster: people.cluster, founder: people["A"].id, limits: limits)
    state.merge(records, now: wall(0))
    return state
  }

  private func some(_ records: [[UInt8]], _ random: SeededRandom) -> [[UInt8]] {
    records.filter { _ in random.below(3) > 0 }
  }

  private func all(_ state: ClusterState) -> [[UInt8]] { state.missing(from: [], salt: 0) }

  private func merged(_ left: ClusterState, _ right: ClusterState) -> ClusterState {
    var state = left
    state.merge(all(right), now: wall(0))
    return state
  }

  private func isSame(_ left: ClusterState, _ right: ClusterState) -> Bool {
    left.ids == right.ids && left.encoded == right.encoded && left.digest == right.digest
      && left.membership.members == right.membership.members
      && left.invites == right.invites && left.revocations == right.revocations
      && left.announcements == right.announcements && left.settings == right.settings
  }

  @Test func mergingObeysItsLaws() throws {
    let seed: UInt64 = 41
    let random = SeededRandom(seed: seed)
    var different = 0
    for number in 0..<60 {
      let records = try history(random)
      let (a, b, c) = (
        state(some(records, random)), state(some(records, random)), state(some(records, random))
      )
      let ab = merged(a, b)
      try #require(isSame(ab, merged(b, a)), "not commutative: seed \(seed), history \(number)")
      try #require(
        isSame(merged(ab, c), merged(a, merged(b, c))),
        "not associative: seed \(seed), history \(number)")
      try #require(isSame(merged(a, a), a), "not idempotent: seed \(seed), history \(number)")
      try #require(isSame(merged(ab, b), ab), "not idempotent: seed \(seed), history \(number)")
      for (left, right) in [(a, b), (b, c), (a, ab)] {
        try #require(
          (left.digest == right.digest) == (left.ids == right.ids), "seed \(seed), \(number)")
        different += left.ids == right.ids ? 0 : 1
      }
    }
    #expect(different > 60)
  }

  /// One by one, in the order that `missing` gives: none has to wait for another.
  @Test func aNodeTakesAllThatAnotherOneSendsIt() throws {
    let seed: UInt64 = 43
    let random = SeededRandom(seed: seed)
    for number in 0..<60 {
      let records = try history(random)
      let a = state(some(records, random))
      var b = state(some(records, random))
      for record in a.missing(from: b.shortIDs(salt: 77), salt: 77) {
        switch b.merge(record, now: wall(0)) {
        case .added, .superseded: break
        case let other: Issue.record("\(other): seed \(seed), history \(number)")
        }
      }
      try #require(isSame(b, merged(a, b)), "seed \(seed), history \(number)")
      let rest = b.missing(from: a.shortIDs(salt: 78), salt: 78)
      try #require(isSame(merged(a, b), state(all(a) + rest)), "seed \(seed), history \(number)")
      try #require(b.missing(from: b.shortIDs(salt: 79), salt: 79).isEmpty)
    }
  }

  @Test func theOrderWithinACallDoesNotMatter() throws {
    let seed: UInt64 = 47
    let random = SeededRandom(seed: seed)
    for number in 0..<30 {
      var records = try history(random)
      let first = state(records)
      for place in records.indices { records.swapAt(place, random.below(records.count)) }
      try #require(isSame(first, state(records)), "seed \(seed), history \(number)")
      let read = try ClusterState(decoding: first.encoded, now: wall(0), limits: first.limits)
      try #require(isSame(first, read), "seed \(seed), history \(number)")
    }
  }

  @Test func whatIsMissingComesInPieces() throws {
    let state = state(try history(SeededRandom(seed: 53)))
    var other = self.state([])
    var rounds = 0
    while other.digest != state.digest, rounds < 100 {
      let piece = state.missing(
        from: other.shortIDs(salt: UInt64(rounds)), salt: UInt64(rounds), bytesMax: 1000)
      #expect(piece.count == 1 || piece.reduce(0) { $0 + $1.count } <= 1000)
      other.merge(piece, now: wall(0))
      rounds += 1
    }
    #expect(rounds > 3 && other.ids == state.ids)
  }

  /// The salt changes every short ID, so that no two records stay confused.
  @Test func shortIDsChangeWithTheSalt() throws {
    let state = state(try history(SeededRandom(seed: 59)))
    #expect(Set(state.shortIDs(salt: 1)).isDisjoint(with: state.shortIDs(salt: 2)))
    #expect(Set(state.shortIDs(salt: 1)).count == state.ids.count)
  }
}
