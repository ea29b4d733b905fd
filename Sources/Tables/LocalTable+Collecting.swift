// Forgetting deletes.
//
// A tombstone keeps an old write from coming back. Once no node can bring one, the tombstone is dropped,
// and the partition's floor takes its place: whoever still writes below it is told to come back above.

private import Codecs
import LocalDB

extension LocalTable {
  /// Drops up to `limit` tombstones older than `horizon`, and returns how many.
  ///
  /// - Precondition: Every node that holds the row, or may still send rows of its partition, has the tombstone.
  ///   On a sole node that is so at once.
  package nonisolated(nonsending) func collectTombstones(
    olderThan horizon: Timestamp, limit: Int
  ) async throws -> Int {
    try await database.write {
      try self.collectTombstones(olderThan: horizon, limit: limit, in: $0)
    }
  }

  private func collectTombstones(
    olderThan horizon: Timestamp, limit: Int, in transaction: WriteTransaction
  ) throws -> Int {
    var listed: [[UInt8]] = []
    try transaction.scan(
      tombstones, to: tombstoneKey(horizon, []), limit: limit
    ) { key, _ in
      listed.append(Array(key))
      return true
    }
    for entry in listed {
      try transaction.delete(tombstones, entry)
      try drop(entry, in: transaction)
    }
    return listed.count
  }

  private func drop(_ entry: [UInt8], in transaction: WriteTransaction) throws {
    guard entry.count > 8 else { return }
    let timestamp = Timestamp(
      rawValue: entry.prefix(8).reduce(0) { $0 << 8 | UInt64($1) })
    let diskKey = Array(entry[8...])
    guard
      let key = diskKey.withUnsafeBytes({
        RowKey(diskKey: $0, partitionKeyBytes: schema.partitionKeyBytes)
      }),
      let bytes = try transaction.get(rows, diskKey, body: { Array(try rowBytes($0)) })
    else { return }
    let row = try bytes.withUnsafeBytes { try schema.decode($0) }
    // The list follows the rows, so that this holds; a damaged list must not delete a live row.
    guard schema.tombstoneTimestamp(row) == timestamp else { return }
    try transaction.delete(rows, diskKey)
    try fingerprints.change(diskKey, from: bytes, to: nil, in: transaction)
    try floors.raise(diskKey[0], to: schema.timestamp(of: row), in: transaction)
    try schema.rowChanged(key, old: row, new: nil, in: transaction)
  }
}
