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
  package static let unsignedText = "UNSIGNED-PAYLOAD"

  /// Reads the value; `nil` for one that is not known.
  package init?(_ text: String) {
    switch text {
    case Self.unsignedText: self = .unsigned
    case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": self = .chunked(isSigned: true, hasTrailer: false)
    case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER":
      self = .chunked(isSigned: true, hasTrailer: true)
    case "STREAMING-UNSIGNED-PAYLOAD-TRAILER": self = .chunked(isSigned: false, hasTrailer: true)
    default:
      guard text.utf8.count == 64, let digest = Hex.decode(text) else { return nil }
      self = .sha256(digest)
    }
  }

  /// The value that the signature covers, and what it means.
  ///
  /// - Parameter bodySHA256: what the value is when the headers do not say it.
  static func read(
    _ head: HTTPRequestHead, _ target: RequestTarget, form: SignatureClaim.Form,
    bodySHA256: [UInt8]?
  ) throws(S3Error) -> (text: String, meaning: PayloadIntegrity) {
    var text = head.headers["x-amz-content-sha256"]
    if form != .header {
      text = try target.value("X-Amz-Content-Sha256") ?? text ?? unsignedText
    }
    guard let text = text ?? bodySHA256.map({ Hex.encode($0) }) else {
      throw S3Error(.invalidRequest, "The header x-amz-content-sha256 is missing.")
    }
    guard let meaning = PayloadIntegrity(text) else {
      throw S3Error(
        .invalidArgument,
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a supported STREAMING- value or the "
          + "hexadecimal SHA-256 of the body.")
    }
    return (text, meaning)
  }
}
