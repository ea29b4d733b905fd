// Reference counts of blocks, and the queue of files to delete.
//
// A block file stays while at least one reference points at it. At zero it is not removed at once: an upload
// on another node may be about to reference the same content, and that reference can reach this node
// late. The trees are drawn in docs/formats/block-references.md.
//
// Invariants:
//   1. A count changes only in the transaction that writes the reference causing the change.
//   2. Whenever a count becomes zero, the queue has an entry with the moment, in the same transaction.
//   3. A count of zero has a row until its file is deleted: no row means that the node knows of no file.

package import Base
package import LocalDB
private import Tables
private import Synchronization

/// How many live references a block has on this node.
package struct BlockCount: Equatable, Sendable {
  package var live: UInt64
  /// Since when there are none, in node time; meaningless while there are some.
  package var zeroSince: UInt64

  var bytes: [UInt8] { live.networkBytes + zeroSince.networkBytes }

  init(live: UInt64, zeroSince: UInt64) {
    self.live = live
    self.zeroSince = zeroSince
  }

  init?(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count == 16 else { return nil }
    live = UInt64(networkBytes: bytes[..<8])
    zeroSince = UInt64(networkBytes: bytes[8...])
  }
}

/// An entry of the deletion queue.
package struct DeletionEntry: Equatable, Sendable {
  package var zeroSince: UInt64
  package var hash: BlockHash

  var key: [UInt8] { zeroSince.networkBytes + hash.bytes }
}

/// The trees of counts, of references by upload, and of deletions.
package final class BlockCounts: Sendable {
  private let database: LocalDatabase
  let countTree: Tree
  private let uploadTree: Tree
  private let deletionTree: Tree
  private let runtime: any Runtime
  /// Node time at `started`.
  private let base: UInt64
  private let started: MonotonicInstant

  /// Opens the trees; for start-up.
  package init(_ database: LocalDatabase, runtime: any Runtime) throws {
    self.database = database
    self.runtime = runtime
    countTree = try database.tree("block_count")
    uploadTree = try database.tree("block_by_upload")
    deletionTree = try database.tree("block_deletion")
    started = runtime.now
    var newest: UInt64 = 0
    try database.scan(deletionTree, limit: 1, reversed: true) { key, _ in
      if key.count >= 8 { newest = UInt64(networkBytes: key[..<8]) }
      return false
    }
    // A damaged entry must not overflow the clock.
    base = min(newest, .max >> 1)
  }

  /// How long this node has been running, over all its runs, in milliseconds.
  package var nodeTime: UInt64 {
    base + UInt64(max(0, (runtime.now - started).wholeNanoseconds)) / 1_000_000
  }

  // MARK: Reading

  /// The count of `hash`; `nil` when the node knows of no such block.
  package func count(_ hash: BlockHash) throws -> BlockCount? {
    try database.get(countTree, hash.bytes) { BlockCount($0) } ?? nil
  }

  /// The count of `hash` within a transaction.
  func count(_ hash: BlockHash, in transaction: ReadTransaction) throws -> BlockCount? {
    try transaction.get(countTree, hash.bytes) { BlockCount($0) } ?? nil
  }

  /// The blocks that `upload` references on this node, in order, from the one after `after`; at most `limit`.
  package func blocks(of upload: UploadID, after: BlockHash? = nil, limit: Int) throws
    -> [BlockHash]
  {
    var hashes: [BlockHash] = []
    let from = after.map { upload.bytes + $0.bytes + [0] } ?? upload.bytes
    try database.scan(uploadTree, from: from, limit: limit) { key, _ in
      guard key.count == 48, key.prefix(16).elementsEqual(upload.bytes),
        let hash = BlockHash(key.dropFirst(16))
      else { return false }
      hashes.append(hash)
      return true
    }
    return hashes
  }

  /// The oldest entries of the deletion queue that became zero no later than `moment`; at most `limit`.
  package func deletions(until moment: UInt64, limit: Int) throws -> [DeletionEntry] {
    var entries: [DeletionEntry] = []
    try database.scan(deletionTree, limit: limit) { key, _ in
      guard key.count == 40, let hash = BlockHash(key[8...]) else { return true }
      let zeroSince = UInt64(networkBytes: key[..<8])
      if zeroSince > moment { return false }
      entries.append(DeletionEntry(zeroSince: zeroSince, hash: hash))
      return true
    }
    return entries
  }

  /// When the oldest block of the queue became unneeded; `nil` when the queue is empty.
  package func oldestDeletion() throws -> UInt64? {
    try deletions(until: .max, limit: 1).first?.zeroSince
  }

  /// The counts of the blocks whose names begin with `prefix`, in order.
  func counts(prefix: [UInt8]) throws -> [(hash: BlockHash, count: BlockCount)] {
    var found: [(hash: BlockHash, count: BlockCount)] = []
    try database.scan(countTree, from: prefix, to: Partition.end(ofPrefix: prefix)) { key, value in
      if let hash = BlockHash(key), let count = BlockCount(value) { found.append((hash, count)) }
      return true
    }
    return found
  }

  /// The second bytes of the names that begin with `first` and have a count.
  func secondBytes(first: UInt8) throws -> [UInt8] {
    var found: [UInt8] = []
    var from: [UInt8]? = [first]
    while let position = from {
      var second: UInt8?
      try database.scan(
        countTree, from: position, to: Partition.end(ofPrefix: [first]), limit: 1
      ) { key, _ in
        if key.count >= 2 { second = key[1] }
        return false
      }
      guard let second else { break }
      found.append(second)
      from = second == .max ? nil : [first, second + 1]
    }
    return found
  }

  // MARK: Writing

  /// Counts a reference that became live or stopped being so; called by the table's hook.
  func changed(
    _ key: BlockReferenceKey, isLive: Bool, in transaction: WriteTransaction
  ) throws {
    let hash = key.hash.bytes
    let indexKey = key.upload.bytes + hash
    let held = try transaction.get(countTree, hash) { BlockCount($0) } ?? nil
    var count = held ?? BlockCount(live: 0, zeroSince: 0)
    if isLive {
      try transaction.put(uploadTree, indexKey, [])
      count.live += 1
      count.zeroSince = 0
    } else {
      try transaction.delete(uploadTree, indexKey)
      // A count that is too low was lost; the check recounts.
      count.live = count.live == 0 ? 0 : count.live - 1
      if count.live == 0 { try enqueue(key.hash, &count, in: transaction) }
    }
    try transaction.put(countTree, hash, count.bytes)
  }

  private func enqueue(
    _ hash: BlockHash, _ count: inout BlockCount, in transaction: WriteTransaction
  ) throws {
    count.zeroSince = nodeTime
    let entry = DeletionEntry(zeroSince: count.zeroSince, hash: hash)
    try transaction.put(deletionTree, entry.key, [])
  }

  /// Queues a file that no reference points at, unless the block is needed meanwhile.
  ///
  /// Also when the block is queued already: the earlier entry may be for a file that was just removed, and
  /// forgets the block when it is finished.
  func adopt(_ hash: BlockHash, in transaction: WriteTransaction) throws {
    let held = try count(hash, in: transaction)
    guard held?.live ?? 0 == 0 else { return }
    var count = BlockCount(live: 0, zeroSince: 0)
    try enqueue(hash, &count, in: transaction)
    try transaction.put(countTree, hash.bytes, count.bytes)
  }

  /// Puts an entry that could not be acted on at the end of the queue.
  func postpone(_ entry: DeletionEntry, in transaction: WriteTransaction) throws {
    let held = try transaction.get(countTree, entry.hash.bytes) { BlockCount($0) } ?? nil
    guard var count = held, count.live == 0, count.zeroSince == entry.zeroSince else { return }
    try enqueue(entry.hash, &count, in: transaction)
    try transaction.put(countTree, entry.hash.bytes, count.bytes)
  }

  /// Replaces a count that the check found wrong.
  func correct(_ hash: BlockHash, live: UInt64, in transaction: WriteTransaction) throws {
    var count = BlockCount(live: live, zeroSince: 0)
    if live == 0 { try enqueue(hash, &count, in: transaction) }
    try transaction.put(countTree, hash.bytes, count.bytes)
  }

  /// Drops entries that were acted on, and the counts of the blocks that are still at zero since then.
  func finish(
    _ entries: [DeletionEntry], deleted: Set<BlockHash>, in transaction: WriteTransaction
  ) throws {
    for entry in entries {
      try transaction.delete(deletionTree, entry.key)
      guard deleted.contains(entry.hash) else { continue }
      let count = try transaction.get(countTree, entry.hash.bytes) { BlockCount($0) } ?? nil
      if let count, count.live == 0, count.zeroSince == entry.zeroSince {
        try transaction.delete(countTree, entry.hash.bytes)
      }
    }
  }
}

extension UInt64 {
  /// Eight bytes, the most significant first.
  var networkBytes: [UInt8] { withUnsafeBytes(of: bigEndian) { [UInt8]($0) } }

  /// Reads at most eight bytes, the most significant first.
  init(networkBytes bytes: some Sequence<UInt8>) {
    self = bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }
}
