// Admissions and endings that a node holds, within bounds.
//
// Invariants:
//   1. Each signer is the founder or the subject of an admission that is held (it was *ever admitted*), so that
//      what is held can be handed to another node, in some order, and is taken there.
//   2. At a bound a record comes in only when it counts, and in the place of others that do not count and without which
//      nobody is more or less a member. So a member that went bad can fill its own part with what it likes, and all
//      of it with keys that it admitted; once it is ended, these records make room for those of others. And who is
//      ended cannot push out what an ending keeps of it.
//
// Below the bounds the set does not depend on the order in which records come. At a bound it may: the node then says
// that it is full.

import Base

/// The set of admissions and endings.
struct MemberRecords: Sendable {
  let founder: NodeID
  private let limits: StateLimits
  /// By ID.
  private(set) var held = SortedRecords<RecordID, MemberRecord>()
  /// The founder, and all subjects of admissions.
  private(set) var everAdmitted: Set<NodeID>
  private var bytes = 0
  /// Of each signer.
  private var usage: [NodeID: Usage] = [:]

  private struct Usage: Sendable {
    var count = 0
    var bytes = 0
  }

  /// What decided layouts say: see `Membership`.
  struct Layout: Equatable, Sendable {
    var ranks: [RecordID: Int] = [:]
    var roles: [NodeID] = []
  }

  init(founder: NodeID, limits: StateLimits) {
    self.founder = founder
    self.limits = limits
    everAdmitted = [founder]
  }

  /// Who is a member by what is held.
  func membership(_ layout: Layout) -> Membership {
    Membership(
      founder: founder, records: held.records, ranks: layout.ranks, roles: layout.roles)
  }

  /// What comes of a record.
  enum Outcome {
    /// It is held, and these are not any more.
    case added(removed: [MemberRecord])
    case full(StateBound)
  }

  /// Adds a record that is not held, whose signature is valid and whose signer was ever admitted.
  ///
  /// - Parameter pinned: Keys that may not become strangers, as something else of them is held.
  mutating func add(_ record: MemberRecord, _ layout: Layout, pinned: [NodeID]) -> Outcome {
    var removed: [MemberRecord] = []
    if isAtBound(of: record.signer, record) {
      guard let room = room(for: record, ofSigner: true, layout, pinned) else {
        return .full(.memberRecordsOf(record.signer))
      }
      removed = room
      for victim in room { remove(victim) }
    }
    if isAtBound(record) {
      guard let room = room(for: record, ofSigner: false, layout, pinned) else {
        for victim in removed { insert(victim) }
        return .full(.memberRecords)
      }
      removed += room
      for victim in room { remove(victim) }
    }
    insert(record)
    if !removed.isEmpty {
      everAdmitted = Set(Self.depths(founder: founder, held.records).keys)
    }
    return .added(removed: removed)
  }

  private func isAtBound(of signer: NodeID, _ record: MemberRecord) -> Bool {
    let usage = usage[signer] ?? Usage()
    return usage.count >= limits.memberRecordsOfOneMax
      || usage.bytes + record.bytes.count > limits.memberBytesOfOneMax
  }

  private func isAtBound(_ record: MemberRecord) -> Bool {
    held.count >= limits.memberRecordsMax || bytes + record.bytes.count > limits.memberBytesMax
  }

  private mutating func insert(_ record: MemberRecord) {
    held[record.id] = record
    bytes += record.bytes.count
    usage[record.signer, default: Usage()].count += 1
    usage[record.signer, default: Usage()].bytes += record.bytes.count
    if case .admission = record { everAdmitted.insert(record.subject) }
  }

  private mutating func remove(_ record: MemberRecord) {
    held[record.id] = nil
    bytes -= record.bytes.count
    usage[record.signer, default: Usage()].count -= 1
    usage[record.signer, default: Usage()].bytes -= record.bytes.count
  }

  // MARK: At a bound

  /// How many runs of records are tried, each of which takes a decision about all keys.
  private static let triesMax = 8

  /// Records that `record` may take the place of; `nil` when it does not count or there are none.
  ///
  /// - Parameter ofSigner: Whether the bound of the signer was met, and not that of all.
  private func room(
    for record: MemberRecord, ofSigner: Bool, _ layout: Layout, _ pinned: [NodeID]
  ) -> [MemberRecord]? {
    let all = held.records + [record]
    let now = membership(of: all, layout)
    let counting = Set(now.admissionsThatCount).union(now.standing)
    guard counting.contains(record.id) else { return nil }
    // Those farthest from the founder first: no other record stands on them.
    let depths = Self.depths(founder: founder, all)
    let useless = held.records.filter { candidate in
      // The founder's own record is no admission that counts.
      !counting.contains(candidate.id) && !candidate.isFounding
        && (!ofSigner || candidate.signer == record.signer)
    }.sorted { left, right in
      (depths[left.signer] ?? 0, left.id) > (depths[right.signer] ?? 0, right.id)
    }
    for start in useless.indices.prefix(Self.triesMax) {
      guard let run = run(of: useless[start...], for: record, ofSigner) else { return nil }
      let gone = Set(run.map(\.id))
      let rest = all.filter { !gone.contains($0.id) }
      let known = Self.depths(founder: founder, rest)
      guard rest.allSatisfy({ known[$0.signer] != nil }),
        pinned.allSatisfy({ known[$0] != nil || depths[$0] == nil })
      else { continue }
      let then = membership(of: rest, layout)
      if then.members == now.members, then.standing == now.standing { return run }
    }
    return nil
  }

  /// As few of the first `records` as leave room for `record`.
  private func run(
    of records: ArraySlice<MemberRecord>, for record: MemberRecord, _ ofSigner: Bool
  ) -> [MemberRecord]? {
    let own = usage[record.signer] ?? Usage()
    var count =
      1
      + (ofSigner ? own.count - limits.memberRecordsOfOneMax : held.count - limits.memberRecordsMax)
    var surplus = record.bytes.count
    surplus += ofSigner ? own.bytes - limits.memberBytesOfOneMax : bytes - limits.memberBytesMax
    var run: [MemberRecord] = []
    for victim in records {
      if count <= 0, surplus <= 0 { break }
      count -= 1
      surplus -= victim.bytes.count
      run.append(victim)
    }
    return count <= 0 && surplus <= 0 ? run : nil
  }

  private func membership(of records: [MemberRecord], _ layout: Layout) -> Membership {
    Membership(founder: founder, records: records, ranks: layout.ranks, roles: layout.roles)
  }

  /// How many admissions each key that was ever admitted is from the founder.
  private static func depths(founder: NodeID, _ records: [MemberRecord]) -> [NodeID: Int] {
    var admitted: [NodeID: [NodeID]] = [:]
    for case .admission(let admission) in records {
      admitted[admission.body.signer, default: []].append(admission.body.subject)
    }
    var depths = [founder: 0]
    var level = [founder]
    while !level.isEmpty {
      var next: [NodeID] = []
      for key in level {
        for subject in admitted[key] ?? [] where depths[subject] == nil {
          depths[subject] = (depths[key] ?? 0) + 1
          next.append(subject)
        }
      }
      level = next
    }
    return depths
  }
}
