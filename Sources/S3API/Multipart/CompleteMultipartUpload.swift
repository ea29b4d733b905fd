// CompleteMultipartUpload: the parts become the object.

import APICommon
import Codecs
import Crypto
import HTTP
import Model

/// Completions of multipart uploads.
enum CompleteMultipartUpload {
  /// Answers `POST /bucket/key?uploadId=ID`.
  static func handle(_ request: S3Request) async throws {
    let bucket = try await request.bucket(anyOf: .write)
    let key = try request.key()
    let id = try request.uploadID()
    // A checksum among the headers is that of the object, not of this document.
    let expectation = try CompletionExpectation(request.headers)
    let body = try documentBody(request)
    let named = try await request.document(body, root: "CompleteMultipartUpload") { document in
      try NamedPart.all(in: document)
    }
    guard let named else { throw S3Error(.malformedXML) }
    let version = try await request.store.uploads.complete(
      bucket: bucket, key: key, id: id,
      parts: named.map { CompletedPart(number: $0.number, etag: $0.etag) }
    ) { upload, parts in
      try metadata(upload, parts, named: named, expectation)
    }
    try await respond(request, key, version)
  }

  /// The body, without the checksum headers, which are about the object.
  private static func documentBody(_ request: S3Request) throws(S3Error) -> PlainBody {
    var headers = request.headers
    for algorithm in ChecksumAlgorithm.allCases { headers.remove(algorithm.headerName) }
    headers.remove("x-amz-sdk-checksum-algorithm")
    return try request.plainBody(headers)
  }

  /// What the object will carry, from what the upload began with and the parts as they were uploaded.
  static func metadata(
    _ upload: MultipartUpload, _ parts: [UploadedPart], named: [NamedPart],
    _ expectation: CompletionExpectation
  ) throws(S3Error) -> ObjectMetadata {
    for (part, named) in zip(parts, named) { try named.check(against: part, of: upload) }
    var metadata = upload.metadata
    metadata.etag = MultipartUploads.etag(of: parts)
    // None when a part is of a time when there was no default.
    let checksum = MultipartChecksums.combine(
      upload.checksumAlgorithm ?? MultipartChecksums.defaultAlgorithm, metadata.checksumType, parts)
    metadata.checksums = checksum.map { [$0] } ?? []
    try expectation.check(metadata, of: upload, parts)
    return metadata
  }

  private static func respond(
    _ request: S3Request, _ key: ObjectKey, _ version: ObjectVersion
  ) async throws {
    let exchange = request.exchange
    let head = exchange.request
    // The answer goes to nobody but the client, so that anyone may say how it came.
    let isTLS = exchange.isTLS || head.headers["x-forwarded-proto"]?.lowercased() == "https"
    let origin = head.host.map { "\(isTLS ? "https" : "http")://\($0)" } ?? ""
    try await request.respond(xml: "CompleteMultipartUploadResult") { xml in
      xml.element(
        "Location",
        origin + PercentCoding.encode(request.target.path, allowed: .unreservedAndSlash))
      xml.element("Bucket", request.bucketName)
      xml.element("Key", key.string)
      xml.element("ETag", "\"\(version.metadata.etag)\"")
      MultipartChecksums.write(version, to: &xml)
    }
  }
}
