// A row of a part of a multipart upload (docs/formats/objects.md).
//
// A part that is uploaded again replaces the earlier one, as a version of an object does.

package import Base
package import Codecs
package import Tables

/// A part, or the fact that it was deleted.
package typealias PartRow = AttemptRow<StoredPart>

/// A part that was not deleted.
package struct StoredPart: Equatable, Sendable {
  package var lastModified: WallTime
  package var sizeBytes: UInt64
  package var etag: String
  package var checksums: [ObjectChecksum]
  /// The size of each block but the last.
  package var blockBytes: UInt32
  package var content: ObjectContent

  package init(
    lastModified: WallTime, sizeBytes: UInt64, etag: String, checksums: [ObjectChecksum],
    blockBytes: UInt32, content: ObjectContent
  ) {
    self.lastModified = lastModified
    self.sizeBytes = sizeBytes
    self.etag = etag
    self.checksums = checksums
    self.blockBytes = blockBytes
    self.content = content
  }
}

extension StoredPart: AttemptContent {
  package func write(to writer: inout BinaryWriter) {
    writer.signed(lastModified.milliseconds)
    writer.varint(sizeBytes)
    writer.string(etag)
    ObjectChecksum.write(checksums, to: &writer)
    writer.u32(blockBytes)
    content.write(to: &writer)
  }

  package init(from reader: inout BinaryReader) throws(BinaryError) {
    lastModified = WallTime(milliseconds: try reader.signed())
    sizeBytes = try reader.varint()
    guard sizeBytes <= RowLimits.objectBytesMax else { throw .overLimit }
    etag = try reader.string(max: RowLimits.etagBytesMax)
    checksums = try ObjectChecksum.readList(from: &reader)
    blockBytes = try reader.u32()
    guard blockBytes > 0 else { throw .invalidValue }
    content = try ObjectContent(from: &reader, sizeBytes: sizeBytes)
    if case .inline = content { throw .invalidValue }
  }
}

extension AttemptRow where Content == StoredPart {
  package typealias Part = StoredPart

  /// `nil`: deleted.
  package var part: StoredPart? { content }

  package init(timestamp: Timestamp, uploadID: UploadID, part: StoredPart?) {
    self.init(timestamp: timestamp, uploadID: uploadID, content: part)
  }
}
