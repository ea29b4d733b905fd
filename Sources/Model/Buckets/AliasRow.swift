// A row of a bucket's name (docs/formats/objects.md).
//
// Invariants:
//   1. A name belongs to one bucket at a time. A claim of a free name has an epoch one above the released
//      claim before it.
//   2. Of two claims of one epoch, made by nodes that did not know of each other, the earlier stays.

package import Base
package import Codecs
import LocalDB
package import Tables

/// A bucket's name: global, or seen by one access key.
package struct AliasName: Hashable, Comparable, Sendable {
  /// `nil` for a global name.
  package var accessKeyID: String?
  package var name: String

  package static func global(_ name: String) -> AliasName {
    AliasName(accessKeyID: nil, name: name)
  }

  package static func local(_ name: String, of accessKeyID: String) -> AliasName {
    AliasName(accessKeyID: accessKeyID, name: name)
  }

  init(accessKeyID: String?, name: String) {
    self.accessKeyID = accessKeyID
    self.name = name
  }

  /// The sort key of the name's row.
  package var sortKey: [UInt8] {
    guard let accessKeyID else { return [0] + Array(name.utf8) }
    return [1] + Array(accessKeyID.utf8) + [0] + Array(name.utf8)
  }

  /// The name with the sort key `bytes`; `nil` when there is none.
  package init?(sortKey bytes: [UInt8]) {
    switch bytes.first {
    case 0:
      guard let name = String(validating: bytes[1...], as: UTF8.self) else { return nil }
      self.init(accessKeyID: nil, name: name)
    case 1:
      guard let end = bytes[1...].firstIndex(of: 0),
        let key = String(validating: bytes[1..<end], as: UTF8.self),
        let name = String(validating: bytes[(end + 1)...], as: UTF8.self)
      else { return nil }
      self.init(accessKeyID: key, name: name)
    default: return nil
    }
  }

  package static func < (left: Self, right: Self) -> Bool {
    left.sortKey.lexicographicallyPrecedes(right.sortKey)
  }
}

/// Which bucket a name means.
package struct AliasRow: Equatable, Sendable {
  /// The latest time in the row.
  package var changed: Timestamp
  package var epoch: UInt64
  package var claimed: Timestamp
  package var bucket: BucketID
  package var isReleased: Bool
  package var trailing: [UInt8] = []

  package init(
    changed: Timestamp, epoch: UInt64, claimed: Timestamp, bucket: BucketID,
    isReleased: Bool = false
  ) {
    self.changed = changed
    self.epoch = epoch
    self.claimed = claimed
    self.bucket = bucket
    self.isReleased = isReleased
  }

  static func merged(_ a: AliasRow, _ b: AliasRow) -> AliasRow {
    var winner = b.beats(a) ? b : a
    winner.changed = max(a.changed, b.changed)
    return winner
  }

  private func beats(_ other: AliasRow) -> Bool {
    if epoch != other.epoch { return epoch > other.epoch }
    if (claimed, bucket) != (other.claimed, other.bucket) {
      return (claimed, bucket) < (other.claimed, other.bucket)
    }
    if isReleased != other.isReleased { return isReleased }
    return other.trailing.lexicographicallyPrecedes(trailing)
  }

  package var encoded: [UInt8] {
    var writer = BinaryWriter(capacity: 64)
    writer.version(1)
    writer.timestamp(changed)
    writer.varint(epoch)
    writer.timestamp(claimed)
    writer.id(bucket)
    writer.bool(isReleased)
    writer.raw(trailing)
    return writer.bytes
  }

  package init(_ bytes: UnsafeRawBufferPointer) throws(BinaryError) {
    var reader = BinaryReader(bytes)
    _ = try reader.version(upTo: 1)
    changed = try reader.timestamp()
    epoch = try reader.varint()
    claimed = try reader.timestamp()
    bucket = try reader.id()
    isReleased = try reader.bool()
    trailing = reader.remaining()
  }
}

/// The table of bucket names.
package struct AliasSchema: TableSchema {
  package init() {}

  package var name: String { "bucket_alias" }
  package var partitionKeyBytes: Int { 0 }
  package var isFullyReplicated: Bool { true }

  package func encode(_ row: AliasRow) -> [UInt8] { row.encoded }
  package func decode(_ bytes: UnsafeRawBufferPointer) throws -> AliasRow { try AliasRow(bytes) }
  package func merge(_ a: AliasRow, _ b: AliasRow) -> AliasRow { .merged(a, b) }
  package func timestamp(of row: AliasRow) -> Timestamp { row.changed }
  package func tombstoneTimestamp(_ row: AliasRow) -> Timestamp? {
    row.isReleased ? row.changed : nil
  }
}
