// How a request vouches for its body: the value of `x-amz-content-sha256`.

import Base
import HTTP

/// What the signature of a request says about its body.
package enum PayloadIntegrity: Equatable, Sendable {
  /// `UNSIGNED-PAYLOAD`: nothing.
  case unsigned
  /// The SHA-256 of the body.
  case sha256([UInt8])
  /// The body is in aws-chunked coding.
  ///
  /// `isSigned`: each chunk has a signature; `hasTrailer`: checksums follow the last chunk.
  case chunked(isSigned: Bool, hasTrailer: Bool)

  /// What the canonical request of a presigned URL holds when nothing else is said.
  package static let unsignedText = "\(unsignedName)"
  private static let unsignedName: StaticString = "UNSIGNED-PAYLOAD"

  /// Reads the value; `nil` for one that is not known.
  package init?(_ text: UnsafeRawBufferPointer) {
    if text.spells(Self.unsignedName) {
      self = .unsigned
    } else if text.spells("STREAMING-AWS4-HMAC-SHA256-PAYLOAD") {
      self = .chunked(isSigned: true, hasTrailer: false)
    } else if text.spells("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER") {
      self = .chunked(isSigned: true, hasTrailer: true)
    } else if text.spells("STREAMING-UNSIGNED-PAYLOAD-TRAILER") {
      self = .chunked(isSigned: false, hasTrailer: true)
    } else {
      guard text.count == 64, let digest = Hex.decode(text) else { return nil }
      self = .sha256(digest)
    }
  }

  /// The value that the signature covers, and what it means.
  ///
  /// - Parameter bodySHA256: what the value is when the headers do not say it.
  static func read(
    _ head: HTTPRequestHead, _ target: RequestTarget, form: SignatureClaim.Form,
    bodySHA256: [UInt8]?
  ) throws(S3Error) -> (text: [UInt8], meaning: PayloadIntegrity) {
    var text = head.headers.withValue("x-amz-content-sha256") { Array($0) }
    if form != .header {
      text =
        try target.value("X-Amz-Content-Sha256").map { Array($0.utf8) } ?? text
        ?? Array(unsignedText.utf8)
    }
    guard let text = text ?? bodySHA256.map({ Array(Hex.encode($0).utf8) }) else {
      throw S3Error(.invalidRequest, "The header x-amz-content-sha256 is missing.")
    }
    guard let meaning = text.withUnsafeBytes({ PayloadIntegrity($0) }) else {
      throw S3Error(
        .invalidArgument,
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a supported STREAMING- value or the "
          + "hexadecimal SHA-256 of the body.")
    }
    return (text, meaning)
  }
}
