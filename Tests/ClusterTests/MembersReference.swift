// Who is a member, the slow way: the twenty lines of the design's model (`models/members.py`), line by line.
//
// It knows nothing of circles as components or of sets as bits: what `Membership` decides is compared with it.

import Base
import Cluster

/// The model.
final class MembersReference {
  private let founder: NodeID
  private let ranks: [RecordID: Int]
  private let roles: Set<NodeID>
  private let facts: [MemberFact]
  private let admissions: [MemberFact]
  private let endings: [MemberFact]
  private var acted: [RecordID: Set<RecordID>] = [:]
  private var reached: [RecordID: Set<RecordID>] = [:]
  private var memo: [RecordID: Bool] = [:]

  init(founder: NodeID, facts: [MemberFact], ranks: [RecordID: Int], roles: [NodeID]) {
    self.founder = founder
    self.facts = facts
    self.ranks = ranks
    self.roles = Set(roles)
    admissions = facts.filter { !Self.isEnding($0) && $0.subject != $0.signer }
    endings = facts.filter(Self.isEnding)
  }

  private static func isEnding(_ fact: MemberFact) -> Bool {
    if case .ending = fact.statement { true } else { false }
  }

  /// The keys that are members and the endings that stand, both ascending.
  func decide() -> (members: [NodeID], standing: [RecordID]) {
    findEdges()
    let standing = endings.filter(stands)
    let ended = Set(standing.map(\.subject))
    let keys = Set([founder]).union(roles).union(admissions.map(\.subject))
    return (
      keys.filter { !ended.contains($0) && isRooted($0, standing) }.sorted(),
      standing.map(\.id).sorted()
    )
  }

  private func rank(_ fact: MemberFact) -> Int { ranks[fact.id] ?? Int.max }

  private func voids(_ ending: MemberFact, _ record: MemberFact) -> Bool {
    guard case .ending(let keeps) = ending.statement, record.signer == ending.subject,
      record.id != ending.id, !keeps.contains(record.id)
    else { return false }
    return rank(ending) <= rank(record)
  }

  private func isRooted(_ key: NodeID, _ standing: [MemberFact]) -> Bool {
    var known = roles.union([founder])
    var grows = true
    while grows {
      grows = false
      for admission in admissions
      where !known.contains(admission.subject) && known.contains(admission.signer) {
        if !standing.contains(where: { voids($0, admission) }) {
          known.insert(admission.subject)
          grows = true
        }
      }
    }
    return known.contains(key)
  }

  private func ancestry(_ key: NodeID) -> [MemberFact] {
    var found: [MemberFact] = []
    var seen: Set<NodeID> = []
    var open = [key]
    while let next = open.popLast() {
      if seen.contains(next) || next == founder || roles.contains(next) { continue }
      seen.insert(next)
      for admission in admissions where admission.subject == next {
        found.append(admission)
        open.append(admission.signer)
      }
    }
    return found
  }

  private func findEdges() {
    for ending in endings {
      acted[ending.id] = Set(
        endings.filter { other in
          other.id != ending.id
            && (voids(ending, other)
              || (rank(ending) <= rank(other)
                && ancestry(other.signer).contains { voids(ending, $0) }))
        }.map(\.id))
    }
    for ending in endings {
      var seen: Set<RecordID> = []
      var open = Array(acted[ending.id] ?? [])
      while let next = open.popLast() {
        if seen.insert(next).inserted { open += acted[next] ?? [] }
      }
      reached[ending.id] = seen
    }
  }

  private func reaches(_ ending: MemberFact, _ other: MemberFact) -> Bool {
    reached[ending.id]?.contains(other.id) ?? false
  }

  private func stands(_ ending: MemberFact) -> Bool {
    if let known = memo[ending.id] { return known }
    let before = endings.filter { reaches($0, ending) && !reaches(ending, $0) }.filter(stands)
    let base = before.filter { rank($0) <= rank(ending) }
    let result = isRooted(ending.signer, base) && !before.contains { voids($0, ending) }
    memo[ending.id] = result
    return result
  }
}
