// Deleting an empty bucket, while others may be writing to it.
//
//   deleting @ mark ──> list at a quorum ──> empty: deleted @ mark + 1 ──> read back: still so ──> names freed
//                                        └─> not empty: live @ mark + 2
//
// The state is a register of which the last one that was set stays. What makes that enough:
//
// Invariants:
//   1. The listing brings the mark: a replica of the bucket's objects answers it only once it holds the mark. So a write
//      that the listing did not see meets the mark on so many replicas that it is not acknowledged.
//   2. A writer that takes the mark for forgotten, after a minute, makes the bucket live two above the mark, at a quorum,
//      before it sends its object. That wins over one above, whoever comes first.
//   3. Names are freed, and uploads aborted, only after a quorum was read back as deleted. What is freed is the claims
//      that there were before the end: who takes the deletion back claims the names anew (BucketNames.swift).
//
// At worst a bucket that was deleted reappears, because a writer took it back after all; an object that was acknowledged
// is never lost (the model `bucket_delete`).

package import Base
import Tables

extension Buckets {
  /// Deletes an empty bucket and its names.
  ///
  /// Its unfinished uploads are aborted once it is gone, by the release queue (`ReleaseEntry.Kind.bucket`): a
  /// deletion that fails must not have ended any.
  ///
  /// - Throws: `noSuchBucket`, `bucketNotEmpty`; `bucketBusy` when a writer took it for forgotten.
  package func delete(_ id: BucketID) async throws {
    try await ModelError.translating {
      guard let row = try await row(id) else { throw ModelError.noSuchBucket }
      // First without the mark, so that trying to delete a bucket in use does not disturb its users.
      guard try await isEmpty(try await bucket(id, row)) else { throw ModelError.bucketNotEmpty }
      let marked = try await parts.beginDeletion(of: id)
      let mark = marked.state.timestamp
      do {
        guard try await isEmpty(try await bucket(id, marked)) else {
          throw ModelError.bucketNotEmpty
        }
      } catch {
        try await parts.endDeletion(of: id, mark: mark, as: .live)
        throw error
      }
      let claims = try await parts.claims(of: id, marked)
      let ended = try await parts.endDeletion(of: id, mark: mark, as: .deleted)
      guard ended.state == Register(.deleted, at: mark.next) else { throw ModelError.bucketBusy }
      for (name, claim) in claims { try await parts.free(name, claim) }
    }
  }

  private func isEmpty(_ bucket: Bucket) async throws -> Bool {
    let listing = KeyListing(parts, .version, bucket: bucket.id, ListQuery(limit: 1))
    let page = try await listing.page(companion: bucket.companion) { _, row in
      try VersionRow.contentReader(ofRow: row).map { _ in }
    }
    return page.items.isEmpty
  }
}
