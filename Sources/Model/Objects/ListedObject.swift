// What a listing shows of an object, read from the beginning of its row.

package import Base
package import Codecs

/// An object in a listing.
package struct ListedObject: Equatable, Sendable {
  package var key: ObjectKey
  package var sizeBytes: UInt64
  package var etag: String
  package var lastModified: WallTime
  package var checksumAlgorithms: [ChecksumAlgorithm]
  package var checksumType: ChecksumType
}

extension ListedObject {
  /// What a listing shows of a version's row; `nil` when the row says that the object is deleted.
  ///
  /// Only the beginning of the row is read (docs/formats/objects.md), as the rest is most of it: its headers, parts
  /// and content.
  package init?(key: ObjectKey, row: UnsafeRawBufferPointer) throws(BinaryError) {
    guard var reader = try VersionRow.contentReader(ofRow: row) else { return nil }
    lastModified = WallTime(milliseconds: try reader.signed())
    sizeBytes = try reader.varint()
    guard sizeBytes <= RowLimits.objectBytesMax else { throw .overLimit }
    etag = try reader.string(max: RowLimits.etagBytesMax)
    for _ in 0..<(try reader.count(max: RowLimits.headersMax)) {
      try reader.skipBytes(max: RowLimits.headerBytesMax)
      try reader.skipBytes(max: RowLimits.headerBytesMax)
    }
    checksumAlgorithms = []
    for _ in 0..<(try reader.count(max: RowLimits.checksumsMax)) {
      guard let algorithm = ChecksumAlgorithm(rawValue: try reader.u8()) else {
        throw .invalidValue
      }
      checksumAlgorithms.append(algorithm)
      try reader.skipBytes(max: RowLimits.checksumBytesMax)
    }
    guard let type = ChecksumType(rawValue: try reader.u8()) else { throw .invalidValue }
    checksumType = type
    self.key = key
  }
}

extension BinaryReader {
  fileprivate mutating func skipBytes(max: Int) throws(BinaryError) {
    _ = try view(try count(max: max))
  }
}
