// The source of a copy: what `x-amz-copy-source` names, if its conditions hold.

import APICommon
import Codecs
import HTTP
import Model

/// Finds the source of CopyObject and UploadPartCopy.
enum CopySource {
  static let header = "x-amz-copy-source"

  /// The object to copy.
  ///
  /// - Throws: `InvalidArgument` for a header that names no object; `PreconditionFailed`; what
  ///   `S3Request.bucket` and `.object` throw.
  static func find(_ request: S3Request) async throws -> ObjectVersion {
    let (bucketName, key) = try parse(request.headers[header] ?? "")
    let bucket = try await request.bucket(
      bucketName, anyOf: .read, ownerHeader: "x-amz-source-expected-bucket-owner")
    let version = try await request.object(ObjectKey(key), in: bucket)
    let conditions = ReadConditions(request.headers, prefix: header + "-")
    guard
      conditions.evaluate(etag: version.metadata.etag, lastModified: version.lastModified)
        == .proceed
    else { throw S3Error(.preconditionFailed) }
    return version
  }

  /// Takes `/bucket/key` or `bucket/key` apart, percent-encoded, with or without `?versionId=`.
  private static func parse(_ text: String) throws(S3Error) -> (bucket: String, key: [UInt8]) {
    var path = text.utf8[...]
    if let mark = path.firstIndex(of: UInt8(ascii: "?")) {
      let query = FormCoding.parse(path[path.index(after: mark)...], countMax: 1) ?? []
      guard let field = query.first, field.isNamed("versionId") else { throw invalid }
      guard field.text == "null" else {
        throw S3Error(.notImplemented, "Versions are not implemented yet.")
      }
      path = path[..<mark]
    }
    guard let decoded = PercentCoding.decode(path) else { throw invalid }
    let bytes = decoded.first == UInt8(ascii: "/") ? decoded.dropFirst() : decoded[...]
    guard let slash = bytes.firstIndex(of: UInt8(ascii: "/")), slash > bytes.startIndex,
      let bucket = String(validating: bytes[..<slash], as: UTF8.self)
    else { throw invalid }
    let key = Array(bytes[(slash + 1)...])
    guard !key.isEmpty else { throw invalid }
    return (bucket, key)
  }

  private static var invalid: S3Error {
    S3Error(.invalidArgument, "The header \(header) must name a bucket and a key: bucket/key.")
  }
}
