// The table of block references. Its hook keeps this node's counts, in the transaction of each row.

import Base
package import LocalDB
package import Tables

/// The schema of the table `block_ref`.
package struct BlockReferenceTable: TableSchema {
  package typealias Row = BlockReference

  /// What the hook keeps.
  package let counts: BlockCounts

  package init(counts: BlockCounts) { self.counts = counts }

  package var name: String { "block_ref" }
  package var partitionKeyBytes: Int { BlockHash.byteCount }

  package func encode(_ row: BlockReference) -> [UInt8] { row.encode() }

  package func decode(_ bytes: UnsafeRawBufferPointer) throws -> BlockReference {
    try BlockReference(decoding: bytes)
  }

  package func merge(_ a: BlockReference, _ b: BlockReference) -> BlockReference {
    a.merged(with: b)
  }

  package func timestamp(of row: BlockReference) -> Timestamp { row.timestamp }

  package func tombstoneTimestamp(_ row: BlockReference) -> Timestamp? {
    row.isLive ? nil : row.timestamp
  }

  /// A live reference after its release is refused: the block it came with would be protected by nothing.
  package func newerTimestamp(held: BlockReference, incoming: BlockReference) -> Timestamp? {
    !held.isLive && incoming.isLive ? held.timestamp : nil
  }

  package func rowChanged(
    _ key: RowKey, old: BlockReference?, new: BlockReference?, in transaction: WriteTransaction
  ) throws {
    // A row under a key that is none comes from a faulty peer; it references no block.
    guard let key = BlockReferenceKey(key) else { return }
    let wasLive = old?.isLive ?? false
    let isLive = new?.isLive ?? false
    if wasLive != isLive { try counts.changed(key, isLive: isLive, in: transaction) }
  }
}

/// Where the rows of a block are in the tree `block_ref` (docs/formats/tables.md).
enum RowKeyPrefix {
  /// What the disk keys of all rows of `hash` begin with.
  static func of(_ hash: BlockHash) -> [UInt8] { [Partition.of(hash.bytes)] + hash.bytes }

  /// The first disk key after them.
  static func end(of hash: BlockHash) -> [UInt8]? { Partition.end(ofPrefix: of(hash)) }
}
