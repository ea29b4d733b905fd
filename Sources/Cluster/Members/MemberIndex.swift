// Records with numbers in place of names, and which ending voids what.
//
// An ending voids what its subject signed, but for itself, what it keeps, and what an earlier decided layout lists.

import Base

/// Keys, admissions and endings, numbered.
///
/// Keys and admissions in the order of their names, endings in that of their subjects and then their names: those that
/// void a record have numbers close to each other.
struct MemberIndex {
  struct Admission {
    var id: RecordID
    var subject: Int
    var signer: Int
    var invite: InviteID
    var rank: Int
  }

  struct Ending {
    var id: RecordID
    var subject: Int
    var signer: Int
    var rank: Int
  }

  /// Every key that is named, ascending.
  let keys: [NodeID]
  /// Whether a key needs no admission: the founder, and who has a role in a decided layout.
  private(set) var isRoot: [Bool]
  /// Admissions of keys by others.
  private(set) var admissions: [Admission] = []
  private(set) var endings: [Ending] = []
  /// By subject.
  private(set) var admissionsOf: [[Int]]
  private(set) var endingsOf: [[Int]]
  /// For each admission, the endings that void it if they stand; for each ending, likewise.
  private(set) var admissionVoiders: BitMatrix
  private(set) var endingVoiders: BitMatrix

  /// - Parameter facts: In ascending order of their IDs, none twice.
  init(founder: NodeID, facts: [MemberFact], ranks: [RecordID: Int], roles: [NodeID]) {
    keys = sortedUnique([founder] + roles + facts.map(\.subject) + facts.map(\.signer))
    var numbers: [NodeID: Int] = [:]
    for (number, key) in keys.enumerated() { numbers[key] = number }
    isRoot = [Bool](repeating: false, count: keys.count)
    for key in [founder] + roles { if let number = numbers[key] { isRoot[number] = true } }
    admissionsOf = [[Int]](repeating: [], count: keys.count)
    endingsOf = admissionsOf
    admissionVoiders = BitMatrix(rows: 0, columns: 0)
    endingVoiders = admissionVoiders
    var found: [(ending: Ending, keeps: [RecordID])] = []
    for fact in facts {
      guard let subject = numbers[fact.subject], let signer = numbers[fact.signer] else { continue }
      // A record that no decided layout lists comes after all that are listed.
      let rank = ranks[fact.id] ?? Int.max
      switch fact.statement {
      case .admission(let invite):
        // Nobody lets itself in. The founder is a member without its record.
        guard subject != signer else { continue }
        admissionsOf[subject].append(admissions.count)
        admissions.append(
          Admission(id: fact.id, subject: subject, signer: signer, invite: invite, rank: rank))
      case .ending(let keeps):
        let ending = Ending(id: fact.id, subject: subject, signer: signer, rank: rank)
        found.append((ending, keeps))
      }
    }
    found.sort { ($0.ending.subject, $0.ending.id) < ($1.ending.subject, $1.ending.id) }
    for (number, (ending, _)) in found.enumerated() {
      endingsOf[ending.subject].append(number)
      endings.append(ending)
    }
    findVoiders(found.map(\.keeps))
  }

  /// - Parameter keeps: What each ending keeps.
  private mutating func findVoiders(_ keeps: [[RecordID]]) {
    admissionVoiders = BitMatrix(rows: admissions.count, columns: endings.count)
    endingVoiders = BitMatrix(rows: endings.count, columns: endings.count)
    for (number, admission) in admissions.enumerated() {
      for ending in endingsOf[admission.signer] where endings[ending].rank <= admission.rank {
        admissionVoiders.insert(ending, row: number)
      }
    }
    for (number, voided) in endings.enumerated() {
      for ending in endingsOf[voided.signer]
      where ending != number && endings[ending].rank <= voided.rank {
        endingVoiders.insert(ending, row: number)
      }
    }
    var admissionNumbers: [RecordID: Int] = [:]
    var endingNumbers: [RecordID: Int] = [:]
    for (number, admission) in admissions.enumerated() { admissionNumbers[admission.id] = number }
    for (number, ending) in endings.enumerated() { endingNumbers[ending.id] = number }
    for (ending, kept) in keeps.enumerated() {
      for id in kept {
        if let row = admissionNumbers[id] { admissionVoiders.remove(ending, row: row) }
        if let row = endingNumbers[id] { endingVoiders.remove(ending, row: row) }
      }
    }
  }

  /// The number of `key`; `nil` when nothing names it.
  func number(of key: NodeID) -> Int? {
    var (low, high) = (0, keys.count)
    while low < high {
      let middle = (low + high) / 2
      if keys[middle] < key { low = middle + 1 } else { high = middle }
    }
    return low < keys.count && keys[low] == key ? low : nil
  }

  /// The admissions through which `key` can have come to be a member, up to keys that need none.
  func ancestry(of key: Int) -> [Int] {
    var seen = [Bool](repeating: false, count: keys.count)
    var found: [Int] = []
    var open = [key]
    while let next = open.popLast() {
      if seen[next] || isRoot[next] { continue }
      seen[next] = true
      found += admissionsOf[next]
      open += admissionsOf[next].map { admissions[$0].signer }
    }
    return found
  }

  /// Whether `key` was a member: a root, or admitted by a key that was, through an admission that none of `endings`
  /// voids.
  func isRooted(_ key: Int, under endings: BitSet) -> Bool {
    if isRoot[key] { return true }
    var seen = [Bool](repeating: false, count: keys.count)
    var open = [key]
    seen[key] = true
    while let next = open.popLast() {
      for admission in admissionsOf[next]
      where !admissionVoiders.intersects(row: admission, endings) {
        let signer = admissions[admission].signer
        if isRoot[signer] { return true }
        if !seen[signer] {
          seen[signer] = true
          open.append(signer)
        }
      }
    }
    return false
  }

  /// Which keys are rooted under `endings`.
  func rooted(under endings: BitSet) -> [Bool] {
    var admitted = [[Int]](repeating: [], count: keys.count)
    for (number, admission) in admissions.enumerated()
    where !admissionVoiders.intersects(row: number, endings) {
      admitted[admission.signer].append(admission.subject)
    }
    var result = isRoot
    var open = keys.indices.filter { isRoot[$0] }
    while let next = open.popLast() {
      for subject in admitted[next] where !result[subject] {
        result[subject] = true
        open.append(subject)
      }
    }
    return result
  }
}
