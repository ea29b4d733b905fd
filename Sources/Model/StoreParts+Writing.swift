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
  /// - Returns: The acceptance.
  /// - Throws: `noSuchBucket`, `bucketBusy`, `clockTooFar`, `writeRefused`, `noSuchUpload`,
  ///   `quotaExceeded`, each only when no replica can have stored it; `quorumUnavailable`, `mayExist` when it may still
  ///   take effect.
  func write(
    to bucket: Bucket,
    _ write: nonisolated(nonsending) (Bucket, WriteAttempt) async throws -> WriteOutcome
  ) async throws -> WriteOutcome {
    var tries = WriteTries()
    do {
      return try await ModelError.translating { try await self.write(to: bucket, &tries, write) }
    } catch let error as ModelError where error.isRefusal && tries.mayExist {
      throw ModelError.mayExist(reason: "\(error)")
    }
  }

  private func write(
    to bucket: Bucket, _ tries: inout WriteTries,
    _ write: nonisolated(nonsending) (Bucket, WriteAttempt) async throws -> WriteOutcome
  ) async throws -> WriteOutcome {
    var bucket = bucket
    for _ in 0..<Self.bucketTriesMax {
      let current = bucket
      let outcome = try await objects.retryingStale(&tries) { attempt in
        try await write(current, attempt)
      }
      switch outcome {
      case .refused(ObjectRefusal.staleBucket, let row, _):
        bucket = try await refreshed(bucket, newer: row)
      case .refused(let code, let payload, _): throw ModelError(refusal: code, payload)
      case .accepted, .stale: return outcome
      }
    }
    throw ModelError.bucketBusy
  }

  /// The bucket as it is now, after a replica did not agree with what was known of it.
  ///
  /// - Parameter newer: The row as that replica has it; nothing when it has none.
  private func refreshed(_ bucket: Bucket, newer: [UInt8]) async throws -> Bucket {
    let key = RowKey(partitionKey: [], sortKey: bucket.id.bytes)
    if !newer.isEmpty {
      let row = try newer.withUnsafeBytes { try BucketRow($0) }
      _ = try await buckets.local.merge([(key, row)], origin: .feed)
    }
    guard let row = try await buckets.get(key) else { throw ModelError.noSuchBucket }
    if row.state.value == .live, row.stamp != bucket.stamp { return bucket.with(row) }
    let age = clock.now().milliseconds - row.state.timestamp.milliseconds
    // A mark further ahead than a replica accepts is of a clock that has been set back: it would be young for years.
    if row.state.value == .deleting,
      age > Self.deletionForgottenAfter.components.seconds * 1000
        || clock.isTooFarAhead(row.state.timestamp)
    {
      // At a quorum before anything is written: a deleter that goes on all the same finds it there, or is overruled.
      let taken = try await endDeletion(of: bucket.id, mark: row.state.timestamp, as: .live)
      guard taken.state.value == .live else { return bucket }
      try await claimNamesAgain(of: bucket.id, taken)
      return bucket.with(taken)
    }
    try await runtime.sleep(for: Self.bucketWait)
    return bucket
  }

  /// Marks a bucket as being deleted, at a quorum of its row's replicas.
  ///
  /// - Returns: The row with the mark.
  /// - Throws: `noSuchBucket`; `bucketBusy` when the mark was taken back at once, or another one is there.
  @discardableResult
  package func beginDeletion(of id: BucketID) async throws -> BucketRow {
    var mark = Timestamp.zero
    let row = try await changeBucket(id) { row, now in
      row.state.set(.deleting, now: now)
      mark = row.state.timestamp
    }
    guard row.state == Register(.deleting, at: mark) else { throw ModelError.bucketBusy }
    return row
  }

  /// Deletes the bucket that was marked at `mark`, or makes it live again, which wins.
  ///
  /// - Returns: The row as a quorum has it then.
  @discardableResult
  package func endDeletion(
    of id: BucketID, mark: Timestamp, as state: BucketRow.State
  ) async throws -> BucketRow {
    let key = RowKey(partitionKey: [], sortKey: id.bytes)
    guard let held = try await buckets.entry(key) else { throw ModelError.noSuchBucket }
    // One above the mark, and two: whoever takes a deletion back overrules who ends it, whatever the clocks say.
    let ended = Register<BucketRow.State>(
      state, at: state == .deleted ? mark.next : mark.next.next)
    // The mark may be of a clock that has been set back, and not be on every replica.
    let above = state == .deleted ? mark : mark.next
    try await merge(buckets, above: above) { now in
      var row = held
      row.state = row.state.merged(ended) { $0.rawValue > $1.rawValue }
      row.changed = max(now, held.changed.next, row.state.timestamp)
      return [(key.sortKey, row)]
    }
    guard let now = try await buckets.current(key) else { throw ModelError.noSuchBucket }
    return now
  }

  /// Changes a bucket's row.
  ///
  /// - Returns: The row as a quorum has it then.
  /// - Throws: `noSuchBucket`.
  func changeBucket(
    _ id: BucketID, _ change: (inout BucketRow, Timestamp) -> Void
  ) async throws -> BucketRow {
    let key = RowKey(partitionKey: [], sortKey: id.bytes)
    guard let held = try await buckets.current(key), held.state.value != .deleted else {
      throw ModelError.noSuchBucket
    }
    var changed = held
    try await merge(buckets) { now in
      let now = max(now, held.changed.next)
      changed = held
      change(&changed, now)
      changed.changed = now
      return [(key.sortKey, changed)]
    }
    return try await buckets.current(key) ?? changed
  }
}
