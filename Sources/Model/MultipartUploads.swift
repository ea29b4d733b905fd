// Multipart uploads: objects that arrive in parts, in any order, over days.

package import Base

/// The multipart uploads of all buckets.
package final class MultipartUploads: Sendable {
  /// S3's limit.
  package static let partNumberMax = 10_000
  /// S3's least size of a part that is not the last.
  package static let partBytesMin: UInt64 = 5 << 20

  init() {}

  /// Begins an upload. It stays until it is completed or aborted.
  ///
  /// - Parameter metadata: What the object will carry, without an ETag.
  package func create(
    bucket: Bucket, key: ObjectKey, metadata: ObjectMetadata
  ) async throws -> UploadID {
    throw ModelError.bucketBusy
  }

  /// The upload; `nil` when it does not exist, was completed or aborted.
  package func get(
    bucket: Bucket, key: ObjectKey, id: UploadID
  ) async throws -> MultipartUpload? {
    throw ModelError.bucketBusy
  }

  /// Begins to write a part.
  ///
  /// - Throws: `noSuchUpload`, `invalidPartNumber`.
  package func partWriter(
    bucket: Bucket, key: ObjectKey, id: UploadID, number: Int
  ) async throws -> PartWriter {
    throw ModelError.bucketBusy
  }

  /// The parts that were uploaded, after number `after`.
  ///
  /// - Throws: `noSuchUpload`.
  package func parts(
    bucket: Bucket, key: ObjectKey, id: UploadID, after: Int = 0, limit: Int = 1000
  ) async throws -> PartPage {
    throw ModelError.bucketBusy
  }

  /// The unfinished uploads of the bucket. Only `query`'s prefix, delimiter and limit count.
  package func list(
    bucket: Bucket, _ query: ListQuery, after: UploadPosition = UploadPosition(.start)
  ) async throws -> UploadPage {
    throw ModelError.bucketBusy
  }

  /// Makes the parts the object. Completing again what was completed, and is still the key's object, is
  /// answered with that object.
  ///
  /// - Parameter metadata: What the object will carry, from what the upload began with and the parts as
  ///   they were uploaded, in order; throws to refuse. See `etag(of:)`.
  /// - Throws: `noSuchUpload`, `invalidPart`, `invalidPartOrder`, `entityTooSmall`, what `metadata` throws,
  ///   and as `ObjectWriter.commit`.
  package func complete(
    bucket: Bucket, key: ObjectKey, id: UploadID, parts: [CompletedPart],
    metadata: (MultipartUpload, [UploadedPart]) throws -> ObjectMetadata = { upload, parts in
      var metadata = upload.metadata
      metadata.etag = MultipartUploads.etag(of: parts)
      metadata.checksums = []
      return metadata
    }
  ) async throws -> ObjectVersion {
    throw ModelError.bucketBusy
  }

  /// Ends the upload and releases its parts.
  ///
  /// - Throws: `noSuchUpload`.
  package func abort(bucket: Bucket, key: ObjectKey, id: UploadID) async throws {
    throw ModelError.bucketBusy
  }

  /// The ETag of an object uploaded in `parts`: the MD5 of the parts' MD5s, a dash, and their count.
  package static func etag(of parts: [UploadedPart]) -> String { "" }
}
