// The bytes of a row on disk (docs/formats/tables.md).

package import Codecs

/// The parts of a stored row.
package struct StoredRow {
  static let format: UInt8 = 2
  /// Room for what later programs keep there.
  private static let localBytesMax = 4096

  /// What belongs to this replica alone: the row's place in the change feed, and what later programs keep behind it.
  package var local: UnsafeRawBufferPointer
  /// The row's place in the change feed.
  package var sequence: UInt64
  /// The row as its schema wrote it.
  package var row: UnsafeRawBufferPointer

  /// Reads `stored`, which the parts point into.
  package init(_ stored: UnsafeRawBufferPointer) throws(BinaryError) {
    var reader = BinaryReader(stored)
    let format = try reader.version(upTo: Self.format)
    // Rows of the first format had no place in a feed.
    guard format == Self.format else { throw .unknownVersion(format) }
    local = try reader.view(reader.count(max: Self.localBytesMax))
    guard local.count >= 8 else { throw .truncated }
    sequence = UInt64(bigEndian: local.loadUnaligned(as: UInt64.self))
    row = try reader.view(reader.remainingCount)
  }

  /// The bytes to store.
  ///
  /// - Parameter local: What is kept behind the sequence.
  package static func bytes(sequence: UInt64, local: [UInt8] = [], row: [UInt8]) -> [UInt8] {
    var writer = BinaryWriter(capacity: row.count + local.count + 16)
    writer.version(format)
    writer.count(8 + local.count)
    writer.u64(sequence)
    writer.raw(local)
    writer.raw(row)
    return writer.bytes
  }
}
