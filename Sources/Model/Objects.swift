// Objects: writing, reading, deleting, listing.

/// The objects of all buckets.
package final class Objects: Sendable {
  init() {}

  /// Begins to write an object. Nothing is stored before the first `append`.
  package func writer(bucket: Bucket, key: ObjectKey) -> ObjectWriter { ObjectWriter() }

  /// The object's current version; `nil` when there is none.
  package func head(bucket: Bucket, key: ObjectKey) async throws -> ObjectVersion? {
    throw ModelError.bucketBusy
  }

  /// Reads the bytes of `range` in order and hands them to `write`, in pieces of at most a block, verified.
  ///
  /// The next block is read while `write` is busy; no more than two are in memory.
  ///
  /// - Throws: `invalidRange`; `corrupt` when bytes cannot be read from any replica; what `write` throws.
  package func read(
    _ version: ObjectVersion, range: Range<UInt64>,
    write: (UnsafeRawBufferPointer) async throws -> Void
  ) async throws {
    throw ModelError.bucketBusy
  }

  /// Deletes the object. Deleting what does not exist is no error.
  package func delete(bucket: Bucket, key: ObjectKey) async throws -> DeleteOutcome {
    throw ModelError.bucketBusy
  }

  /// Deletes many objects; the result of each is at its index.
  package func delete(
    bucket: Bucket, keys: [ObjectKey]
  ) async -> [Result<DeleteOutcome, any Error>] {
    []
  }

  /// A page of the bucket's objects, complete and in the order of the keys' bytes.
  package func list(bucket: Bucket, _ query: ListQuery) async throws -> ListPage {
    throw ModelError.bucketBusy
  }
}

/// What a deletion found.
package enum DeleteOutcome: Equatable, Sendable {
  /// There was an object, which is gone.
  case deleted
  /// There was none.
  case wasAbsent
}
