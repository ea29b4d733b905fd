// The bytes of a row on disk (docs/formats/tables.md).

package import Codecs

/// The parts of a stored row.
package struct StoredRow {
  static let format: UInt8 = 1
  /// A promise is a timestamp and a node: this only stops damaged lengths.
  private static let localBytesMax = 4096

  /// What belongs to this replica alone.
  package var local: UnsafeRawBufferPointer
  /// The row as its schema wrote it.
  package var row: UnsafeRawBufferPointer

  /// Reads `stored`, which the parts point into.
  package init(_ stored: UnsafeRawBufferPointer) throws(BinaryError) {
    var reader = BinaryReader(stored)
    _ = try reader.version(upTo: Self.format)
    local = try reader.view(reader.count(max: Self.localBytesMax))
    row = try reader.view(reader.remainingCount)
  }

  /// The bytes to store.
  package static func bytes(local: [UInt8], row: [UInt8]) -> [UInt8] {
    var writer = BinaryWriter(capacity: row.count + local.count + 4)
    writer.version(format)
    writer.bytes(local)
    writer.raw(row)
    return writer.bytes
  }
}
