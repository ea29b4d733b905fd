// Reading the change feed of one other node, for ever: what this replica missed reaches it here.
//
// Invariants:
//   1. A cursor is written in the transaction that merges the last row before it, and reported after that.
//   2. What was asked for is merged only if the cursor is still the one that it was asked from: a partition that began
//      anew meanwhile takes no answer from before.
//   3. What was asked for at a lower floor than this replica has when it merges is thrown away and asked for again: a
//      tombstone may have been dropped here in between, which the row would come back from.
//   4. A source is asked one thing at a time.

package import Base
import LocalDB
import Synchronization

/// How feeds of other nodes are reached.
package protocol FeedNetwork: Sendable {
  nonisolated(nonsending) func heads(_ request: HeadsRequest, of node: NodeID) async throws
    -> HeadsAnswer
  nonisolated(nonsending) func feed(_ request: FeedRequest, of node: NodeID) async throws
    -> FeedAnswer
  nonisolated(nonsending) func rows(_ request: RowsRequest, of node: NodeID) async throws
    -> RowsAnswer
  nonisolated(nonsending) func fingerprints(
    _ request: FingerprintRequest, of node: NodeID
  ) async throws -> FingerprintAnswer
}

/// What this node reads of whom, as the layout says.
package struct FeedPlan: Equatable, Sendable {
  /// The layout version.
  package var layout: UInt64
  /// The partitions that both hold, or that the source holds and this node copies; ascending.
  package var partitions: [UInt16]
  /// Whether this node is a holder of them, and not a copy without a vote, which may have to start over.
  package var isHolder: Bool

  package init(layout: UInt64, partitions: [UInt16], isHolder: Bool) {
    self.layout = layout
    self.partitions = partitions
    self.isHolder = isHolder
  }
}

/// What readers did, for tests and metrics.
package struct FeedCounts: Sendable {
  /// Entries looked at.
  package var entries = 0
  /// Rows that were fetched.
  package var rows = 0
  package var bytes = 0
  /// Answers thrown away, for a floor or a cursor.
  package var thrownAway = 0
  package var startedOver = 0
}

/// The reader of one source.
final class FeedReader: Sendable {
  private struct State {
    var cursors: [UInt16: FeedCursor]
    /// Cursors that the source has not heard of in this connection.
    var unreported: Set<UInt16>
    /// The partitions that were read to their ends in this connection.
    var ended: Set<UInt16> = []
    /// Up to where the source's heads are known.
    var since: UInt64 = 0
    /// What the source was told last of whether this node is catching up.
    var told: Bool?
    /// How often what is known of the source was forgotten: a round that began before says nothing any more.
    var era = 0
  }

  let source: NodeID
  private let replica: LocalTableReplica
  private let stored: FeedCursors
  private let network: any FeedNetwork
  private let hasher: RowHasher
  private let runtime: any Runtime
  private let didStartOver: @Sendable (UInt16) -> Void
  private let state: Mutex<State>
  let counts = Mutex(FeedCounts())

  /// Reads the cursors.
  ///
  /// - Parameter didStartOver: Told of a partition that begins with nothing: the other readers' cursors went too.
  init(
    of source: NodeID, into replica: LocalTableReplica, _ stored: FeedCursors,
    network: any FeedNetwork, hasher: RowHasher, runtime: any Runtime,
    didStartOver: @escaping @Sendable (UInt16) -> Void
  ) throws {
    self.didStartOver = didStartOver
    self.source = source
    self.replica = replica
    self.stored = stored
    self.network = network
    self.hasher = hasher
    self.runtime = runtime
    let cursors = try stored.all(of: source, in: replica.database)
    state = Mutex(State(cursors: cursors, unreported: Set(cursors.keys)))
  }

  /// Whether all of `plan` was read to the ends in this connection.
  func hasEnded(_ plan: FeedPlan) -> Bool {
    state.withLock { state in plan.partitions.allSatisfy(state.ended.contains) }
  }

  /// Whether `partition` was.
  func hasEnded(_ partition: UInt16) -> Bool { state.withLock { $0.ended.contains(partition) } }

  /// The connection is lost: the source may be another one when it comes back.
  func lost() {
    state.withLock { state in
      state.since = 0
      state.ended = []
      state.unreported = Set(state.cursors.keys)
      state.told = nil
      state.era += 1
    }
  }

  /// Up to which sequence `partition` was read.
  func read(_ partition: UInt16) -> UInt64 {
    state.withLock { $0.cursors[partition]?.sequence ?? 0 }
  }

  /// Up to where the source's changes are known: a ping that says more is a reason to ask.
  var since: UInt64 { state.withLock(\.since) }

  /// Whether there is something that the source should hear.
  ///
  /// - Parameter isCatchingUp: Whether this node is.
  func hasReports(_ isCatchingUp: Bool) -> Bool {
    state.withLock { !$0.unreported.isEmpty || $0.told != isCatchingUp }
  }

  // MARK: Rounds

  /// Asks what changed and reads it, as long as there is something.
  ///
  /// - Parameter isCatchingUp: Whether this node as a whole is.
  /// - Throws: What the network and the database throw; what was read is merged or thrown away, and not reported.
  func round(_ plan: FeedPlan, isCatchingUp: () -> Bool) async throws {
    repeat {
      let (era, since, reports) = state.withLock { state in
        (
          state.era, state.since,
          state.unreported.sorted().map { FeedPosition(partition: $0, cursor: state.cursors[$0]) }
        )
      }
      let isBehind = isCatchingUp()
      let answer = try await network.heads(
        HeadsRequest(
          layout: plan.layout, since: since, isCatchingUp: isBehind, reports: reports),
        of: source)
      state.withLock { state in
        guard state.era == era else { return }
        state.told = isBehind
        for report in reports where state.cursors[report.partition] == report.cursor {
          state.unreported.remove(report.partition)
        }
      }
      try await read(behind(answer, plan, isFirst: since == 0), plan)
      state.withLock { state in
        guard state.era == era else { return }
        state.since = max(state.since, answer.last)
      }
    } while hasReports(isCatchingUp())
  }

  /// The partitions of the plan in which this node is behind; notes the ends of the others.
  private func behind(_ answer: HeadsAnswer, _ plan: FeedPlan, isFirst: Bool) -> [UInt16] {
    let heads = Dictionary(
      answer.heads.map { ($0.partition, $0.sequence) }, uniquingKeysWith: max)
    return state.withLock { state in
      plan.partitions.filter { partition in
        let read = state.cursors[partition]?.sequence ?? 0
        let isBehind = (heads[partition] ?? 0) > read
        if isFirst, !isBehind { state.ended.insert(partition) }
        // A cursor behind which nothing came is checked by the source when it is reported.
        return isBehind
      }
    }
  }

  private func read(_ partitions: [UInt16], _ plan: FeedPlan) async throws {
    var left = partitions[...]
    while !left.isEmpty {
      try Task.checkCancellation()
      let positions = state.withLock { state in
        left.map { FeedPosition(partition: $0, cursor: state.cursors[$0]) }
      }
      let floors = replica.floors(of: positions.map(\.partition))
      let answer = try await network.feed(
        FeedRequest(layout: plan.layout, positions: positions), of: source)
      guard !answer.parts.isEmpty else { return }
      let began = runtime.now
      let done = try await merge(answer, positions, floors, plan)
      left.removeAll(where: done.contains)
      // Clients' writes get their turn, and the line too.
      try await runtime.sleep(for: min(runtime.now - began, Self.pauseMax))
    }
  }

  private static let pauseMax: Duration = .milliseconds(200)

  /// Merges an answer; returns the partitions of which nothing is left to read.
  private func merge(
    _ answer: FeedAnswer, _ positions: [FeedPosition], _ floors: FloorsSeen, _ plan: FeedPlan
  ) async throws -> Set<UInt16> {
    var done: Set<UInt16> = []
    var ended: Set<UInt16> = []
    var parts: [FeedAnswer.Part] = []
    for part in answer.parts where positions.contains(where: { $0.partition == part.partition }) {
      if part.mustStartOver {
        // A holder that cannot go on has nothing to begin again with: the source is not what it was.
        if plan.isHolder {
          done.insert(part.partition)
        } else {
          try await startOver(part.partition)
        }
      } else {
        parts.append(part)
      }
    }
    counts.withLock { $0.entries += parts.reduce(0) { $0 + $1.entries.count } }
    let rows = try await fetch(try differing(parts))
    let merged = try await store(rows, parts, positions, floors)
    for part in parts where part.isEnd && merged.contains(part.partition) {
      ended.insert(part.partition)
    }
    let all = ended
    state.withLock { $0.ended.formUnion(all) }
    return done.union(ended)
  }

  /// The rows that this replica does not hold as the source does.
  private func differing(_ parts: [FeedAnswer.Part]) throws -> [(UInt16, FeedRow)] {
    try replica.database.read { transaction in
      var rows: [(UInt16, FeedRow)] = []
      for part in parts {
        for entry in part.entries {
          let table = try replica.table(entry.row.table)
          guard table.hasRow(of: part.partition, entry.row.diskKey) else {
            throw TableError.malformed(
              table: entry.row.table, detail: "a feed names a row of another partition")
          }
          let own = try table.hash(entry.row.diskKey, hasher, in: transaction)
          if own != entry.hash { rows.append((part.partition, entry.row)) }
        }
      }
      return rows
    }
  }

  /// A row that was fetched.
  private struct Fetched: Sendable {
    var partition: UInt16
    var row: FeedRow
    var bytes: [UInt8]
  }

  private func fetch(_ wanted: [(UInt16, FeedRow)]) async throws -> [Fetched] {
    var fetched: [Fetched] = []
    var left = wanted[...]
    while !left.isEmpty {
      let answer = try await network.rows(RowsRequest(rows: left.map(\.1)), of: source)
      guard !answer.rows.isEmpty, answer.rows.count <= left.count else {
        throw TableError.malformed(table: "feed", detail: "an answer of another length")
      }
      for (bytes, wanted) in zip(answer.rows, left) {
        guard let bytes else { continue }
        fetched.append(Fetched(partition: wanted.0, row: wanted.1, bytes: bytes))
      }
      left = left.dropFirst(answer.rows.count)
    }
    let bytes = fetched.reduce(0) { $0 + $1.bytes.count }
    counts.withLock { counts in
      counts.rows += fetched.count
      counts.bytes += bytes
    }
    return fetched
  }

  /// Rows merged in one transaction: some milliseconds of the writer's time.
  private static let rowsAtOnceMax = 128

  /// Merges rows and moves the cursors; returns the partitions whose cursors moved.
  private func store(
    _ rows: [Fetched], _ parts: [FeedAnswer.Part], _ positions: [FeedPosition],
    _ floors: FloorsSeen
  ) async throws -> Set<UInt16> {
    let asked = Dictionary(uniqueKeysWithValues: positions.map { ($0.partition, $0.cursor) })
    var left = rows[...]
    var stopped: Set<UInt16> = []
    while left.count > Self.rowsAtOnceMax {
      let batch = Array(left.prefix(Self.rowsAtOnceMax))
      stopped.formUnion(try await store(batch, cursors: [], asked, floors, stopped))
      left = left.dropFirst(batch.count)
    }
    let out = try await store(Array(left), cursors: parts, asked, floors, stopped)
    stopped.formUnion(out)
    if !stopped.isEmpty {
      // They may be others by now.
      let cursors = try stored.all(of: source, in: replica.database)
      let changed = stopped
      state.withLock { state in
        for partition in changed { state.cursors[partition] = cursors[partition] }
      }
    }
    let moved = parts.filter { !stopped.contains($0.partition) }
    let thrownAway = stopped.count
    counts.withLock { $0.thrownAway += thrownAway }
    state.withLock { state in
      for part in moved where state.cursors[part.partition] != part.cursor {
        state.cursors[part.partition] = part.cursor
        state.unreported.insert(part.partition)
      }
    }
    return Set(moved.map(\.partition))
  }

  /// One transaction; returns the partitions whose rows were thrown away.
  private func store(
    _ rows: [Fetched], cursors: [FeedAnswer.Part], _ asked: [UInt16: FeedCursor?],
    _ floors: FloorsSeen, _ stopped: Set<UInt16>
  ) async throws -> Set<UInt16> {
    guard !rows.isEmpty || !cursors.isEmpty else { return [] }
    return try await replica.database.write { [replica, stored, source] transaction in
      var out: Set<UInt16> = []
      for partition in Set(rows.map(\.partition) + cursors.map(\.partition)).sorted() {
        let cursor = try stored.cursor(source, partition, in: transaction)
        if cursor != asked[partition] ?? nil || replica.hasRaised(floors, partition) {
          out.insert(partition)
        }
      }
      for row in rows where !out.contains(row.partition) && !stopped.contains(row.partition) {
        _ = try replica.table(row.row.table).take(row.row.diskKey, row.bytes, in: transaction)
      }
      for part in cursors where !out.contains(part.partition) && !stopped.contains(part.partition) {
        guard asked[part.partition] ?? nil != part.cursor else { continue }
        try stored.put(part.cursor, source, part.partition, in: transaction)
      }
      return out
    }
  }

  /// Begins a partition with nothing: rows, floors and the cursors of all sources go in one transaction.
  private func startOver(_ partition: UInt16) async throws {
    try await replica.database.write { [replica, stored] transaction in
      for table in replica.allTables where partition == Partition.everywhere {
        try table.clear(in: transaction)
      }
      try stored.clear(partition, in: transaction)
    }
    counts.withLock { $0.startedOver += 1 }
    didStartOver(partition)
  }

  /// Forgets the cursor in `partition`, which has begun with nothing.
  func forget(_ partition: UInt16) {
    state.withLock { state in
      state.cursors[partition] = nil
      state.unreported.remove(partition)
      state.ended.remove(partition)
      state.since = 0
      state.era += 1
    }
  }
}

/// The floors that a replica had when it asked.
struct FloorsSeen: Sendable {
  fileprivate var floors: [UInt16: [Timestamp]]
}

extension LocalTableReplica {
  /// The floors of all tables in `partitions`.
  func floors(of partitions: [UInt16]) -> FloorsSeen {
    let tables = allTables
    return FloorsSeen(
      floors: Dictionary(
        partitions.map { partition in (partition, tables.map { $0.floor(of: partition) }) },
        uniquingKeysWith: { first, _ in first }))
  }

  /// Whether a floor of `partition` is higher than it was.
  fileprivate func hasRaised(_ seen: FloorsSeen, _ partition: UInt16) -> Bool {
    guard let before = seen.floors[partition] else { return true }
    return zip(allTables, before).contains { $0.floor(of: partition) > $1 }
  }
}
