// Writing rows of objects: above what replicas hold, and to a bucket that may be changing.

package import Base
package import Tables

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
  ///   `quotaExceeded`, `quorumUnavailable`.
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
        case .refused(let code, let payload): throw ModelError(refusal: code, payload)
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
    // A mark further ahead than a replica accepts is of a clock that has been set back: it would be young for years.
    if row.state.value == .deleting,
      age > Self.deletionForgottenAfter.components.seconds * 1000
        || clock.isTooFarAhead(row.state.timestamp)
    {
      // Refused: the mark is another by now, or the bucket is gone, as the next look will show.
      try await endDeletion(of: bucket.id, mark: row.state.timestamp, isConfirmed: false)
      return bucket
    }
    try await runtime.sleep(for: Self.bucketWait)
    return bucket
  }

  /// Marks a bucket as being deleted, at a quorum of its row's replicas.
  ///
  /// - Returns: The mark, which `endDeletion` wants.
  /// - Throws: `noSuchBucket`; `bucketBusy` when the mark was taken back at once.
  @discardableResult
  package func beginDeletion(of id: BucketID) async throws -> Timestamp {
    let state = try await changeBucket(id) { row, now in row.state.set(.deleting, now: now) }.state
    switch state.value {
    case .deleting: return state.timestamp
    case .live: throw ModelError.bucketBusy
    case .deleted: throw ModelError.noSuchBucket
    }
  }

  /// Deletes the bucket, or makes it live again, if `mark` is still its state.
  ///
  /// - Returns: Whether it was.
  @discardableResult
  package func endDeletion(
    of id: BucketID, mark: Timestamp, isConfirmed: Bool
  ) async throws -> Bool {
    let outcome = try await buckets.retryingStale { attempt in
      try await buckets.operate(
        EndDeletion(), partitionKey: [],
        input: .init(
          bucket: id, mark: mark, isConfirmed: isConfirmed, timestamp: attempt.timestamp))
    }
    if case .refused(RefusalCode.clockAhead, _) = outcome { throw ModelError.clockTooFar }
    return outcome.isAccepted
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
      grants: grants, quota: quota, stamp: stamp)
  }
}
