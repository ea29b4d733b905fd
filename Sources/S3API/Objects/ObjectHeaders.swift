// The headers that belong to an object: kept when it is written, given back when it is read.
//
// User metadata is text: what is not ASCII travels in encoded words (EncodedWords.swift). The other headers are kept and
// given back byte for byte, as S3 does.

package import APICommon
import Base
import Codecs
package import HTTP
package import Model

/// Reads and writes the headers of objects.
package enum ObjectHeaders {
  /// Where a website leads who asks for the object.
  static let redirect = "x-amz-website-redirect-location"

  /// Headers that are kept beside `x-amz-meta-...`, in the order in which they are given back.
  private static let kept: [StaticString] = [
    "content-type", "cache-control", "content-disposition", "content-encoding",
    "content-language", "expires", "x-amz-website-redirect-location",
  ]

  /// Query parameters with which a reader replaces headers.
  private static let overrides: [(parameter: StaticString, header: String)] = [
    ("response-content-type", "content-type"), ("response-cache-control", "cache-control"),
    ("response-content-disposition", "content-disposition"),
    ("response-content-encoding", "content-encoding"),
    ("response-content-language", "content-language"), ("response-expires", "expires"),
  ]

  /// S3's limit on user metadata: the bytes of names, without the prefix, and of values as UTF-8.
  private static let metadataBytesMax = 2048
  /// What the names of user metadata begin with.
  private static let metadataPrefix: StaticString = "x-amz-meta-"

  /// What S3 calls an object of which nobody said what it is.
  private static let defaultContentType = "binary/octet-stream"

  /// The headers to keep of a request that writes an object.
  ///
  /// - Throws: `MetadataTooLarge`.
  package static func read(_ headers: HTTPHeaders) throws(S3Error) -> [ObjectHeader] {
    var result: [ObjectHeader] = []
    var metadataBytes = 0
    headers.visitFields { name, value in
      if name.begins(with: metadataPrefix) {
        let text = EncodedWords.decode(Array(value))
        metadataBytes += name.count - metadataPrefix.utf8CodeUnitCount + text.count
        append(name.text, text, to: &result)
      } else if name.spells("content-encoding") {
        let value = withoutChunkedCoding(Array(value))
        if !value.isEmpty { append(name.text, value, to: &result) }
      } else if kept.contains(where: { name.spells($0) }) {
        append(name.text, Array(value), to: &result)
      }
    }
    guard metadataBytes <= metadataBytesMax else { throw S3Error(.metadataTooLarge) }
    return result
  }

  /// A field that comes more than once is a list (RFC 9110, section 5.3).
  private static func append(_ name: String, _ value: [UInt8], to headers: inout [ObjectHeader]) {
    if let index = headers.firstIndex(where: { $0.name == name }) {
      headers[index].value += Array(",".utf8) + value
    } else {
      headers.append(ObjectHeader(name: name, value: value))
    }
  }

  /// The content codings without `aws-chunked`, which is about the transfer and not about the object.
  private static func withoutChunkedCoding(_ value: [UInt8]) -> [UInt8] {
    let codings = String(decoding: value, as: UTF8.self).split(separator: ",")
      .map { $0.drop { $0 == " " } }
    guard codings.contains(where: { $0.lowercased() == "aws-chunked" }) else { return value }
    return Array(codings.filter { $0.lowercased() != "aws-chunked" }.joined(separator: ",").utf8)
  }

  /// The headers of a response that are the object's.
  static func write(
    _ version: ObjectVersion, overriddenBy target: RequestTarget
  ) throws(S3Error) -> HTTPHeaders {
    var headers = HTTPHeaders()
    headers.append("last-modified", CivilTime(version.lastModified).httpDate)
    headers.append("etag", "\"\(version.metadata.etag)\"")
    headers.append("accept-ranges", "bytes")
    let replaced = try replacements(target)
    for header in version.metadata.headers
    where replaced.isEmpty || replaced[header.name] == nil {
      headers.append(header.name, valueBytes: value(of: header))
    }
    if !replaced.isEmpty {
      for (_, name) in overrides {
        if let value = replaced[name] { headers.append(name, value) }
      }
    }
    if !headers.contains("content-type") { headers.append("content-type", defaultContentType) }
    return headers
  }

  private static func value(of header: ObjectHeader) -> [UInt8] {
    guard EncodedWords.needsEncoding(header.value),
      header.name.utf8.starts(with: "x-amz-meta-".utf8)
    else { return header.value }
    return EncodedWords.encode(header.value)
  }

  private static func replacements(_ target: RequestTarget) throws(S3Error) -> [String: String] {
    guard !target.query.isEmpty else { return [:] }
    var replaced: [String: String] = [:]
    for (parameter, header) in overrides {
      if let value = try target.value(parameter) { replaced[header] = value }
    }
    return replaced
  }

  /// Adds the checksums of an object or a part.
  static func append(
    _ checksums: [ObjectChecksum], type: ChecksumType, partCount: Int, to headers: inout HTTPHeaders
  ) {
    guard !checksums.isEmpty else { return }
    for checksum in checksums {
      headers.append(
        checksum.algorithm.headerName,
        MultipartChecksums.text(checksum, type: type, partCount: partCount))
    }
    headers.append("x-amz-checksum-type", type.name)
  }
}

extension ChecksumType {
  /// The name in headers and XML.
  var name: String {
    switch self {
    case .fullObject: "FULL_OBJECT"
    case .composite: "COMPOSITE"
    }
  }

  /// The type with `name`, in either case.
  init?(name: String) {
    switch name.uppercased() {
    case "FULL_OBJECT": self = .fullObject
    case "COMPOSITE": self = .composite
    default: return nil
    }
  }
}
