// Forgetting deletes.
//
// A tombstone keeps an old write from coming back. Once no node can bring one, the tombstone is dropped,
// and the partition's floor takes its place: whoever still writes below it is told to come back above.

private import Codecs
import LocalDB

/// What a pass over the lists of tombstones did.
package struct CollectedTombstones: Equatable, Sendable {
  /// How many were dropped.
  package var dropped: Int
  /// How many stay because their row's bytes are damaged, or of a newer program.
  package var unreadable: Int

  package init(dropped: Int = 0, unreadable: Int = 0) {
    self.dropped = dropped
    self.unreadable = unreadable
  }
}

extension LocalTable {
  /// Drops those of the next `limit` listed tombstones older than `horizon` whose rows can be read.
  ///
  /// - Returns: What was done, and where in the list to go on; `nil` at its end.
  /// - Precondition: Every node that holds the row, or may still send rows of its partition, has the tombstone.
  ///   On a sole node that is so at once.
  package nonisolated(nonsending) func collectTombstones(
    olderThan horizon: Timestamp, from: [UInt8], limit: Int
  ) async throws -> (CollectedTombstones, next: [UInt8]?) {
    try await database.write {
      try self.collectTombstones(olderThan: horizon, from: from, limit: limit, in: $0)
    }
  }

  private func collectTombstones(
    olderThan horizon: Timestamp, from: [UInt8], limit: Int, in transaction: WriteTransaction
  ) throws -> (CollectedTombstones, next: [UInt8]?) {
    var listed: [[UInt8]] = []
    try transaction.scan(
      tombstones, from: from, to: tombstoneKey(horizon, []), limit: limit
    ) { key, _ in
      listed.append(Array(key))
      return true
    }
    var collected = CollectedTombstones()
    for entry in listed {
      if try drop(entry, in: transaction) {
        try transaction.delete(tombstones, entry)
        collected.dropped += 1
      } else {
        collected.unreadable += 1
      }
    }
    return (collected, next: listed.count < limit ? nil : listed.last.map { $0 + [0] })
  }

  /// Drops the row of a listed tombstone, if it is there; `false` when it cannot be read.
  private func drop(_ entry: [UInt8], in transaction: WriteTransaction) throws -> Bool {
    guard entry.count > 8 else { return true }
    let timestamp = Timestamp(
      rawValue: entry.prefix(8).reduce(0) { $0 << 8 | UInt64($1) })
    let diskKey = Array(entry[8...])
    guard
      let key = diskKey.withUnsafeBytes({
        RowKey(diskKey: $0, partitionKeyBytes: schema.partitionKeyBytes)
      }),
      let stored = try transaction.get(rows, diskKey)
    else { return true }
    // Only what reads these bytes: any other error undoes the transaction.
    guard let (row, bytes) = try? stored.withUnsafeBytes(rowAndBytes) else { return false }
    // The list follows the rows, so that this holds; a damaged list must not delete a live row.
    guard schema.tombstoneTimestamp(row) == timestamp else { return true }
    try transaction.delete(rows, diskKey)
    try fingerprints.change(diskKey, from: bytes, to: nil, in: transaction)
    try floors.raise(diskKey[0], to: schema.timestamp(of: row), in: transaction)
    try schema.rowChanged(key, old: row, new: nil, in: transaction)
    noteChange(of: key, in: transaction)
    return true
  }

  private func rowAndBytes(_ stored: UnsafeRawBufferPointer) throws -> (Schema.Row, [UInt8]) {
    let bytes = try rowBytes(stored)
    return (try schema.decode(bytes), Array(bytes))
  }
}
