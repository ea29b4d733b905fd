// Why a replica refuses an operation on the table `object`.

import Base
import LocalDB
import Tables

/// Codes of `ReplicaAnswer.refused`.
///
/// They are on the wire.
enum ObjectRefusal {
  /// This replica knows a later state of the bucket, or does not know the bucket.
  static let staleBucket = RefusalCode.firstOfOperations
  /// The upload was undone or superseded: its row may not come back.
  static let uploadRefused = RefusalCode.firstOfOperations + 1
  /// The multipart upload is not open.
  static let noSuchUpload = RefusalCode.firstOfOperations + 2
  /// This replica holds the row of the upload that is to be undone or released.
  static let isHeld = RefusalCode.firstOfOperations + 3
  /// The bucket would hold more than its quota allows; the payload is a `QuotaExcess`.
  static let quotaExceeded = RefusalCode.firstOfOperations + 4

  static func answer(_ code: UInt16) -> ReplicaAnswer { .refused(code: code, payload: []) }

  /// The refusal of who does not know the bucket as this replica does, with the bucket's row.
  static func staleBucket(_ row: BucketRow?) -> ReplicaAnswer {
    .refused(code: staleBucket, payload: row?.encoded ?? [])
  }

  static func answer(_ excess: QuotaExcess) -> ReplicaAnswer {
    .refused(code: quotaExceeded, payload: excess.encoded)
  }
}

/// Checks that operations share.
struct ObjectGuards: Sendable {
  let buckets: LocalTable<BucketSchema>
  let journal: ObjectJournal

  /// What this replica knows of the bucket.
  enum KnownBucket {
    /// As the coordinator of the write does, and it is live.
    case live(BucketRow)
    /// Otherwise: to be answered.
    case stale(ReplicaAnswer)
  }

  /// The bucket, for a write whose coordinator knew it with `stamp`.
  ///
  /// What the coordinator knows came along and was merged before (`CompanionRow`): another state here is a later one.
  func bucket(
    _ stamp: BucketStamp, in context: OperationContext<ObjectSchema>
  ) throws -> KnownBucket {
    guard let bucket = ObjectPartition.bucket(of: context.partitionKey),
      let row = try buckets.entry(
        RowKey(partitionKey: [], sortKey: bucket.bytes), in: context.transaction)
    else { return .stale(ObjectRefusal.staleBucket(nil)) }
    return row.stamp == stamp && row.state.value == .live
      ? .live(row) : .stale(ObjectRefusal.staleBucket(row))
  }

  /// The limit that the bucket would exceed once `new` took the place of `old`.
  func excess(
    over quota: BucketQuota, replacing old: BucketUsage, by new: BucketUsage,
    in context: OperationContext<ObjectSchema>
  ) throws -> QuotaExcess? {
    guard quota != .none, let bucket = ObjectPartition.bucket(of: context.partitionKey) else {
      return nil
    }
    let usage = try journal.usage(of: bucket, in: context.transaction)
    return quota.excess(of: usage, replacing: old, by: new)
  }

  /// The upload's row on this replica.
  func upload(
    _ sortKey: [UInt8], in context: OperationContext<ObjectSchema>
  ) throws -> UploadRow? {
    guard case .upload(let row) = try context.row(sortKey) else { return nil }
    return row
  }
}
