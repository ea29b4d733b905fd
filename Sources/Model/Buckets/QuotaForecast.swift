// Refusing early what the replicas of a bucket would refuse in the end (BucketQuota.swift).
//
// A client that announces 5 GB for a full bucket should not have to send them first. What this node counts may
// be old, or nothing if it is no replica of the bucket's index: so where there are several the forecast lets every write go
// on, and a quorum is asked before the row is sent (CheckQuota.swift).

import Base
import LocalDB
import Tables

/// What a write of an object or a part would lead to, by what this node counted when it began.
struct QuotaForecast {
  private let quota: BucketQuota
  private let isPart: Bool
  private var usage = BucketUsage.zero
  private var old = BucketUsage.zero
  private var receivedBytes: UInt64 = 0
  /// Whether this node's count is all there is: one of several may not have heard of a deletion.
  private var knowsUsage = false

  /// The forecast for what is written at `sortKey`.
  ///
  /// - Throws: `LocalDBError`.
  init(_ parts: StoreParts, _ bucket: Bucket, _ sortKey: ObjectSortKey) throws {
    quota = bucket.quota
    isPart = if case .part = sortKey { true } else { false }
    guard quota != .none, parts.objects.isSole else { return }
    knowsUsage = true
    usage = try parts.usage(bucket.id)
    let key = RowKey(partitionKey: ObjectPartition.key(bucket.id), sortKey: sortKey.bytes)
    old = try parts.objects.local.entry(key)?.weight ?? .zero
  }

  /// Checks an object or part of `sizeBytes`.
  ///
  /// - Throws: `quotaExceeded`.
  func check(_ sizeBytes: UInt64) throws(ModelError) {
    guard quota != .none, knowsUsage else { return }
    let new = isPart ? BucketUsage.part(sizeBytes) : .object(sizeBytes)
    if let excess = quota.excess(of: usage, replacing: old, by: new) {
      throw .quotaExceeded(excess)
    }
  }

  /// Checks what came so far, of a client that may have announced less or nothing.
  ///
  /// - Throws: `quotaExceeded`.
  mutating func didReceive(_ count: Int) throws(ModelError) {
    receivedBytes += UInt64(clamping: count)
    try check(receivedBytes)
  }
}

extension StoreParts {
  /// How much the bucket holds, as this node counts it.
  func usage(_ bucket: BucketID) throws -> BucketUsage {
    try objects.local.database.get(journal.usage, bucket.bytes) { try BucketUsage($0) } ?? .zero
  }
}
