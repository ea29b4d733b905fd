// A row of a part of a multipart upload (docs/formats/objects.md).
//
// A part that is uploaded again replaces the earlier one, as a version of an object does: the greater
// (timestamp, upload ID) stays. The upload ID names the attempt to write the part, and owns its references.

package import Base
import Codecs
package import Tables

/// A part, or the fact that it was deleted.
package struct PartRow: Equatable, Sendable {
  /// A part that was not deleted.
  package struct Part: Equatable, Sendable {
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

  package var timestamp: Timestamp
  package var uploadID: UploadID
  /// `nil`: deleted.
  package var part: Part?
  package var trailing: [UInt8] = []

  /// The row that stays when both were written.
  static func merged(_ a: PartRow, _ b: PartRow) -> PartRow {
    if (a.timestamp, a.uploadID) != (b.timestamp, b.uploadID) {
      return (a.timestamp, a.uploadID) > (b.timestamp, b.uploadID) ? a : b
    }
    if a == b { return a }
    return a.encoded.lexicographicallyPrecedes(b.encoded) ? b : a
  }

  private var encoded: [UInt8] {
    var writer = BinaryWriter()
    write(to: &writer)
    return writer.bytes
  }

  func write(to writer: inout BinaryWriter) {
    writer.u64(timestamp.rawValue)
    writer.id(uploadID)
    writer.u8(part == nil ? 0 : 1)
    if let part {
      writer.signed(part.lastModified.milliseconds)
      writer.varint(part.sizeBytes)
      writer.string(part.etag)
      ObjectChecksum.write(part.checksums, to: &writer)
      writer.u32(part.blockBytes)
      part.content.write(to: &writer)
    }
    writer.raw(trailing)
  }

  package init(timestamp: Timestamp, uploadID: UploadID, part: Part?) {
    self.timestamp = timestamp
    self.uploadID = uploadID
    self.part = part
  }

  init(from reader: inout BinaryReader) throws(BinaryError) {
    timestamp = Timestamp(rawValue: try reader.u64())
    uploadID = try reader.id()
    switch try reader.u8() {
    case 0: part = nil
    case 1: part = try Part(from: &reader)
    default: throw .invalidValue
    }
    trailing = reader.remaining()
  }
}

extension PartRow.Part {
  init(from reader: inout BinaryReader) throws(BinaryError) {
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
