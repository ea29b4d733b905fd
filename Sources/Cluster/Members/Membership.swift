// Who is a member: a function of the set of records, never of their order, and of no time.
//
// A key is a member when it was let in and was not ended. It was let in when it is the founder, has a role in a
// decided layout, or was admitted by a key that was let in, through an admission that no standing ending voids. It
// was ended when a standing ending names it. Which endings stand: StandingEndings.swift.
//
// An ended key never returns: an ending that stands is only ever voided by another one that ends its signer, or who
// let its signer in.

package import Base

/// What a set of records says about every key.
package struct Membership: Sendable {
  /// Why a key is no member.
  package enum Absence: Equatable, Sendable {
    /// These endings of it stand.
    case ended(by: [RecordID])
    /// It, or who admitted it, was admitted by a key that these endings name, and they keep no such admission.
    case admissionVoided(by: [RecordID])
    /// No key that was ever let in admitted it.
    case neverAdmitted
  }

  /// The founder's key.
  package let founder: NodeID
  /// The keys that are members, ascending.
  package let members: [NodeID]
  /// The endings that stand, ascending.
  package let standing: [RecordID]

  /// In ascending order of their IDs.
  let facts: [MemberFact]
  let ranks: [RecordID: Int]
  let roles: [NodeID]
  private let index: MemberIndex
  private let standingSet: BitSet
  private let isRooted: [Bool]

  /// Decides about all keys.
  ///
  /// - Parameters:
  ///   - records: In any order. Their signatures are valid and they are about one cluster.
  ///   - ranks: The number of the first decided layout that lists a record.
  ///   - roles: The keys that have a role in a decided layout.
  package init(
    founder: NodeID, records: some Sequence<MemberRecord>, ranks: [RecordID: Int] = [:],
    roles: some Sequence<NodeID> = []
  ) {
    self.init(founder: founder, facts: records.map(\.fact), ranks: ranks, roles: Array(roles))
  }

  /// As above, of what the records say.
  package init(
    founder: NodeID, facts: [MemberFact], ranks: [RecordID: Int] = [:], roles: [NodeID] = []
  ) {
    var unique: [MemberFact] = []
    for fact in facts.sorted(by: { $0.id < $1.id }) where unique.last?.id != fact.id {
      unique.append(fact)
    }
    let index = MemberIndex(founder: founder, facts: unique, ranks: ranks, roles: roles)
    let standing = StandingEndings.find(in: index)
    let isRooted = index.rooted(under: standing)
    self.founder = founder
    self.facts = unique
    self.ranks = ranks
    self.roles = roles
    self.index = index
    standingSet = standing
    self.isRooted = isRooted
    self.standing = standing.members.map { index.endings[$0].id }.sorted()
    members = index.keys.indices.filter { key in
      isRooted[key] && !index.endingsOf[key].contains(where: standing.contains)
    }.map { index.keys[$0] }
  }

  /// Whether `key` is a member.
  package func contains(_ key: NodeID) -> Bool {
    guard let number = index.number(of: key) else { return false }
    return isRooted[number] && !isEnded(number)
  }

  /// Why `key` is no member; `nil` when it is one.
  package func absence(of key: NodeID) -> Absence? {
    guard let number = index.number(of: key) else { return .neverAdmitted }
    let endings = index.endingsOf[number].filter(standingSet.contains)
    if !endings.isEmpty { return .ended(by: endings.map { index.endings[$0].id }) }
    return isRooted[number] ? nil : reasonOfVoid(number)
  }

  /// How many keys were let in by an invite, those included that are members no more.
  ///
  /// A key that two members admitted at the same time counts once.
  package func uses(of invite: InviteID) -> Int {
    sortedUnique(countingAdmissions.filter { $0.invite == invite }.map { index.keys[$0.subject] })
      .count
  }

  /// The records that `signer` signed, ascending: what an ending of it keeps that takes nothing else along.
  package func signed(by signer: NodeID) -> [RecordID] {
    facts.filter { $0.signer == signer }.map(\.id)
  }

  private func isEnded(_ key: Int) -> Bool {
    index.endingsOf[key].contains(where: standingSet.contains)
  }

  private var countingAdmissions: [MemberIndex.Admission] {
    index.admissions.enumerated().filter { number, admission in
      isRooted[admission.signer]
        && !index.admissionVoiders.intersects(row: number, standingSet)
    }.map(\.element)
  }

  /// The admissions that count, ascending.
  package var admissionsThatCount: [RecordID] { countingAdmissions.map(\.id) }

  /// The endings that void the admissions nearest to `key`, which is not rooted.
  private func reasonOfVoid(_ key: Int) -> Absence {
    var seen = [Bool](repeating: false, count: index.keys.count)
    var level = [key]
    while !level.isEmpty {
      var voiders = BitSet(count: index.endings.count)
      var next: [Int] = []
      for member in level where !seen[member] {
        seen[member] = true
        for admission in index.admissionsOf[member] {
          let here = index.admissionVoiders.intersection(row: admission, standingSet)
          for ending in here.members { voiders.insert(ending) }
          if here.isEmpty { next.append(index.admissions[admission].signer) }
        }
      }
      if !voiders.isEmpty {
        return .admissionVoided(by: voiders.members.map { index.endings[$0].id }.sorted())
      }
      level = next
    }
    return .neverAdmitted
  }
}
