// CompleteMultipartUpload: the parts become the object.

package import APICommon
import Base
package import Codecs
import Crypto
import HTTP
package import Model

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
    for (part, named) in zip(parts, named) {
      for checksum in named.checksums where !part.checksums.contains(checksum) {
        // S3 lets a client name a checksum that the part was not uploaded with; only a different one is
        // wrong.
        if part.checksums.contains(where: { $0.algorithm == checksum.algorithm }) {
          throw S3Error(.invalidPart, details: [S3Error.Detail("PartNumber", String(part.number))])
        }
      }
    }
    var metadata = upload.metadata
    metadata.etag = MultipartUploads.etag(of: parts)
    metadata.checksums = []
    if let algorithm = upload.metadata.checksums.first?.algorithm,
      let checksum = MultipartChecksums.combine(algorithm, metadata.checksumType, parts)
    {
      metadata.checksums = [checksum]
    }
    try expectation.check(metadata, parts)
    return metadata
  }

  private static func respond(
    _ request: S3Request, _ key: ObjectKey, _ version: ObjectVersion
  ) async throws {
    try await request.respond(xml: "CompleteMultipartUploadResult") { xml in
      xml.element(
        "Location",
        "/\(request.bucketName)/" + PercentCoding.encode(key.bytes, allowed: .unreservedAndSlash))
      xml.element("Bucket", request.bucketName)
      xml.element("Key", key.string)
      xml.element("ETag", "\"\(version.metadata.etag)\"")
      MultipartChecksums.write(version, to: &xml)
    }
  }
}

/// A part as the document names it.
package struct NamedPart: Equatable, Sendable {
  package let number: Int
  /// Without quotes.
  package let etag: String
  package let checksums: [ObjectChecksum]

  /// The parts of a `CompleteMultipartUpload`, from 1 to 10,000.
  ///
  /// - Throws: `MalformedXML`; `InvalidArgument` for a number below 1; `InvalidPart` when a checksum cannot be read.
  package static func all(in document: XMLElement) throws(S3Error) -> [NamedPart] {
    let elements = document.children(named: "Part")
    guard (1...MultipartUploads.partNumberMax).contains(elements.count) else {
      throw S3Error(.malformedXML, "A completion names from 1 to 10,000 parts.")
    }
    var parts: [NamedPart] = []
    for element in elements { parts.append(try NamedPart(element)) }
    return parts
  }

  /// Reads a `Part`.
  ///
  /// - Throws: as `all`.
  package init(_ element: XMLElement) throws(S3Error) {
    guard let text = element.trimmedText(of: "PartNumber"),
      let etag = element.trimmedText(of: "ETag")
    else { throw Self.incomplete }
    let isNegative = text.hasPrefix("-")
    guard let number = Int(digits: text.utf8.dropFirst(isNegative ? 1 : 0)) else {
      throw Self.incomplete
    }
    guard number >= 1, !isNegative else {
      throw S3Error(
        .invalidArgument, "PartNumber must be >= 1",
        details: [
          S3Error.Detail("ArgumentName", "partNumber"), S3Error.Detail("ArgumentValue", text),
        ])
    }
    self.number = number
    self.etag = String(
      decoding: etag.utf8.filter { $0 != UInt8(ascii: "\"") }, as: UTF8.self)
    var checksums: [ObjectChecksum] = []
    for algorithm in ChecksumAlgorithm.allCases {
      guard let text = element.text(of: "\(algorithm.elementName)") else { continue }
      guard let checksum = ObjectChecksum(algorithm, base64: text) else {
        throw S3Error(.invalidPart, details: [S3Error.Detail("PartNumber", String(number))])
      }
      checksums.append(checksum)
    }
    self.checksums = checksums
  }

  private static var incomplete: S3Error {
    S3Error(.malformedXML, "Each part needs a PartNumber and an ETag.")
  }
}

/// What the headers of a completion say about the object that comes of it.
struct CompletionExpectation {
  private let type: ChecksumType?
  /// As text: a composite checksum has a number of parts behind it.
  private let checksum: (algorithm: ChecksumAlgorithm, text: String)?
  private let sizeBytes: UInt64?

  init(_ headers: HTTPHeaders) throws(S3Error) {
    if let name = headers["x-amz-checksum-type"] {
      guard let type = ChecksumType(name: name) else {
        throw S3Error(.invalidRequest, "The header x-amz-checksum-type is not valid.")
      }
      self.type = type
    } else {
      type = nil
    }
    if let text = headers["x-amz-mp-object-size"] {
      guard let size = UInt64(digits: text.utf8) else {
        throw S3Error(.invalidRequest, "The header x-amz-mp-object-size is not a number.")
      }
      sizeBytes = size
    } else {
      sizeBytes = nil
    }
    var found: (algorithm: ChecksumAlgorithm, text: String)?
    for algorithm in ChecksumAlgorithm.allCases {
      guard let text = headers[algorithm.headerName] else { continue }
      guard found == nil else {
        throw S3Error(.invalidRequest, "Expecting a single x-amz-checksum- header.")
      }
      found = (algorithm, text)
    }
    checksum = found
  }

  /// Compares with what would be stored.
  ///
  /// - Throws: `InvalidRequest`, `BadDigest`.
  func check(_ metadata: ObjectMetadata, _ parts: [UploadedPart]) throws(S3Error) {
    if let sizeBytes, sizeBytes != parts.reduce(0, { $0 + $1.sizeBytes }) {
      throw S3Error(.invalidRequest, "The parts do not add up to x-amz-mp-object-size.")
    }
    if let type, !metadata.checksums.isEmpty, type != metadata.checksumType {
      throw S3Error(.invalidRequest, "The upload was begun with another x-amz-checksum-type.")
    }
    guard let checksum else { return }
    let stored = metadata.checksums.first { $0.algorithm == checksum.algorithm }
    // Of an upload that was begun without an algorithm, the parts may still add up to a full checksum.
    let computed =
      stored
      ?? MultipartChecksums.combine(checksum.algorithm, type ?? metadata.checksumType, parts)
    guard let computed else {
      throw S3Error(
        .invalidRequest, "The parts have no \(checksum.algorithm.name) to compare with.")
    }
    let sent = checksum.text.split(separator: "-").first.map(String.init) ?? ""
    guard sent == computed.base64 else {
      throw S3Error(.badDigest, "The \(checksum.algorithm.headerName) is not that of the object.")
    }
  }
}
