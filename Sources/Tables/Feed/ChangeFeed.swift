// The change feed: in which order the rows of this node changed, so that a peer can read on where it stopped.
//
//   feed             partition (u16), sequence (u64)   ->   the row that changed then: table, disk key
//   feed_tombstone   the same of rows that are tombstones
//   feed_dropped     partition (u16)                   ->   the highest sequence of a tombstone that was dropped
//   feed_start       first sequence (u64)              ->   start ID: which runs of this database there were
//   feed_last        nothing                           ->   the highest sequence of an entry that was removed for good
//
// There is one sequence for the whole database. A row has one entry, that of its last change: its sequence lies in the
// local part of the stored row, so that the entry before can be removed when the row changes again. So the feed has as
// many entries as there are rows, a new holder reads all of it, and one that was off for an hour reads what changed in it.
//
// Invariants:
//   1. Row, entry and sequence change in one transaction.
//   2. A sequence is given once: it never goes back in the life of a database, dropped entries or not.
//   3. Each start of the program has an ID of its own, unless nothing changed since the one before. Whoever finds its cursor
//      in no start, or behind the end of one, knows that the database went back.

package import Base
private import Codecs
package import LocalDB
import Synchronization

/// Tag of `FeedStart`.
package enum FeedStartTag: Sendable {}

/// The name of a run of the program over one database.
package typealias FeedStart = Identifier16<FeedStartTag>

/// How far a feed was read: everything up to a sequence, of a database that had this start then.
package struct FeedCursor: Hashable, Sendable {
  package var start: FeedStart
  package var sequence: UInt64

  package init(start: FeedStart, sequence: UInt64) {
    self.start = start
    self.sequence = sequence
  }
}

/// A row of a partition that changed.
package struct FeedRow: Hashable, Sendable {
  package var table: String
  package var diskKey: [UInt8]

  package init(table: String, diskKey: [UInt8]) {
    self.table = table
    self.diskKey = diskKey
  }
}

/// The feed of one database.
package final class ChangeFeed: Sendable {
  private struct State {
    /// The last sequence that was given, also to a transaction that was undone.
    var given: UInt64
    /// For each partition the last sequence of a transaction that has ended.
    var heads: [UInt64]
    /// Of transactions that have not ended.
    var pending: [(partition: UInt16, sequence: UInt64)] = []
    /// By first sequence.
    var starts: [(first: UInt64, id: FeedStart)]
  }

  private let database: LocalDatabase
  private let entries: Tree
  private let tombstones: Tree
  private let droppedTree: Tree
  private let startTree: Tree
  private let lastTree: Tree
  private let state: Mutex<State>
  private let committed: Atomic<UInt64>

  /// Opens the feed and notes the start.
  ///
  /// Blocks the thread; for start-up.
  ///
  /// - Throws: `LocalDBError`, `TableError`.
  package init(database: LocalDatabase, random: any RandomSource) throws {
    self.database = database
    entries = try database.tree("feed")
    tombstones = try database.tree("feed_tombstone")
    droppedTree = try database.tree("feed_dropped")
    startTree = try database.tree("feed_start")
    lastTree = try database.tree("feed_last", gathering: true)
    let (entries, startTree, lastTree) = (entries, startTree, lastTree)
    let heads = try database.read { transaction in
      try (0...Partition.everywhere).map { partition in
        try Self.head(of: partition, entries, in: transaction)
      }
    }
    // The entry of the highest sequence may be gone.
    let last = max(
      try database.get(lastTree, []) { try Self.number($0) } ?? 0, heads.max() ?? 0)
    guard last < .max else { throw Self.damaged("the last sequence") }
    var starts: [(first: UInt64, id: FeedStart)] = []
    try database.scan(startTree) { key, value in
      guard let id = FeedStart(value) else { throw Self.damaged("a start's ID") }
      let first = try Self.number(key)
      guard first > 0 else { throw Self.damaged("a start's first sequence") }
      starts.append((first, id))
      return true
    }
    // Nobody has read anything of a start without changes.
    if let newest = starts.last, newest.first > last { starts.removeLast() }
    let start = (first: last + 1, id: FeedStart(high: random.next(), low: random.next()))
    starts.append(start)
    try database.writeBlocking { transaction in
      try transaction.put(startTree, Self.bytes(start.first), start.id.bytes)
    }
    state = Mutex(State(given: last, heads: heads, starts: starts))
    committed = Atomic(last)
  }

  private static func head(
    of partition: UInt16, _ entries: Tree, in transaction: ReadTransaction
  ) throws -> UInt64 {
    var head: UInt64 = 0
    try transaction.scan(
      entries, from: key(partition, 0), to: end(of: partition), limit: 1, reversed: true
    ) { key, _ in
      head = try place(key).sequence
      return false
    }
    return head
  }

  // MARK: Writing

  /// A place in the feed for a change; its transaction must `record` it.
  func next(_ partition: UInt16, in transaction: WriteTransaction) -> UInt64 {
    // Each time: a body that is undone takes its observers with it.
    transaction.observeCommit(CommitObserver(didEnd: { self.publish() }))
    return state.withLock { state in
      state.given += 1
      state.pending.append((partition, state.given))
      return state.given
    }
  }

  /// Shows others what the transactions that have ended have changed.
  private func publish() {
    let given = state.withLock { state in
      for (partition, sequence) in state.pending {
        state.heads[Int(partition)] = max(state.heads[Int(partition)], sequence)
      }
      state.pending.removeAll(keepingCapacity: true)
      return state.given
    }
    committed.store(given, ordering: .releasing)
  }

  /// Puts the entry of a row at `sequence`, in the place of the row's entry before.
  func record(
    _ row: FeedRow, _ partition: UInt16, at sequence: UInt64, isTombstone: Bool,
    replacing former: (sequence: UInt64, isTombstone: Bool)?, in transaction: WriteTransaction
  ) throws {
    if let former { try remove(partition, former, in: transaction) }
    let (key, value) = (Self.key(partition, sequence), Self.encode(row))
    try transaction.put(entries, key, value)
    if isTombstone { try transaction.put(tombstones, key, value) }
  }

  /// Removes the entry of a tombstone that is dropped.
  func drop(_ partition: UInt16, _ sequence: UInt64, in transaction: WriteTransaction) throws {
    try forget(partition, (sequence, true), in: transaction)
    let name = Self.bytes(partition)
    let before = try transaction.get(droppedTree, name) { try Self.number($0) } ?? 0
    if sequence > before { try transaction.put(droppedTree, name, Self.bytes(sequence)) }
  }

  /// Removes the entry of a row that is no more.
  func forget(
    _ partition: UInt16, _ former: (sequence: UInt64, isTombstone: Bool),
    in transaction: WriteTransaction
  ) throws {
    try remove(partition, former, in: transaction)
    let last = try transaction.get(lastTree, []) { try Self.number($0) } ?? 0
    if former.sequence > last { try transaction.put(lastTree, [], Self.bytes(former.sequence)) }
  }

  private func remove(
    _ partition: UInt16, _ former: (sequence: UInt64, isTombstone: Bool),
    in transaction: WriteTransaction
  ) throws {
    let key = Self.key(partition, former.sequence)
    try transaction.delete(entries, key)
    if former.isTombstone { try transaction.delete(tombstones, key) }
  }

  // MARK: Reading

  /// The last sequence of changes that have ended: it grows with every change.
  package var last: UInt64 { committed.load(ordering: .acquiring) }

  /// The last sequence of each of the 257 partitions.
  package var heads: [UInt64] { state.withLock(\.heads) }

  /// This run.
  package var start: FeedStart { state.withLock { $0.starts[$0.starts.count - 1].id } }

  /// The start that was under way at `sequence`, for a cursor.
  func cursor(at sequence: UInt64) -> FeedCursor {
    state.withLock { state in
      let start = state.starts.last { $0.first <= max(sequence, 1) } ?? state.starts[0]
      return FeedCursor(start: start.id, sequence: sequence)
    }
  }

  /// Whether this database is one that `cursor` can have been read from.
  func knows(_ cursor: FeedCursor) -> Bool {
    // Whoever has read nothing cannot have read too much.
    if cursor.sequence == 0 { return true }
    return state.withLock { state in
      guard let index = state.starts.lastIndex(where: { $0.id == cursor.start }) else {
        return false
      }
      let end =
        index + 1 < state.starts.count ? state.starts[index + 1].first - 1 : state.given
      // The sequence is a peer's: it must not be added to.
      return cursor.sequence >= state.starts[index].first - 1 && cursor.sequence <= end
    }
  }

  /// Hands the entries of `partition` behind `sequence` to `body`, in order, until it returns false.
  func read(
    _ partition: UInt16, after sequence: UInt64, in transaction: ReadTransaction,
    _ body: (UInt64, FeedRow) throws -> Bool
  ) throws {
    try walk(entries, partition, after: sequence, upTo: .max, in: transaction, body)
  }

  /// Hands the tombstones of `partition` up to `sequence` to `body`, in order, until it returns false.
  func readTombstones(
    _ partition: UInt16, after: UInt64, upTo sequence: UInt64, in transaction: ReadTransaction,
    _ body: (UInt64, FeedRow) throws -> Bool
  ) throws {
    try walk(tombstones, partition, after: after, upTo: sequence, in: transaction, body)
  }

  private func walk(
    _ tree: Tree, _ partition: UInt16, after: UInt64, upTo: UInt64,
    in transaction: ReadTransaction, _ body: (UInt64, FeedRow) throws -> Bool
  ) throws {
    guard after < upTo else { return }
    let end = upTo == .max ? Self.end(of: partition) : Self.key(partition, upTo + 1)
    try transaction.scan(tree, from: Self.key(partition, after + 1), to: end) { key, value in
      try body(Self.place(key).sequence, Self.row(value))
    }
  }

  /// Whether there is anything that was deleted and is not forgotten.
  package var hasTombstones: Bool {
    var has = false
    try? database.scan(tombstones, limit: 1) { _, _ in
      has = true
      return false
    }
    return has
  }

  /// The sequence of the last entry of `partition`; 0 when there is none.
  func head(of partition: UInt16, in transaction: ReadTransaction) throws -> UInt64 {
    try Self.head(of: partition, entries, in: transaction)
  }

  /// The highest sequence of a tombstone of `partition` that was dropped: who has not read so far misses deletes.
  func dropped(_ partition: UInt16, in transaction: ReadTransaction) throws -> UInt64 {
    try transaction.get(droppedTree, Self.bytes(partition)) { try Self.number($0) } ?? 0
  }

  /// Corrects the head of a partition that was read to its end at `sequence`, where a change that failed had raised it.
  func hasEnded(_ partition: UInt16, at sequence: UInt64, head: UInt64) {
    state.withLock { state in
      guard state.heads[Int(partition)] == head, sequence < head else { return }
      state.heads[Int(partition)] = sequence
    }
  }

  // MARK: Bytes

  private static func key(_ partition: UInt16, _ sequence: UInt64) -> [UInt8] {
    var writer = BinaryWriter(capacity: 10)
    writer.u16(partition)
    writer.u64(sequence)
    return writer.bytes
  }

  private static func end(of partition: UInt16) -> [UInt8] { bytes(partition + 1) }

  static func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { Array($0) }
  }

  static func number(_ bytes: UnsafeRawBufferPointer) throws -> UInt64 {
    guard bytes.count == 8 else { throw damaged("a number") }
    return UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
  }

  private static func place(
    _ key: UnsafeRawBufferPointer
  ) throws -> (partition: UInt16, sequence: UInt64) {
    guard key.count == 10 else { throw damaged("a key") }
    return (
      UInt16(bigEndian: key.loadUnaligned(as: UInt16.self)),
      try number(UnsafeRawBufferPointer(rebasing: key[2...]))
    )
  }

  private static func encode(_ row: FeedRow) -> [UInt8] {
    var writer = BinaryWriter(capacity: 16 + row.table.utf8.count + row.diskKey.count)
    writer.string(row.table)
    writer.raw(row.diskKey)
    return writer.bytes
  }

  private static func row(_ value: UnsafeRawBufferPointer) throws -> FeedRow {
    do {
      var reader = BinaryReader(value)
      let table = try reader.string(max: TableMessageLimits.nameBytesMax)
      return FeedRow(table: table, diskKey: reader.remaining())
    } catch {
      throw damaged("an entry")
    }
  }

  private static func damaged(_ what: String) -> TableError {
    .malformed(table: "feed", detail: "\(what) cannot be read")
  }
}
