// How much a bucket may hold.
//
// The replicas of a bucket's index count what it holds (ObjectJournal+Usage.swift), and each refuses a write that
// would lead beyond the quota in the transaction that would store it: however many write at once, one node never
// takes more than it may. In a cluster replicas can count differently until they have synced, and a bucket end up
// a little beyond its quota.
//
// The parts of unfinished multipart uploads count, for they take room: who would be over the quota learns it from
// a part, and not from the completion of hours of uploading. Completing an upload turns what its parts counted
// into what the object counts; aborting it frees it.
//
// Invariants:
//   1. What leaves a bucket no larger than it was is never refused: a bucket beyond its quota can be tidied up.

import Base
import Codecs

/// The limits of a bucket.
package struct BucketQuota: Equatable, Sendable {
  /// How many bytes objects and unfinished uploads may have together; `nil` for no limit.
  package var bytesMax: UInt64?
  /// How many objects there may be; `nil` for no limit.
  package var objectsMax: UInt64?

  package init(bytesMax: UInt64? = nil, objectsMax: UInt64? = nil) {
    self.bytesMax = bytesMax
    self.objectsMax = objectsMax
  }

  /// No limit.
  package static let none = BucketQuota()

  /// Which of two quotas that were set at the same time stays: an arbitrary order that all replicas share.
  static func isAbove(_ a: BucketQuota, _ b: BucketQuota) -> Bool { b.order < a.order }

  private var order: (UInt64, UInt64, Int, Int) {
    (bytesMax ?? 0, objectsMax ?? 0, bytesMax == nil ? 0 : 1, objectsMax == nil ? 0 : 1)
  }

  /// The limit that a bucket which holds `usage` would exceed once `new` took the place of `old`.
  func excess(
    of usage: BucketUsage, replacing old: BucketUsage, by new: BucketUsage
  ) -> QuotaExcess? {
    var after = usage
    after.replace(old, by: new)
    if let objectsMax, after.objects > max(objectsMax, usage.objects) {
      return QuotaExcess(limit: .objects, max: objectsMax, used: usage.objects)
    }
    if let bytesMax, after.storedBytes > max(bytesMax, usage.storedBytes) {
      return QuotaExcess(limit: .bytes, max: bytesMax, used: usage.storedBytes)
    }
    return nil
  }

  func write(to writer: inout BinaryWriter) {
    writer.optional(bytesMax) { $0.varint($1) }
    writer.optional(objectsMax) { $0.varint($1) }
  }

  init(from reader: inout BinaryReader) throws(BinaryError) {
    bytesMax = try reader.optional { (reader: inout BinaryReader) throws(BinaryError) in
      try reader.varint()
    }
    objectsMax = try reader.optional { (reader: inout BinaryReader) throws(BinaryError) in
      try reader.varint()
    }
  }
}

/// Why a write was too much for its bucket.
package struct QuotaExcess: Equatable, Sendable {
  /// The raw values are on the wire.
  package enum Limit: UInt8, Sendable {
    case bytes = 0
    case objects = 1
  }

  package var limit: Limit
  package var max: UInt64
  /// What the bucket holds, of what is limited.
  package var used: UInt64

  package init(limit: Limit, max: UInt64, used: UInt64) {
    self.limit = limit
    self.max = max
    self.used = used
  }

  /// A sentence for who wanted to write.
  package var explanation: String {
    switch limit {
    case .bytes:
      "The bucket may hold \(Self.size(max)) and holds \(Self.size(used)), unfinished uploads included."
    case .objects: "The bucket may hold \(max) objects and holds \(used)."
    }
  }

  private static func size(_ bytes: UInt64) -> String {
    bytes < 1024 ? "\(bytes) bytes" : "\(ByteSize.describe(bytes)) (\(bytes) bytes)"
  }

  /// The payload of a replica's refusal.
  package var encoded: [UInt8] {
    var writer = BinaryWriter(capacity: 24)
    writer.u8(limit.rawValue)
    writer.varint(max)
    writer.varint(used)
    return writer.bytes
  }

  /// What `encoded` gave; what is behind it, a newer program wrote.
  package init?(_ bytes: [UInt8]) {
    let excess: QuotaExcess? = bytes.withUnsafeBytes { bytes in
      var reader = BinaryReader(bytes)
      guard let limit = (try? reader.u8()).flatMap(Limit.init), let max = try? reader.varint(),
        let used = try? reader.varint()
      else { return nil }
      return QuotaExcess(limit: limit, max: max, used: used)
    }
    guard let excess else { return nil }
    self = excess
  }
}
