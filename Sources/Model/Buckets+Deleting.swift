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
  /// Its unfinished uploads are aborted.
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
        try await abortUploads(in: id)
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
      if case .version(let row) = row { row.object != nil } else { false }
    }
    return page.items.isEmpty
  }

  private func abortUploads(in id: BucketID) async throws {
    while true {
      let page = try await KeyListing(parts, .upload, bucket: id, ListQuery()).page { _, row in
        if case .upload(let row) = row { row.purpose == .multipart } else { false }
      }
      for case .row(.upload(let key, let upload), .upload(let row)) in page.items {
        let input = EndUpload.Input(
          key: key, upload: upload, state: .refused, purpose: .multipart,
          timestamp: parts.clock.now(), begun: row.begun, part: nil, requiresOpen: false)
        let outcome = try await parts.objects.operate(
          EndUpload(guards: parts.guards), partitionKey: ObjectPartition.key(id), input: input)
        guard outcome.isAccepted else { throw ModelError.bucketBusy }
      }
      if !page.isTruncated { return }
    }
  }
}
