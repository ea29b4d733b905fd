// A row of a manifest: the blocks of an object or a part that are too many for its own row.
//
// Rows are keyed (upload ID; part, chunk) and written once. They are durable before the version or part row
// that relies on them, and go after it.

import Base
package import Codecs
import LocalDB
package import Tables

/// Consecutive blocks of an object or a part, or the fact that they were released.
package struct ManifestRow: Equatable, Sendable {
  /// How many blocks a row lists: 36 KB, which one read brings.
  static let blocksMax = 1000

  package var timestamp: Timestamp
  /// The row that the blocks belong to: partition key and sort key in `object`.
  package var owner: RowKey
  package var blocks: [BlockEntry]
  package var isDeleted: Bool
  package var trailing: [UInt8] = []

  /// The tombstone of a manifest row.
  package static func deleted(at timestamp: Timestamp) -> ManifestRow {
    ManifestRow(
      timestamp: timestamp, owner: RowKey(partitionKey: []), blocks: [], isDeleted: true)
  }

  /// The key of chunk `chunk` of part `part`.
  static func key(_ upload: UploadID, part: UInt16, chunk: UInt32) -> RowKey {
    RowKey(partitionKey: upload.bytes, sortKey: sortKey(part: part, chunk: chunk))
  }

  /// The sort key of chunk `chunk` of part `part`.
  package static func sortKey(part: UInt16, chunk: UInt32) -> [UInt8] {
    var writer = BinaryWriter(capacity: 6)
    writer.u16(part)
    writer.u32(chunk)
    return writer.bytes
  }

  /// Whether this row stays when `other` was written too.
  ///
  /// Two live rows under one key are equal, unless a node is faulty; what is chosen then must not depend
  /// on the times, which the merge mixes.
  fileprivate func beats(_ other: ManifestRow) -> Bool {
    if isDeleted != other.isDeleted { return isDeleted }
    var left = other
    var right = self
    left.timestamp = .zero
    right.timestamp = .zero
    return left != right && left.encoded.lexicographicallyPrecedes(right.encoded)
  }

  package init(timestamp: Timestamp, owner: RowKey, blocks: [BlockEntry], isDeleted: Bool = false) {
    self.timestamp = timestamp
    self.owner = owner
    self.blocks = blocks
    self.isDeleted = isDeleted
  }

  package var encoded: [UInt8] {
    var writer = BinaryWriter(capacity: 64 + blocks.count * 36)
    writer.version(1)
    writer.timestamp(timestamp)
    writer.u8(isDeleted ? 0 : 1)
    if !isDeleted {
      writer.bytes(owner.partitionKey)
      writer.bytes(owner.sortKey)
      BlockEntry.write(blocks, to: &writer)
    }
    writer.raw(trailing)
    return writer.bytes
  }

  package init(_ bytes: UnsafeRawBufferPointer) throws(BinaryError) {
    var reader = BinaryReader(bytes)
    _ = try reader.version(upTo: 1)
    timestamp = try reader.timestamp()
    switch try reader.u8() {
    case 0:
      isDeleted = true
      owner = RowKey(partitionKey: [])
      blocks = []
    case 1:
      isDeleted = false
      owner = RowKey(
        partitionKey: try reader.bytes(max: 64),
        sortKey: try reader.bytes(max: RowLimits.sortKeyBytesMax))
      blocks = try BlockEntry.readList(from: &reader, max: RowLimits.blocksInManifestRowMax)
    default: throw .invalidValue
    }
    trailing = reader.remaining()
  }
}

/// The table of manifest rows.
package struct ManifestSchema: TableSchema {
  package init() {}

  package var name: String { "manifest" }
  package var partitionKeyBytes: Int { UploadID.byteCount }

  package func encode(_ row: ManifestRow) -> [UInt8] { row.encoded }
  package func decode(_ bytes: UnsafeRawBufferPointer) throws -> ManifestRow {
    try ManifestRow(bytes)
  }

  package func merge(_ a: ManifestRow, _ b: ManifestRow) -> ManifestRow {
    var winner = b.beats(a) ? b : a
    winner.timestamp = max(a.timestamp, b.timestamp)
    return winner
  }

  package func timestamp(of row: ManifestRow) -> Timestamp { row.timestamp }
  package func tombstoneTimestamp(_ row: ManifestRow) -> Timestamp? {
    row.isDeleted ? row.timestamp : nil
  }
}
