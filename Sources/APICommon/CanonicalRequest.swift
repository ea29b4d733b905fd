// The canonical request of AWS Signature Version 4: the bytes that both sides hash.
//
//   method LF path LF query LF (name ":" value LF)* LF signed-header-names LF payload-hash
//
// Path and query are decoded and escaped again, so that it does not matter which escapes a client or a proxy
// chose. S3 differs from other AWS services: the path is escaped once and never normalised, so `//` and `..`
// in keys stay.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html

import Base
import Codecs
package import HTTP

/// Builds canonical requests.
package enum CanonicalRequest {
  /// The canonical request.
  ///
  /// - Parameters:
  ///   - payloadHash: the value that stands for the body, as sent.
  package static func make(
    method: String, target: RequestTarget, headers: HTTPHeaders,
    signedHeaders: SignedHeaderNames, payloadHash: [UInt8]
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(1024)
    bytes += method.utf8
    bytes.append(lineFeed)
    PercentCoding.append(target.path, to: &bytes, allowed: .unreservedAndSlash)
    bytes.append(lineFeed)
    appendQuery(target.query, to: &bytes)
    bytes.append(lineFeed)
    signedHeaders.forEach { signed in
      bytes += signed
      bytes.append(UInt8(ascii: ":"))
      var isFirst = true
      headers.visitValues(of: signed) { value in
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
        appendCollapsed(value, to: &bytes)
      }
      bytes.append(lineFeed)
    }
    bytes.append(lineFeed)
    bytes += signedHeaders.text
    bytes.append(lineFeed)
    bytes += payloadHash
    return bytes
  }

  private static let lineFeed = UInt8(ascii: "\n")

  /// The query without its signature, escaped and sorted.
  private static func appendQuery(_ query: [FormField], to bytes: inout [UInt8]) {
    guard !query.isEmpty else { return }
    let fields =
      query.filter { !$0.isNamed("X-Amz-Signature") }
      .map { (PercentCoding.encode($0.name), PercentCoding.encode($0.value)) }
      .sorted { left, right in
        left.0 == right.0
          ? left.1.utf8.lexicographicallyPrecedes(right.1.utf8)
          : left.0.utf8.lexicographicallyPrecedes(right.0.utf8)
      }
    for (index, field) in fields.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: "&")) }
      bytes += field.0.utf8
      bytes.append(UInt8(ascii: "="))
      bytes += field.1.utf8
    }
  }

  /// The value with each run of white space as one space, and none at the ends.
  private static func appendCollapsed(_ value: UnsafeRawBufferPointer, to bytes: inout [UInt8]) {
    // Most values have no run of white space.
    guard holdsRun(value) else { return bytes.append(contentsOf: value) }
    var pendingSpace = false
    var isStarted = false
    for byte in value {
      if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") {
        pendingSpace = isStarted
      } else {
        if pendingSpace { bytes.append(UInt8(ascii: " ")) }
        pendingSpace = false
        isStarted = true
        bytes.append(byte)
      }
    }
  }

  /// Whether `value` holds a tab, or white space at its beginning, at its end or behind other white space.
  private static func holdsRun(_ value: UnsafeRawBufferPointer) -> Bool {
    var isBehindSpace = true
    for byte in value {
      if byte == UInt8(ascii: "\t") { return true }
      let isSpace = byte == UInt8(ascii: " ")
      if isSpace, isBehindSpace { return true }
      isBehindSpace = isSpace
    }
    return isBehindSpace
  }
}
