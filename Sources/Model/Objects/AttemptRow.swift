// What rows of versions and parts have in common: an attempt wrote them, and a later attempt replaces them.
//
//   [timestamp: u64] [upload ID: 16] [0] [trailing]              deleted
//   [timestamp: u64] [upload ID: 16] [1] [content] [trailing]
//
// Invariants:
//   1. Of two rows under one sort key the one with the greater (timestamp, upload ID) stays.
//   2. Rows with one upload ID describe one write: replacing one by the other releases nothing.

package import Base
package import Codecs
package import Tables

/// What an attempt wrote, as it lies in its row (docs/formats/objects.md).
package protocol AttemptContent: Equatable, Sendable {
  init(from reader: inout BinaryReader) throws(BinaryError)
  func write(to writer: inout BinaryWriter)
}

/// What one attempt wrote, or the fact that it was deleted.
package struct AttemptRow<Content: AttemptContent>: Equatable, Sendable {
  package var timestamp: Timestamp
  /// The attempt, which owns the references of the content's blocks.
  package var uploadID: UploadID
  /// `nil`: deleted.
  package var content: Content?
  /// Fields of newer programs.
  package var trailing: [UInt8] = []

  package init(timestamp: Timestamp, uploadID: UploadID, content: Content?) {
    self.timestamp = timestamp
    self.uploadID = uploadID
    self.content = content
  }

  /// The row that stays when both were written.
  static func merged(_ a: Self, _ b: Self) -> Self {
    if (a.timestamp, a.uploadID) != (b.timestamp, b.uploadID) {
      return (a.timestamp, a.uploadID) > (b.timestamp, b.uploadID) ? a : b
    }
    // Bytes are compared, not values: Swift calls two texts equal that are two spellings of one. Only a faulty node
    // writes two rows with one name; all replicas still agree on one of them.
    return a.encoded.lexicographicallyPrecedes(b.encoded) ? b : a
  }

  private var encoded: [UInt8] {
    var writer = BinaryWriter()
    write(to: &writer)
    return writer.bytes
  }

  func write(to writer: inout BinaryWriter) {
    writer.timestamp(timestamp)
    writer.id(uploadID)
    writer.u8(content == nil ? 0 : 1)
    content?.write(to: &writer)
    writer.raw(trailing)
  }

  init(from reader: inout BinaryReader) throws(BinaryError) {
    timestamp = try reader.timestamp()
    uploadID = try reader.id()
    switch try reader.u8() {
    case 0: content = nil
    case 1: content = try Content(from: &reader)
    default: throw .invalidValue
    }
    trailing = reader.remaining()
  }
}
