// A row that says: this upload has this block (docs/formats/block-references.md).

package import Base
package import Codecs
package import Tables

/// The row for which a block is stored (an object, a part), where a verifier can look to find leaks.
package struct BlockOwner: Equatable, Sendable {
  static let partitionKeyBytesMax = 1 << 10
  /// A sort key of an object is a name of at most 1,024 bytes, escaped, and a version.
  static let sortKeyBytesMax = 4 << 10

  package var partitionKey: [UInt8]
  package var sortKey: [UInt8]

  package init(partitionKey: [UInt8], sortKey: [UInt8]) {
    self.partitionKey = partitionKey
    self.sortKey = sortKey
  }
}

/// The key of a block reference.
package struct BlockReferenceKey: Hashable, Sendable {
  package var hash: BlockHash
  package var upload: UploadID

  package init(hash: BlockHash, upload: UploadID) {
    self.hash = hash
    self.upload = upload
  }

  /// The key of the table's row.
  package var rowKey: RowKey { RowKey(partitionKey: hash.bytes, sortKey: upload.bytes) }

  /// Takes the key of a row apart; `nil` when it is none.
  package init?(_ key: RowKey) {
    guard let hash = BlockHash(key.partitionKey), let upload = UploadID(key.sortKey) else {
      return nil
    }
    self.init(hash: hash, upload: upload)
  }
}

/// The row of a block reference.
package struct BlockReference: Equatable, Sendable {
  package enum State: Equatable, Sendable {
    case live(BlockOwner)
    /// For good: an upload ID is never used again.
    case released
  }

  private static let formatVersion: UInt8 = 1

  package var timestamp: Timestamp
  package var state: State
  /// Fields that a newer program wrote.
  package var trailing: [UInt8] = []

  package init(_ state: State, at timestamp: Timestamp) {
    self.state = state
    self.timestamp = timestamp
  }

  package var isLive: Bool { state != .released }

  package func encode() -> [UInt8] {
    var writer = BinaryWriter(capacity: 32)
    writer.version(Self.formatVersion)
    writer.timestamp(timestamp)
    encodePayload(&writer)
    return writer.bytes
  }

  /// State, owner and trailing bytes.
  ///
  /// Of two payloads the larger one wins a merge, and `released` is larger than `live`.
  private func encodePayload(_ writer: inout BinaryWriter) {
    switch state {
    case .live(let owner):
      writer.u8(1)
      writer.bytes(owner.partitionKey)
      writer.bytes(owner.sortKey)
    case .released:
      writer.u8(2)
    }
    writer.raw(trailing)
  }

  package init(decoding bytes: UnsafeRawBufferPointer) throws(BinaryError) {
    var reader = BinaryReader(bytes)
    _ = try reader.version(upTo: Self.formatVersion)
    timestamp = try reader.timestamp()
    switch try reader.u8() {
    case 1:
      state = .live(
        BlockOwner(
          partitionKey: try reader.bytes(max: BlockOwner.partitionKeyBytesMax),
          sortKey: try reader.bytes(max: BlockOwner.sortKeyBytesMax)))
    case 2: state = .released
    default: throw .invalidValue
    }
    trailing = reader.remaining()
  }

  /// The row of a replica that was told of both.
  package func merged(with other: BlockReference) -> BlockReference {
    var mine = BinaryWriter()
    var others = BinaryWriter()
    encodePayload(&mine)
    other.encodePayload(&others)
    var result = mine.bytes.lexicographicallyPrecedes(others.bytes) ? other : self
    result.timestamp = max(timestamp, other.timestamp)
    return result
  }
}
