// A row of a version of an object (docs/formats/objects.md).
//
// Invariants:
//   1. Of two rows under one sort key the one with the greater (timestamp, upload ID) stays.
//   2. Rows with one upload ID describe one write: replacing one by the other releases nothing.

package import Base
import Codecs
package import Tables

/// A version of an object, or the fact that it was deleted.
package struct VersionRow: Equatable, Sendable {
  /// An object that was not deleted.
  package struct Object: Equatable, Sendable {
    package var lastModified: WallTime
    package var sizeBytes: UInt64
    package var metadata: ObjectMetadata
    /// The multipart upload that this version completes.
    package var multipart: UploadID?
    package var parts = PartLayout()
    /// Room for tags, object lock and encryption.
    package var tags: [Tag] = []
    package var lock: [UInt8] = []
    package var envelope: [UInt8] = []
    package var content: ObjectContent

    package init(
      lastModified: WallTime, sizeBytes: UInt64, metadata: ObjectMetadata,
      multipart: UploadID? = nil, parts: PartLayout = PartLayout(), content: ObjectContent
    ) {
      self.lastModified = lastModified
      self.sizeBytes = sizeBytes
      self.metadata = metadata
      self.multipart = multipart
      self.parts = parts
      self.content = content
    }
  }

  /// A tag of an object.
  package struct Tag: Equatable, Sendable {
    package var name: String
    package var value: String
  }

  package var timestamp: Timestamp
  package var uploadID: UploadID
  /// `nil`: deleted.
  package var object: Object?
  /// Fields of newer programs.
  package var trailing: [UInt8] = []

  /// The row that stays when both were written.
  static func merged(_ a: VersionRow, _ b: VersionRow) -> VersionRow {
    if (a.timestamp, a.uploadID) != (b.timestamp, b.uploadID) {
      return (a.timestamp, a.uploadID) > (b.timestamp, b.uploadID) ? a : b
    }
    if a == b { return a }
    // Only a faulty node writes two rows with one name; all replicas still agree on one of them.
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
    writer.u8(object == nil ? 0 : 1)
    if let object {
      writer.signed(object.lastModified.milliseconds)
      writer.varint(object.sizeBytes)
      object.metadata.write(to: &writer)
      writer.optional(object.multipart) { $0.id($1) }
      object.parts.write(to: &writer)
      writer.list(object.tags) { writer, tag in
        writer.string(tag.name)
        writer.string(tag.value)
      }
      writer.bytes(object.lock)
      writer.bytes(object.envelope)
      object.content.write(to: &writer)
    }
    writer.raw(trailing)
  }

  package init(
    timestamp: Timestamp, uploadID: UploadID, object: Object?, trailing: [UInt8] = []
  ) {
    self.timestamp = timestamp
    self.uploadID = uploadID
    self.object = object
    self.trailing = trailing
  }

  init(from reader: inout BinaryReader) throws(BinaryError) {
    timestamp = Timestamp(rawValue: try reader.u64())
    uploadID = try reader.id()
    switch try reader.u8() {
    case 0: object = nil
    case 1: object = try Object(from: &reader)
    default: throw .invalidValue
    }
    trailing = reader.remaining()
  }
}

extension VersionRow.Object {
  init(from reader: inout BinaryReader) throws(BinaryError) {
    lastModified = WallTime(milliseconds: try reader.signed())
    sizeBytes = try reader.varint()
    guard sizeBytes <= RowLimits.objectBytesMax else { throw .overLimit }
    metadata = try ObjectMetadata(from: &reader)
    multipart = try reader.optional { (reader: inout BinaryReader) throws(BinaryError) in
      try reader.id(UploadID.self)
    }
    parts = try PartLayout(from: &reader, sizeBytes: sizeBytes)
    tags = try reader.list(max: RowLimits.tagsMax) {
      (reader: inout BinaryReader) throws(BinaryError) in
      VersionRow.Tag(
        name: try reader.string(max: RowLimits.tagBytesMax),
        value: try reader.string(max: RowLimits.tagBytesMax))
    }
    lock = try reader.bytes(max: RowLimits.reservedBytesMax)
    envelope = try reader.bytes(max: RowLimits.reservedBytesMax)
    content = try ObjectContent(from: &reader, sizeBytes: sizeBytes)
    if content == .manifest, parts.runs.isEmpty { throw .invalidValue }
  }
}
