// UploadPartCopy: a part whose bytes are those of an object, or some of them.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html

import APICommon
import Base
import Codecs
import Crypto
import HTTP
import Model

/// Copies of objects into parts.
enum UploadPartCopy {
  /// Answers `PUT /bucket/key?partNumber=N&uploadId=ID` with a copy source.
  static func handle(_ request: S3Request) async throws {
    let bucket = try await request.bucket(anyOf: .write)
    let place = try await MultipartEndpoints.place(request, in: bucket)
    let source = try await CopySource.find(request)
    let range = try range(request.headers, of: source)
    let writer = try await request.store.uploads.partWriter(
      bucket: bucket, key: place.key, id: place.upload.id, number: place.number)
    let algorithm = place.upload.checksumAlgorithm ?? MultipartChecksums.defaultAlgorithm
    let digests = BodyDigests(.none, computing: algorithm)
    let summary: BodySummary
    do {
      try await writer.append(copying: source, range) { digests.observe($0) }
      summary = try digests.finish()
    } catch {
      await writer.abandon()
      throw error
    }
    let part = try await writer.commit(
      etag: Hex.encode(summary.md5), checksums: summary.checksums)
    try await request.respond(xml: "CopyPartResult") { xml in
      xml.element("LastModified", CivilTime(part.lastModified).iso8601Seconds)
      xml.element("ETag", "\"\(part.etag)\"")
      for checksum in part.checksums {
        xml.element(checksum.algorithm.elementName, checksum.base64)
      }
    }
  }

  /// The bytes to copy: unlike a reader's range, this one must lie within the object.
  private static func range(
    _ headers: HTTPHeaders, of source: ObjectVersion
  ) throws(S3Error) -> Range<UInt64> {
    guard let text = headers["x-amz-copy-source-range"] else {
      guard source.sizeBytes <= MultipartUploads.partBytesMax else { throw tooLarge }
      return 0..<source.sizeBytes
    }
    let bounds = text.dropFirst("bytes=".utf8.count).split(
      separator: "-", omittingEmptySubsequences: false)
    guard text.hasPrefix("bytes="), bounds.count == 2,
      let first = UInt64(digits: bounds[0].utf8), let last = UInt64(digits: bounds[1].utf8),
      first <= last
    else {
      throw S3Error.argument(
        "x-amz-copy-source-range", text,
        """
        The x-amz-copy-source-range value must be of the form bytes=first-last where first and last \
        are the zero-based offsets of the first and last bytes to copy
        """)
    }
    guard last < source.sizeBytes else {
      throw S3Error.argument(
        "x-amz-copy-source-range", text,
        "Range specified is not valid for source object of size: \(source.sizeBytes)")
    }
    return first..<last + 1
  }

  /// In S3's words, by which some clients know that they have to copy ranges.
  private static var tooLarge: S3Error {
    S3Error(
      .invalidRequest,
      "The specified copy source is larger than the maximum allowable size for a copy source: "
        + "\(MultipartUploads.partBytesMax)")
  }
}
