// Deleting the files of blocks that nobody references any more.

import Base
import LocalDB
import Tables

extension BlockService {
  /// Entries of the queue that one turn acts on, between which clients get the disk.
  private static let deletedAtOnceMax = 256

  /// What became of an entry of the deletion queue.
  private enum DeletionOutcome {
    /// The file is gone, from these directories.
    case deleted([String])
    /// The block is needed, or has a later entry.
    case needed
    /// The references could not be counted, or the file not removed, now.
    case postponed
  }

  /// Deletes the files of blocks whose count has been zero for the deletion delay.
  ///
  /// - Returns: How many entries of the queue it dealt with; call again at once when that is not zero.
  package nonisolated(nonsending) func deleteDue() async throws -> Int {
    let delay = UInt64(max(0, options.deletionDelay.wholeNanoseconds)) / 1_000_000
    let now = counts.nodeTime
    guard now >= delay else { return 0 }
    let entries = try counts.deletions(until: now - delay, limit: Self.deletedAtOnceMax)
    if entries.isEmpty { return 0 }
    var folders: Set<String> = []
    var deleted: Set<BlockHash> = []
    var postponed: [DeletionEntry] = []
    for entry in entries {
      switch try await delete(entry) {
      case .deleted(let paths):
        folders.formUnion(paths)
        deleted.insert(entry.hash)
      case .needed: break
      case .postponed: postponed.append(entry)
      }
    }
    // The queue forgets a file only when it cannot come back.
    for folder in folders.sorted() { try await syncs.sync(folder) }
    let counts = counts
    let finished = deleted
    let later = postponed
    try await database.write { transaction in
      try counts.finish(entries, deleted: finished, in: transaction)
      for entry in later { try counts.postpone(entry, in: transaction) }
    }
    metrics.deleted.add(UInt64(finished.count))
    return entries.count
  }

  private nonisolated(nonsending) func delete(
    _ entry: DeletionEntry
  ) async throws -> DeletionOutcome {
    let store = store
    return try await locks.withLock(entry.hash) {
      do {
        guard let count = try counts.count(entry.hash), count.live == 0,
          count.zeroSince == entry.zeroSince
        else { return .needed }
        let live = try database.read {
          try liveReferences(of: entry.hash, atMost: 1, in: $0)
        }
        guard live == 0 else {
          logger.error(
            "A block was counted as unneeded and is referenced; it is kept. Run: grange repair blocks --check",
            [("block", entry.hash.hex)])
          return .needed
        }
        return .deleted(try await runtime.blocking { try store.remove(entry.hash) })
      } catch let error where !(error is CancellationError) {
        // One bad row or disk must not hold up the entries behind it.
        logger.warning(
          "A block could not be deleted; it will be tried again.",
          [("block", entry.hash.hex), ("error", "\(error)")])
        return .postponed
      }
    }
  }

  /// Counts the live reference rows of a block, not trusting its count.
  func liveReferences(
    of hash: BlockHash, atMost limit: Int, in transaction: ReadTransaction
  ) throws -> Int {
    var total = 0
    let prefix = RowKeyPrefix.of(hash)
    try transaction.scan(rowTree, from: prefix, to: RowKeyPrefix.end(of: hash)) { key, _ in
      let rowKey = RowKey(partitionKey: hash.bytes, sortKey: Array(key.dropFirst(prefix.count)))
      if try references.entry(rowKey, in: transaction)?.isLive == true { total += 1 }
      return total < limit
    }
    return total
  }
}
