// PutObject.

import APICommon
import Base
import HTTP
import Model

/// Writes of an object.
enum PutObject {
  /// Answers `PUT /bucket/key`.
  static func handle(_ request: S3Request) async throws {
    try request.requireFraming()
    let bucket = try await request.bucket(anyOf: .write)
    let key = try request.key()
    let kept = try ObjectHeaders.read(request.headers)
    let body = try request.plainBody(computing: MultipartChecksums.defaultAlgorithm)
    let writer = request.store.objects.writer(bucket: bucket, key: key)
    let summary: BodySummary
    do {
      let digests = body.digests
      try await writer.append(
        announced: body.claims.plainLength,
        from: { buffer in try await body.read(into: buffer) },
        observe: { bytes in digests.observe(bytes) })
      summary = try body.finish()
    } catch {
      await writer.abandon()
      throw error
    }
    let checksums = summary.checksums
    let version = try await writer.commit(
      ObjectMetadata(etag: Hex.encode(summary.md5), headers: kept, checksums: checksums))
    var headers: HTTPHeaders = ["etag": "\"\(version.metadata.etag)\""]
    ObjectHeaders.append(checksums, type: .fullObject, partCount: 0, to: &headers)
    try await request.exchange.respond(200, headers: headers)
  }
}
