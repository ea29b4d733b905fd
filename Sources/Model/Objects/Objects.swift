// Objects: writing, reading, deleting.

import Base
import Tables

/// The objects of all buckets.
package final class Objects: Sendable {
  package let parts: StoreParts

  init(_ parts: StoreParts) { self.parts = parts }

  /// Begins to write an object.
  ///
  /// Nothing is stored before the first `append`.
  package func writer(bucket: Bucket, key: ObjectKey) -> ObjectWriter {
    ObjectWriter(parts, bucket: bucket, key: key)
  }

  /// The object's current version; `nil` when there is none.
  package func head(bucket: Bucket, key: ObjectKey) async throws -> ObjectVersion? {
    try await parts.head(bucket: bucket.id, key: key, companion: bucket.companion)
  }

  /// Reads the bytes of `range` in order and hands them to `write`, in pieces of at most a block, verified.
  ///
  /// The next block is read while `write` is busy; no more than two are in memory.
  ///
  /// A version that is replaced or deleted meanwhile can be read for about ten minutes more.
  ///
  /// - Throws: `invalidRange`; `sourceChanged` when it took longer than that; `corrupt` when bytes cannot be read
  ///   from any replica; what `write` throws.
  package func read(
    _ version: ObjectVersion, range: Range<UInt64>,
    write: (UnsafeRawBufferPointer) async throws -> Void
  ) async throws {
    try await ObjectReader(parts, version).read(range, write: write)
  }

  /// Deletes the object.
  ///
  /// Deleting what does not exist is no error.
  package func delete(bucket: Bucket, key: ObjectKey) async throws -> DeleteOutcome {
    let parts = parts
    var uploadID = UploadID(random: parts.runtime.random)
    let outcome = try await parts.write(to: bucket) { bucket, attempt in
      if attempt.isAnother { uploadID = UploadID(random: parts.runtime.random) }
      return try await parts.objects.operate(
        PutVersion(guards: parts.guards), partitionKey: ObjectPartition.key(bucket.id),
        input: .init(
          key: key, row: VersionRow(timestamp: attempt.timestamp, uploadID: uploadID, object: nil),
          stamp: bucket.stamp),
        above: attempt.above, companion: { bucket.companion })
    }
    return PutVersion.foundObject(outcome) ? .deleted : .wasAbsent
  }

  /// How many deletions of one request are under way at a time: they share their fsync.
  private static let deletionsAtOnce = 64

  /// Deletes many objects; the result of each is at its index.
  package func delete(
    bucket: Bucket, keys: [ObjectKey]
  ) async -> [Result<DeleteOutcome, any Error>] {
    var results: [Result<DeleteOutcome, any Error>] = []
    var rest = keys[...]
    while !rest.isEmpty {
      let deletions = rest.prefix(Self.deletionsAtOnce).map { key in
        Pending(parts.runtime) { try await self.delete(bucket: bucket, key: key) }
      }
      rest = rest.dropFirst(deletions.count)
      for deletion in deletions {
        do {
          results.append(.success(try await deletion.value))
        } catch {
          results.append(.failure(error))
        }
      }
    }
    return results
  }
}

/// What a deletion found.
package enum DeleteOutcome: Equatable, Sendable {
  /// There was an object, which is gone.
  case deleted
  /// There was none.
  case wasAbsent
}

extension StoreParts {
  /// The current version of an object; `nil` when there is none.
  ///
  /// - Parameter companion: The bucket as the caller knows it.
  /// - Throws: `noSuchBucket` when it was deleted meanwhile.
  func head(
    bucket: BucketID, key: ObjectKey, companion: @autoclosure () -> CompanionRow? = nil
  ) async throws -> ObjectVersion? {
    try await ModelError.translating {
      let rowKey = RowKey(
        partitionKey: ObjectPartition.key(bucket),
        sortKey: ObjectSortKey.version(key, .null).bytes)
      let found: ObjectRow?
      if !objects.isSole, let companion = companion() {
        found = try await objects.get(rowKey, companion: companion)
        try checkExists(bucket)
      } else {
        found = try await objects.get(rowKey)
      }
      guard case .version(let row) = found, let object = row.object else { return nil }
      return ObjectVersion(bucket: bucket, key: key, uploadID: row.uploadID, object: object)
    }
  }

  /// Checks that this node has not heard meanwhile that the bucket is gone, from who answered.
  ///
  /// - Throws: `noSuchBucket`.
  func checkExists(_ bucket: BucketID) throws {
    if objects.isSole { return }
    let row = try buckets.local.entry(RowKey(partitionKey: [], sortKey: bucket.bytes))
    if row?.state.value == .deleted { throw ModelError.noSuchBucket }
  }
}
