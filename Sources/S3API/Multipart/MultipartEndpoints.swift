// CreateMultipartUpload, UploadPart, AbortMultipartUpload.

package import APICommon
import Base
import Codecs
package import HTTP
package import Model

/// The steps of a multipart upload before its completion.
package enum MultipartEndpoints {
  /// Answers `POST /bucket/key?uploads`.
  static func create(_ request: S3Request) async throws {
    let bucket = try await request.bucket(anyOf: .write)
    let key = try request.key()
    var metadata = ObjectMetadata(headers: try ObjectHeaders.read(request.headers))
    let checksum = try checksum(request.headers)
    if let checksum {
      // A sum of no bytes says which algorithm the parts are to have.
      metadata.checksums = [ObjectChecksum(algorithm: checksum.algorithm, value: [])]
      metadata.checksumType = checksum.type
    }
    let id = try await request.store.uploads.create(bucket: bucket, key: key, metadata: metadata)
    var headers = HTTPHeaders()
    if let checksum {
      headers.append("x-amz-checksum-algorithm", checksum.algorithm.name)
      headers.append("x-amz-checksum-type", checksum.type.name)
    }
    try await request.respond(xml: "InitiateMultipartUploadResult", headers: headers) { xml in
      xml.element("Bucket", request.bucketName)
      xml.element("Key", key.string)
      xml.element("UploadId", id.hex)
    }
  }

  /// The checksum that the parts and the object are to have; `nil` when the client names none.
  package static func checksum(
    _ headers: HTTPHeaders
  ) throws(S3Error) -> (algorithm: ChecksumAlgorithm, type: ChecksumType)? {
    guard let algorithm = try MultipartChecksums.requestedAlgorithm(headers) else {
      if headers.contains("x-amz-checksum-type") {
        throw S3Error(
          .invalidRequest, "x-amz-checksum-type needs the header x-amz-checksum-algorithm.")
      }
      return nil
    }
    guard let typeName = headers["x-amz-checksum-type"] else {
      return (algorithm, MultipartChecksums.defaultType(algorithm))
    }
    guard let type = ChecksumType(name: typeName), MultipartChecksums.isValid(algorithm, type)
    else {
      throw S3Error(
        .invalidRequest, "The x-amz-checksum-type cannot be used with \(algorithm.name).")
    }
    return (algorithm, type)
  }

  /// The part that a request is about.
  struct Place {
    var key: ObjectKey
    var upload: MultipartUpload
    var number: Int
  }

  /// Where the part belongs that the request brings.
  ///
  /// - Throws: `NoSuchUpload`, `InvalidArgument`.
  static func place(_ request: S3Request, in bucket: Bucket) async throws -> Place {
    let key = try request.key()
    let id = try request.uploadID()
    guard let number = try request.partNumber() else { throw S3Error(.invalidArgument) }
    guard let upload = try await request.store.uploads.get(bucket: bucket, key: key, id: id) else {
      throw S3Error(.noSuchUpload, details: [S3Error.Detail("UploadId", id.hex)])
    }
    return Place(key: key, upload: upload, number: number)
  }

  /// Answers `PUT /bucket/key?partNumber=N&uploadId=ID`.
  static func uploadPart(_ request: S3Request) async throws {
    try request.requireFraming()
    let bucket = try await request.bucket(anyOf: .write)
    let place = try await place(request, in: bucket)
    let expected = place.upload.checksumAlgorithm
    // Without a named algorithm the object gets a checksum all the same, whatever the parts come with.
    let body = try request.plainBody(
      computing: expected ?? MultipartChecksums.defaultAlgorithm, always: expected == nil)
    if let expected, let sent = body.claims.checksumAlgorithm, sent != expected {
      throw S3Error(
        .invalidRequest, "The upload was begun with \(expected.name); the part has \(sent.name).")
    }
    let writer = try await request.store.uploads.partWriter(
      bucket: bucket, key: place.key, id: place.upload.id, number: place.number)
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
    let part = try await writer.commit(
      etag: Hex.encode(summary.md5), checksums: summary.checksums)
    var headers: HTTPHeaders = ["etag": "\"\(part.etag)\""]
    // The client's own, if it sent one.
    if let checksum = summary.checksum {
      headers.append(checksum.algorithm.headerName, checksum.base64)
    }
    try await request.exchange.respond(200, headers: headers)
  }

  /// Answers `DELETE /bucket/key?uploadId=ID`.
  static func abort(_ request: S3Request) async throws {
    let bucket = try await request.bucket(anyOf: .write)
    try await request.store.uploads.abort(
      bucket: bucket, key: request.key(), id: request.uploadID())
    try await request.exchange.respond(204)
  }
}
