// Counts of what each bucket holds on this replica.
//
//   model_usage         by bucket
//   model_upload_bytes  by multipart upload that is open here: how many bytes its parts have
//
// Invariants:
//   1. The unfinished bytes of a bucket are the sum over its open uploads. Parts outlive their upload until they
//      are dropped, and count no more.

import Base
package import Codecs
import LocalDB
import Tables

extension ObjectJournal {
  /// Changes the counts by what one row's change means.
  func noteUsage(
    _ key: RowKey, old: ObjectRow?, new: ObjectRow?, in transaction: WriteTransaction
  ) throws {
    var before = old?.weight ?? .zero
    var after = new?.weight ?? .zero
    guard before != after, let bucket = ObjectPartition.bucket(of: key.partitionKey) else { return }
    // Most are versions, and taking a sort key apart is not free.
    let isVersion = key.sortKey.first == ObjectRowKind.version.rawValue
    switch isVersion ? nil : ObjectSortKey(key.sortKey) {
    case .upload(_, let upload):
      before.unfinishedBytes = try partBytes(of: upload, in: transaction) ?? 0
      try setPartBytes(of: upload, to: after.unfinishedUploads > 0 ? 0 : nil, in: transaction)
    case .part(_, let upload, _):
      guard let counted = try partBytes(of: upload, in: transaction) else { return }
      var parts = BucketUsage.part(counted)
      parts.replace(before, by: after)
      (before, after) = (.part(counted), parts)
      try setPartBytes(of: upload, to: parts.unfinishedBytes, in: transaction)
    case .version, nil: break
    }
    var counts = try usage(of: bucket, in: transaction)
    counts.replace(before, by: after)
    if counts == .zero {
      try transaction.delete(usage, bucket.bytes)
    } else {
      try transaction.put(usage, bucket.bytes, counts.encoded)
    }
  }

  /// What the bucket holds.
  func usage(of bucket: BucketID, in transaction: ReadTransaction) throws -> BucketUsage {
    try transaction.get(usage, bucket.bytes) { try BucketUsage($0) } ?? .zero
  }

  /// How many bytes the parts of a multipart upload have; `nil` when it is not open.
  func partBytes(of upload: UploadID, in transaction: ReadTransaction) throws -> UInt64? {
    try transaction.get(uploadBytes, upload.bytes) { bytes throws(BinaryError) in
      var reader = BinaryReader(bytes)
      _ = try reader.version(upTo: 1)
      return try reader.varint()
    }
  }

  private func setPartBytes(
    of upload: UploadID, to count: UInt64?, in transaction: WriteTransaction
  ) throws {
    guard let count else { return try transaction.delete(uploadBytes, upload.bytes) }
    var writer = BinaryWriter(capacity: 10)
    writer.version(1)
    writer.varint(count)
    try transaction.put(uploadBytes, upload.bytes, writer.bytes)
  }
}

extension ObjectRow {
  /// What the row adds to its bucket's counts; a part, as long as its upload is open.
  var weight: BucketUsage {
    switch self {
    case .version(let row): row.object.map { .object($0.sizeBytes) } ?? .zero
    case .upload(let row):
      BucketUsage(unfinishedUploads: row.state == .open && row.purpose == .multipart ? 1 : 0)
    case .part(let row): row.part.map { .part($0.sizeBytes) } ?? .zero
    }
  }
}

extension BucketUsage {
  /// Nothing is counted.
  package static let zero = BucketUsage()

  /// One object.
  static func object(_ sizeBytes: UInt64) -> BucketUsage {
    BucketUsage(objects: 1, bytes: sizeBytes)
  }

  /// One part of an open upload.
  static func part(_ sizeBytes: UInt64) -> BucketUsage { BucketUsage(unfinishedBytes: sizeBytes) }

  /// Takes `old` away and adds `new`.
  ///
  /// Saturates: a count that a fault once spoilt must not stop writes.
  mutating func replace(_ old: BucketUsage, by new: BucketUsage) {
    objects = Self.difference(objects, old.objects, new.objects)
    bytes = Self.difference(bytes, old.bytes, new.bytes)
    unfinishedUploads = Self.difference(
      unfinishedUploads, old.unfinishedUploads, new.unfinishedUploads)
    unfinishedBytes = Self.difference(unfinishedBytes, old.unfinishedBytes, new.unfinishedBytes)
  }

  private static func difference(_ count: UInt64, _ old: UInt64, _ new: UInt64) -> UInt64 {
    let (rest, underflow) = count.subtractingReportingOverflow(old)
    let (sum, overflow) = (underflow ? 0 : rest).addingReportingOverflow(new)
    return overflow ? .max : sum
  }

  package var encoded: [UInt8] {
    var writer = BinaryWriter(capacity: 32)
    writer.version(1)
    writer.varint(objects)
    writer.varint(bytes)
    writer.varint(unfinishedUploads)
    writer.varint(unfinishedBytes)
    return writer.bytes
  }

  package init(_ bytes: UnsafeRawBufferPointer) throws(BinaryError) {
    var reader = BinaryReader(bytes)
    _ = try reader.version(upTo: 1)
    self.init(
      objects: try reader.varint(), bytes: try reader.varint(),
      unfinishedUploads: try reader.varint(), unfinishedBytes: try reader.varint())
  }
}
