// Membership against the model, over random sets of records in random orders.

import Base
import Cluster
import SimulatedWorld
import Testing

@Suite struct MembershipPropertyTests {
  /// A set of records, as a hostile cluster might make it.
  private struct RecordSet {
    var facts: [MemberFact] = []
    var ranks: [RecordID: Int] = [:]
    var roles: [NodeID] = []
    var keys: [NodeID]

    init(_ random: SeededRandom) {
      keys = (0..<2 + random.below(8)).map { _ in NodeID(random: random) }
      let isTree = random.below(3) > 0
      for place in keys.indices.dropFirst() where isTree {
        add(.admission(.none), of: keys[place], by: keys[random.below(place)], random)
      }
      for _ in 0..<random.below(8) {
        add(.admission(.none), of: any(random), by: any(random), random)
      }
      for _ in 0..<random.below(10) {
        let subject = any(random)
        let signer = random.below(8) == 0 ? subject : any(random)
        add(.ending(keeps: kept(of: subject, random)), of: subject, by: signer, random)
        if random.below(3) == 0 {
          add(.admission(.none), of: any(random), by: any(random), random)
        }
      }
      let ranked = random.below(3)
      for fact in facts where ranked > 0 && random.below(ranked * 2) > 0 {
        ranks[fact.id] = 1 + random.below(4)
      }
      if random.below(2) == 0 { roles = keys.filter { _ in random.below(3) == 0 } }
    }

    private func any(_ random: SeededRandom) -> NodeID { keys[random.below(keys.count)] }

    private mutating func add(
      _ statement: MemberFact.Statement, of subject: NodeID, by signer: NodeID,
      _ random: SeededRandom
    ) {
      facts.append(
        MemberFact(
          id: RecordID(random: random), subject: subject, signer: signer, statement: statement))
    }

    private func kept(of subject: NodeID, _ random: SeededRandom) -> [RecordID] {
      switch random.below(3) {
      case 0: []
      case 1: facts.filter { $0.signer == subject }.map(\.id)
      default: facts.filter { _ in random.below(2) == 0 }.map(\.id).sorted()
      }
    }

    func shuffled(_ random: SeededRandom) -> [MemberFact] {
      var facts = facts
      for place in facts.indices { facts.swapAt(place, random.below(facts.count)) }
      return facts
    }
  }

  @Test func agreesWithTheModelInAnyOrder() throws {
    let seed: UInt64 = 13
    let random = SeededRandom(seed: seed)
    var (ended, fallen, absent) = (0, 0, 0)
    for number in 0..<5000 {
      let set = RecordSet(random)
      let founder = set.keys[0]
      let model = MembersReference(
        founder: founder, facts: set.facts, ranks: set.ranks, roles: set.roles
      ).decide()
      let facts = set.shuffled(random)
      let found = Membership(
        founder: founder, facts: facts + facts.prefix(random.below(3)), ranks: set.ranks,
        roles: set.roles)
      try #require(
        found.members == model.members && found.standing == model.standing,
        "seed \(seed), set \(number)")
      for key in set.keys {
        let isMember = model.members.contains(key)
        try #require(found.contains(key) == isMember, "seed \(seed), set \(number)")
        try #require((found.absence(of: key) == nil) == isMember, "seed \(seed), set \(number)")
        absent += isMember ? 0 : 1
      }
      ended += model.standing.isEmpty ? 0 : 1
      fallen += set.facts.contains { $0.isEnding && !model.standing.contains($0.id) } ? 1 : 0
    }
    // The sets are not too tame.
    #expect(ended > 1000 && fallen > 1000 && absent > 1000, "\(ended), \(fallen), \(absent)")
  }

  /// What is shown before an ending is signed is what comes of it.
  @Test func anEndingDoesWhatItsForecastSays() throws {
    let seed: UInt64 = 29
    let random = SeededRandom(seed: seed)
    for number in 0..<1000 {
      let set = RecordSet(random)
      let now = Membership(
        founder: set.keys[0], facts: set.facts, ranks: set.ranks, roles: set.roles)
      let subject = set.keys[random.below(set.keys.count)]
      let signer = set.keys[random.below(set.keys.count)]
      let keeps = random.below(2) == 0 ? now.signed(by: subject) : []
      let forecast = now.forecast(ending: subject, by: signer, keeping: keeps)
      let ending = MemberFact(
        id: RecordID(random: random), subject: subject, signer: signer,
        statement: .ending(keeps: keeps))
      let then = Membership(
        founder: set.keys[0], facts: set.facts + [ending], ranks: set.ranks, roles: set.roles)
      try #require(
        forecast.stands == then.standing.contains(ending.id)
          && Set(now.members).subtracting(forecast.membersLost)
            .union(forecast.membersRegained) == Set(then.members)
          && Set(now.standing).subtracting(forecast.endingsVoided).isSubset(of: then.standing),
        "seed \(seed), set \(number)")
    }
  }

  /// A thousand records are decided about at once.
  @Test func aThousandRecordsTakeNoTime() throws {
    let random = SeededRandom(seed: 3)
    let keys = (0..<501).map { _ in NodeID(random: random) }
    var facts: [MemberFact] = []
    for place in 0..<500 {
      facts.append(
        MemberFact(
          id: RecordID(random: random), subject: keys[place + 1], signer: keys[place],
          statement: .admission(.none)))
      facts.append(
        MemberFact(
          id: RecordID(random: random), subject: keys[500 - place], signer: keys[place],
          statement: .ending(keeps: [])))
    }
    let start = ContinuousClock.now
    let membership = Membership(founder: keys[0], facts: facts)
    // 12 to 25 ms in a release build. The wide bound is for busy machines: this finds what is not polynomial.
    #expect(ContinuousClock.now - start < .seconds(60))
    #expect(membership.members.contains(keys[0]))
  }
}

extension MemberFact {
  fileprivate var isEnding: Bool { if case .ending = statement { true } else { false } }
}
