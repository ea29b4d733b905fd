// Writing rows of objects: above what replicas hold, and to a bucket that may be changing.

package import Base
import Tables

extension StoreParts {
  /// How often a write is tried again because a replica knows another state of the bucket.
  ///
  /// With the waits below this is some seconds: longer than a deletion needs to be confirmed or taken back.
  private static let bucketTriesMax = 40
  private static let bucketWait: Duration = .milliseconds(100)
  /// After this long a deletion that was begun is taken to be forgotten, for instance by a node that stopped.
  static let deletionForgottenAfter: Duration = .seconds(60)

  /// Calls `write` until replicas accept: above the newest timestamp that they hold, and with the bucket as it is
  /// by then.
  ///
  /// - Returns: The payloads of the acceptances.
  /// - Throws: `noSuchBucket`, `bucketBusy`, `clockTooFar`, `writeRefused`, `noSuchUpload`,
  ///   `quorumUnavailable`.
  func write(
    to bucket: Bucket,
    _ write: nonisolated(nonsending) (Bucket, WriteAttempt) async throws -> WriteOutcome
  ) async throws -> WriteOutcome {
    try await ModelError.translating {
      var bucket = bucket
      for _ in 0..<Self.bucketTriesMax {
        let current = bucket
        let outcome = try await objects.retryingStale { attempt in
          try await write(current, attempt)
        }
        switch outcome {
        case .refused(ObjectRefusal.staleBucket, _):
          bucket = try await refreshed(bucket)
        case .refused(let code, _): throw ModelError(refusal: code)
        case .accepted, .stale: return outcome
        }
      }
      throw ModelError.bucketBusy
    }
  }

  /// The bucket as it is now, after a replica did not agree with what was known of it.
  private func refreshed(_ bucket: Bucket) async throws -> Bucket {
    let key = RowKey(partitionKey: [], sortKey: bucket.id.bytes)
    guard let row = try await buckets.get(key) else { throw ModelError.noSuchBucket }
    if row.state.value == .live, row.stamp != bucket.stamp { return bucket.with(row.stamp) }
    let age = clock.now().milliseconds - row.state.timestamp.milliseconds
    if row.state.value == .deleting,
      age > Self.deletionForgottenAfter.components.seconds * 1000
    {
      return bucket.with(try await setState(.live, of: bucket.id).stamp)
    }
    try await runtime.sleep(for: Self.bucketWait)
    return bucket
  }

  /// Changes a bucket's state at a quorum of its row's replicas.
  ///
  /// - Returns: The row as it is then.
  /// - Throws: `noSuchBucket`.
  @discardableResult
  package func setState(_ state: BucketRow.State, of id: BucketID) async throws -> BucketRow {
    try await changeBucket(id) { row, now in row.state.set(state, now: now) }
  }

  /// Changes a bucket's row.
  ///
  /// - Returns: The row as it is then.
  /// - Throws: `noSuchBucket`.
  func changeBucket(
    _ id: BucketID, _ change: (inout BucketRow, Timestamp) -> Void
  ) async throws -> BucketRow {
    let key = RowKey(partitionKey: [], sortKey: id.bytes)
    guard let held = try await buckets.get(key) else { throw ModelError.noSuchBucket }
    var changed = held
    try await merge(buckets) { now in
      let now = max(now, held.changed.next)
      changed = held
      change(&changed, now)
      changed.changed = now
      return [(key.sortKey, changed)]
    }
    return try await buckets.entry(key) ?? changed
  }
}

extension Bucket {
  /// The same bucket, known at another state.
  func with(_ stamp: BucketStamp) -> Bucket {
    Bucket(
      id: id, created: created, globalAliases: globalAliases, localAliases: localAliases,
      grants: grants, stamp: stamp)
  }
}
