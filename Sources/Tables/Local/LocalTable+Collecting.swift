// Forgetting deletes.
//
// A tombstone keeps an old write from coming back. Once no node can bring one, the tombstone is dropped,
// and the partition's floor takes its place: whoever still writes below it is told to come back above.

import LocalDB

/// What a pass over the tombstones did.
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
  /// Drops the tombstone at `diskKey` whose entry in the feed is at `sequence`; `false` when it cannot be read.
  ///
  /// - Precondition: Every node that holds the row, or may still send rows of its partition, has the tombstone.
  ///   On a sole node that is so at once.
  func dropTombstone(
    _ diskKey: [UInt8], at sequence: UInt64, in transaction: WriteTransaction
  ) throws -> Bool {
    guard
      let key = diskKey.withUnsafeBytes({
        RowKey(diskKey: $0, partitionKeyBytes: schema.partitionKeyBytes)
      }),
      let stored = try transaction.get(rows, diskKey)
    else { return false }
    // Only what reads these bytes: any other error undoes the transaction.
    guard let held = try? stored.withUnsafeBytes(heldRow) else { return false }
    // The list follows the rows, so that this holds; a damaged list must not delete a live row.
    guard held.sequence == sequence, schema.tombstoneTimestamp(held.row) != nil else {
      return false
    }
    try transaction.delete(rows, diskKey)
    try feed.drop(feedPartition(diskKey), sequence, in: transaction)
    try floors.raise(diskKey[0], to: schema.timestamp(of: held.row), in: transaction)
    try schema.rowChanged(key, old: held.row, new: nil, in: transaction)
    noteChange(of: key, in: transaction)
    return true
  }

  private func heldRow(_ stored: UnsafeRawBufferPointer) throws -> Held {
    let parts = try StoredRow(stored)
    return Held(try schema.decode(parts.row), parts)
  }
}
