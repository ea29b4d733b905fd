// Counts of what each bucket holds on this replica.

import Base
import Codecs
import LocalDB
import Tables

extension ObjectJournal {
  /// Changes the counts by what one row's change means.
  func noteUsage(
    _ key: RowKey, old: ObjectRow?, new: ObjectRow?, in transaction: WriteTransaction
  ) throws {
    let before = old?.weight ?? .zero
    let after = new?.weight ?? .zero
    guard before != after, let bucket = ObjectPartition.bucket(of: key.partitionKey) else { return }
    let name = bucket.bytes
    var counts = try transaction.get(usage, name) { try BucketUsage($0) } ?? .zero
    counts.replace(before, by: after)
    if counts == .zero {
      try transaction.delete(usage, name)
    } else {
      try transaction.put(usage, name, counts.encoded)
    }
  }
}

extension ObjectRow {
  /// What the row adds to its bucket's counts.
  fileprivate var weight: BucketUsage {
    switch self {
    case .version(let row):
      guard let object = row.object else { return .zero }
      return BucketUsage(objects: 1, bytes: object.sizeBytes, unfinishedUploads: 0)
    case .upload(let row):
      let counts = row.state == .open && row.purpose == .multipart
      return BucketUsage(objects: 0, bytes: 0, unfinishedUploads: counts ? 1 : 0)
    case .part: return .zero
    }
  }
}

extension BucketUsage {
  /// Nothing is counted.
  package static let zero = BucketUsage(objects: 0, bytes: 0, unfinishedUploads: 0)

  /// Takes `old` away and adds `new`.
  ///
  /// Saturates: a count that a fault once spoilt must not stop writes.
  fileprivate mutating func replace(_ old: BucketUsage, by new: BucketUsage) {
    objects = Self.difference(objects, old.objects, new.objects)
    bytes = Self.difference(bytes, old.bytes, new.bytes)
    unfinishedUploads = Self.difference(
      unfinishedUploads, old.unfinishedUploads, new.unfinishedUploads)
  }

  private static func difference(_ count: UInt64, _ old: UInt64, _ new: UInt64) -> UInt64 {
    let (rest, underflow) = count.subtractingReportingOverflow(old)
    let (sum, overflow) = (underflow ? 0 : rest).addingReportingOverflow(new)
    return overflow ? .max : sum
  }

  var encoded: [UInt8] {
    var writer = BinaryWriter(capacity: 24)
    writer.version(1)
    writer.varint(objects)
    writer.varint(bytes)
    writer.varint(unfinishedUploads)
    return writer.bytes
  }

  init(_ bytes: UnsafeRawBufferPointer) throws(BinaryError) {
    var reader = BinaryReader(bytes)
    _ = try reader.version(upTo: 1)
    self.init(
      objects: try reader.varint(), bytes: try reader.varint(),
      unfinishedUploads: try reader.varint())
  }
}
