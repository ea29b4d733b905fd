// What waits in the release queue (docs/formats/objects.md).

package import Base
package import Codecs
package import Tables

/// Something whose block references are to be released.
package struct ReleaseEntry: Equatable, Sendable {
  /// What it was.
  package enum Kind: Equatable, Sendable {
    /// A version or a part that lost its row: its blocks, or its manifest.
    case superseded(ObjectContent)
    /// All part rows of a multipart upload that ended.
    case parts
    /// Whatever a refused upload left.
    case refused
    /// The multipart uploads of a bucket that was deleted; the owner is its partition.
    case bucket
  }

  package var kind: Kind
  /// The row that it was: its place in the table `object`.
  package var owner: RowKey
  package var uploadID: UploadID

  package var encoded: [UInt8] {
    var writer = BinaryWriter(capacity: 128)
    writer.version(1)
    switch kind {
    case .superseded: writer.u8(0)
    case .parts: writer.u8(1)
    case .refused: writer.u8(2)
    case .bucket: writer.u8(3)
    }
    writer.bytes(owner.partitionKey)
    writer.bytes(owner.sortKey)
    writer.id(uploadID)
    if case .superseded(let content) = kind { content.write(to: &writer) }
    return writer.bytes
  }

  package init(kind: Kind, owner: RowKey, uploadID: UploadID) {
    self.kind = kind
    self.owner = owner
    self.uploadID = uploadID
  }

  package init(_ bytes: UnsafeRawBufferPointer) throws(BinaryError) {
    var reader = BinaryReader(bytes)
    _ = try reader.version(upTo: 1)
    let tag = try reader.u8()
    owner = RowKey(
      partitionKey: try reader.bytes(max: 64),
      sortKey: try reader.bytes(max: RowLimits.sortKeyBytesMax))
    uploadID = try reader.id()
    switch tag {
    case 0: kind = .superseded(try ObjectContent(anySizeFrom: &reader))
    case 1: kind = .parts
    case 2: kind = .refused
    case 3: kind = .bucket
    default: throw .invalidValue
    }
    try reader.expectEnd()
  }
}
