// Deleting an empty bucket, while others may be writing to it.
//
//   mark it deleting ──> list it at a quorum ──> empty: deleted, names freed
//                                            └─> not empty: live again
//
// A write that was under way carries the stamp from before the mark, and the object's replicas answer "stale
// bucket": so after the mark nothing can come that the listing misses. A mark that nobody confirmed for a
// minute is taken back by the next writer; who marked it then finds that its mark is gone (EndDeletion.swift).

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
      guard try await isEmpty(id) else { throw ModelError.bucketNotEmpty }
      let mark = try await parts.beginDeletion(of: id)
      do {
        guard try await isEmpty(id) else { throw ModelError.bucketNotEmpty }
      } catch {
        try await parts.endDeletion(of: id, mark: mark, isConfirmed: false)
        throw error
      }
      guard try await parts.endDeletion(of: id, mark: mark, isConfirmed: true) else {
        throw ModelError.bucketBusy
      }
      for entry in row.names.entries { try await release(entry.key, of: id) }
    }
  }

  private func isEmpty(_ id: BucketID) async throws -> Bool {
    let page = try await KeyListing(parts, .version, bucket: id, ListQuery(limit: 1)).page {
      _, row in
      try VersionRow.contentReader(ofRow: row).map { _ in }
    }
    return page.items.isEmpty
  }
}
