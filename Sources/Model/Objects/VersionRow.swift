// A row of a version of an object (docs/formats/objects.md).

package import Base
package import Codecs
package import Tables

/// A version of an object, or the fact that it was deleted.
package typealias VersionRow = AttemptRow<StoredObject>

/// An object that was not deleted.
///
/// A class, as every reader of a kept row holds it, and it has a dozen arrays and texts.
package final class StoredObject: Sendable {
  /// A tag of an object.
  package struct Tag: Equatable, Sendable {
    package var name: String
    package var value: String
  }

  package let lastModified: WallTime
  package let sizeBytes: UInt64
  package let metadata: ObjectMetadata
  /// The multipart upload that this version completes.
  package let multipart: UploadID?
  package let parts: PartLayout
  /// The checksums of the parts one after the other, of the algorithm of the object's; none when the parts have
  /// none.
  package let partChecksums: [UInt8]
  /// Room for tags, object lock and encryption.
  package let tags: [Tag]
  package let lock: [UInt8]
  package let envelope: [UInt8]
  package let content: ObjectContent

  package init(
    lastModified: WallTime, sizeBytes: UInt64, metadata: ObjectMetadata,
    multipart: UploadID? = nil, parts: PartLayout = PartLayout(), partChecksums: [UInt8] = [],
    content: ObjectContent
  ) {
    self.lastModified = lastModified
    self.sizeBytes = sizeBytes
    self.metadata = metadata
    self.multipart = multipart
    self.parts = parts
    self.partChecksums = partChecksums
    tags = []
    lock = []
    envelope = []
    self.content = content
  }

  /// Reads what `write` wrote.
  package init(from reader: inout BinaryReader) throws(BinaryError) {
    lastModified = WallTime(milliseconds: try reader.signed())
    sizeBytes = try reader.varint()
    guard sizeBytes <= RowLimits.objectBytesMax else { throw .overLimit }
    metadata = try ObjectMetadata(from: &reader)
    multipart = try reader.optional { (reader: inout BinaryReader) throws(BinaryError) in
      try reader.id(UploadID.self)
    }
    parts = try PartLayout(from: &reader, sizeBytes: sizeBytes)
    partChecksums = try reader.bytes(max: RowLimits.partChecksumBytesMax)
    guard partChecksums.count.isMultiple(of: max(parts.count, 1)) else { throw .invalidValue }
    tags = try reader.list(max: RowLimits.tagsMax) {
      (reader: inout BinaryReader) throws(BinaryError) in
      Tag(
        name: try reader.string(max: RowLimits.tagBytesMax),
        value: try reader.string(max: RowLimits.tagBytesMax))
    }
    lock = try reader.bytes(max: RowLimits.reservedBytesMax)
    envelope = try reader.bytes(max: RowLimits.reservedBytesMax)
    content = try ObjectContent(from: &reader, sizeBytes: sizeBytes)
    if content == .manifest, parts.runs.isEmpty { throw .invalidValue }
  }
}

extension StoredObject: Equatable {
  package static func == (left: StoredObject, right: StoredObject) -> Bool {
    left === right
      || (left.lastModified, left.sizeBytes, left.metadata, left.multipart, left.parts)
        == (right.lastModified, right.sizeBytes, right.metadata, right.multipart, right.parts)
        && (left.partChecksums, left.tags, left.lock, left.envelope, left.content)
          == (right.partChecksums, right.tags, right.lock, right.envelope, right.content)
  }
}

extension StoredObject: AttemptContent {
  package func write(to writer: inout BinaryWriter) {
    writer.signed(lastModified.milliseconds)
    writer.varint(sizeBytes)
    metadata.write(to: &writer)
    writer.optional(multipart) { $0.id($1) }
    parts.write(to: &writer)
    writer.bytes(partChecksums)
    writer.list(tags) { writer, tag in
      writer.string(tag.name)
      writer.string(tag.value)
    }
    writer.bytes(lock)
    writer.bytes(envelope)
    content.write(to: &writer)
  }
}

extension AttemptRow where Content == StoredObject {
  package typealias Object = StoredObject

  /// `nil`: deleted.
  package var object: StoredObject? { content }

  /// Whether the attempt took references of blocks, and so has an upload row.
  var hasReferences: Bool {
    switch object?.content {
    case .blocks, .manifest: true
    case .inline, nil: false
    }
  }

  package init(timestamp: Timestamp, uploadID: UploadID, object: StoredObject?) {
    self.init(timestamp: timestamp, uploadID: uploadID, content: object)
  }
}

extension VersionRow {
  /// Reads the object of `row`, a row of the table `object`, from its beginning; `nil` when that is no version, or
  /// the object was deleted.
  static func contentReader(
    ofRow row: UnsafeRawBufferPointer
  ) throws(BinaryError) -> BinaryReader? {
    var reader = BinaryReader(row)
    _ = try reader.version(upTo: 1)
    guard try reader.u8() == ObjectRowKind.version.rawValue else { return nil }
    _ = try reader.view(MemoryLayout<UInt64>.size + UploadID.byteCount)
    return try reader.bool() ? reader : nil
  }
}
