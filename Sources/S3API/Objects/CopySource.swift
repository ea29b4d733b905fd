// The source of a copy: what `x-amz-copy-source` names, if its conditions hold.

import APICommon
import Base
import HTTP
import Model

/// Finds the source of CopyObject and UploadPartCopy.
package enum CopySource {
  static let header = "x-amz-copy-source"
  private static let conditionPrefix: StaticString = "x-amz-copy-source-"

  /// The object to copy.
  ///
  /// - Throws: `InvalidArgument` for a header that names no object; `PreconditionFailed`; what
  ///   `S3Request.bucket` and `.object` throw.
  static func find(_ request: S3Request) async throws -> ObjectVersion {
    let (bucketName, key) = try parse(request.headers[header] ?? "")
    let bucket = try await request.bucket(
      bucketName, anyOf: .read, ownerHeader: "x-amz-source-expected-bucket-owner")
    let version = try await request.object(ObjectKey(key), in: bucket)
    let conditions = ReadConditions(
      request.headers, prefix: conditionPrefix, now: request.runtime.wallNow)
    let outcome = conditions.evaluate(
      etag: version.metadata.etag, lastModified: version.lastModified)
    guard outcome == .proceed else {
      throw S3Error(
        .preconditionFailed, details: [ReadConditions.failedOfSource(request.headers, outcome)])
    }
    return version
  }
}
