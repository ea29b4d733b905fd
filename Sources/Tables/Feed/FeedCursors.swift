// How far this node has read other nodes' change feeds.
//
//   feed_cursor   source (32), partition (u16)   ->   start ID (16), sequence (u64)
//
// Invariants:
//   1. A cursor is written in the transaction that merges the last row before it.
//   2. What is in memory has been committed: only that is reported.

import Base
import LocalDB
import Synchronization

/// The cursors of this node.
struct FeedCursors: Sendable {
  private let tree: Tree

  /// Blocks the thread; for start-up.
  init(database: LocalDatabase) throws { tree = try database.tree("feed_cursor") }

  /// The cursors of one source.
  func all(of source: NodeID, in database: LocalDatabase) throws -> [UInt16: FeedCursor] {
    var cursors: [UInt16: FeedCursor] = [:]
    try database.scan(
      tree, from: source.bytes, to: Partition.end(ofPrefix: source.bytes)
    ) { key, value in
      guard key.count == NodeID.byteCount + 2 else { throw Self.damaged }
      let partition = UInt16(
        bigEndian: key.loadUnaligned(fromByteOffset: NodeID.byteCount, as: UInt16.self))
      cursors[partition] = try Self.decode(value)
      return true
    }
    return cursors
  }

  /// The cursor as the transaction sees it.
  func cursor(
    _ source: NodeID, _ partition: UInt16, in transaction: ReadTransaction
  ) throws -> FeedCursor? {
    try transaction.get(tree, Self.key(source, partition)) { try Self.decode($0) }
  }

  func put(
    _ cursor: FeedCursor, _ source: NodeID, _ partition: UInt16, in transaction: WriteTransaction
  ) throws {
    try transaction.put(
      tree, Self.key(source, partition),
      cursor.start.bytes + ChangeFeed.bytes(cursor.sequence))
  }

  /// Removes the cursors of all sources for `partition`.
  func clear(_ partition: UInt16, in transaction: WriteTransaction) throws {
    var keys: [[UInt8]] = []
    try transaction.scan(tree) { key, _ in
      if key.count == NodeID.byteCount + 2,
        UInt16(bigEndian: key.loadUnaligned(fromByteOffset: NodeID.byteCount, as: UInt16.self))
          == partition
      {
        keys.append(Array(key))
      }
      return true
    }
    for key in keys { try transaction.delete(tree, key) }
  }

  private static func key(_ source: NodeID, _ partition: UInt16) -> [UInt8] {
    source.bytes + ChangeFeed.bytes(partition)
  }

  private static func decode(_ value: UnsafeRawBufferPointer) throws -> FeedCursor {
    guard value.count == FeedStart.byteCount + 8,
      let start = FeedStart(UnsafeRawBufferPointer(rebasing: value.prefix(FeedStart.byteCount)))
    else { throw damaged }
    let sequence = UnsafeRawBufferPointer(rebasing: value.dropFirst(FeedStart.byteCount))
    return FeedCursor(start: start, sequence: try ChangeFeed.number(sequence))
  }

  private static let damaged = TableError.malformed(
    table: "feed_cursor", detail: "a cursor cannot be read")
}
