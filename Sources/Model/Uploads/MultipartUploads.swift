// Multipart uploads: objects that arrive in parts, in any order, over days.

package import Base
import Crypto
import Tables

/// The multipart uploads of all buckets.
package final class MultipartUploads: Sendable {
  /// S3's limit.
  package static let partNumberMax = 10_000
  /// S3's least size of a part that is not the last.
  package static let partBytesMin: UInt64 = 5 << 20
  /// S3's greatest size of a part, and of an object that is uploaded whole.
  package static let partBytesMax: UInt64 = 5 << 30
  /// S3's greatest size of an object: as many of the largest parts as there may be, 48.8 TiB.
  package static let objectBytesMax = UInt64(partNumberMax) * partBytesMax

  let parts: StoreParts
  let objects: Objects

  init(_ parts: StoreParts, objects: Objects) {
    self.parts = parts
    self.objects = objects
  }

  /// Begins an upload.
  ///
  /// It stays until it is completed or aborted.
  ///
  /// - Parameter metadata: What the object will carry, without an ETag.
  package func create(
    bucket: Bucket, key: ObjectKey, metadata: ObjectMetadata
  ) async throws -> UploadID {
    let parts = parts
    try parts.requireBlocks()
    try await parts.requireRoom()
    let id = UploadID(random: parts.runtime.random)
    let begun = parts.runtime.wallNow
    _ = try await parts.write(to: bucket) { bucket, attempt in
      try await parts.objects.operate(
        OpenUpload(guards: parts.guards), partitionKey: ObjectPartition.key(bucket.id),
        input: .init(
          key: key, upload: id,
          row: UploadRow(
            timestamp: attempt.timestamp, purpose: .multipart, begun: begun, metadata: metadata),
          stamp: bucket.stamp),
        above: attempt.above, companion: { bucket.companion })
    }
    return id
  }

  /// The upload; `nil` when it does not exist, was completed or aborted.
  package func get(
    bucket: Bucket, key: ObjectKey, id: UploadID
  ) async throws -> MultipartUpload? {
    let rowKey = RowKey(
      partitionKey: ObjectPartition.key(bucket.id), sortKey: ObjectSortKey.upload(key, id).bytes)
    let row = try await ModelError.translating { try await parts.objects.get(rowKey) }
    guard case .upload(let upload) = row else { return nil }
    return MultipartUpload(key: key, id: id, upload)
  }

  /// The upload.
  ///
  /// - Throws: `noSuchUpload`.
  func existing(bucket: Bucket, key: ObjectKey, id: UploadID) async throws -> MultipartUpload {
    guard let upload = try await get(bucket: bucket, key: key, id: id) else {
      throw ModelError.noSuchUpload
    }
    return upload
  }

  /// Begins to write a part.
  ///
  /// - Throws: `noSuchUpload`, `invalidPartNumber`.
  package func partWriter(
    bucket: Bucket, key: ObjectKey, id: UploadID, number: Int
  ) async throws -> PartWriter {
    guard (1...Self.partNumberMax).contains(number), let number = UInt16(exactly: number) else {
      throw ModelError.invalidPartNumber
    }
    _ = try await existing(bucket: bucket, key: key, id: id)
    return PartWriter(
      parts, bucket: bucket, key: key, part: .init(multipart: id, number: number))
  }

  /// Ends the upload and releases its parts.
  ///
  /// - Throws: `noSuchUpload`.
  package func abort(bucket: Bucket, key: ObjectKey, id: UploadID) async throws {
    let upload = try await existing(bucket: bucket, key: key, id: id)
    let parts = parts
    _ = try await ModelError.translating {
      let outcome = try await parts.objects.retryingStale { attempt in
        try await parts.objects.operate(
          EndUpload(guards: parts.guards), partitionKey: ObjectPartition.key(bucket.id),
          input: .init(
            key: key, upload: id, state: .refused, purpose: .multipart,
            timestamp: attempt.timestamp, begun: upload.initiated, part: nil, requiresOpen: true),
          above: attempt.above)
      }
      if case .refused(let code, _, _) = outcome { throw ModelError(refusal: code) }
    }
  }

  /// The ETag of an object uploaded in `parts`: the MD5 of the parts' MD5s, a dash, and their count.
  package static func etag(of parts: [UploadedPart]) -> String {
    let digests = parts.flatMap { Hex.decode($0.etag) ?? Array($0.etag.utf8) }
    return "\(Hex.encode(Digests.md5(digests)))-\(parts.count)"
  }
}

extension MultipartUpload {
  /// The upload that `row` describes; `nil` when it is not an open multipart upload.
  init?(key: ObjectKey, id: UploadID, _ row: UploadRow) {
    guard row.purpose == .multipart, row.state == .open else { return nil }
    self.init(key: key, id: id, initiated: row.begun, metadata: row.metadata)
  }
}
