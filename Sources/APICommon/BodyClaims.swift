// What a request says about its body: length, coding, digests, checksums.

import Base
import Crypto
package import HTTP
package import Model

/// The claims that a body is checked against.
package struct BodyClaims: Sendable {
  /// What the signature says.
  package let payload: PayloadIntegrity
  /// What the signatures of chunks continue from; present when the body has such signatures.
  let chunks: ChunkSigningContext?
  /// `Content-MD5`.
  package let contentMD5: [UInt8]?
  /// The checksum in the headers.
  package let checksum: ObjectChecksum?
  /// The algorithm of the checksum that follows the body.
  package let trailerAlgorithm: ChecksumAlgorithm?
  /// The length of the plain body; `nil` when the request does not say.
  package let plainLength: UInt64?

  /// The checksum algorithm of the body, wherever its value is.
  package var checksumAlgorithm: ChecksumAlgorithm? { checksum?.algorithm ?? trailerAlgorithm }

  /// Reads the headers of a request whose signature was verified, or that has none (`nil`).
  ///
  /// - Parameter contentLength: of the body as it travels.
  package init(
    _ headers: HTTPHeaders, contentLength: UInt64?, signature: VerifiedSignature?
  ) throws(S3Error) {
    if let signature {
      payload = signature.payload
    } else {
      payload = try Self.anonymousPayload(headers)
    }
    switch payload {
    case .chunked(let isSigned, _):
      guard let text = headers["x-amz-decoded-content-length"],
        let length = UInt64(digits: text.utf8)
      else {
        throw S3Error(
          .missingContentLength, "The header x-amz-decoded-content-length is missing or no number.")
      }
      plainLength = length
      chunks = isSigned ? signature?.chunks : nil
      if isSigned && signature == nil { throw S3Error(.accessDenied) }
    case .unsigned, .sha256:
      plainLength = contentLength
      chunks = nil
    }
    contentMD5 = try Self.contentMD5(headers)
    checksum = try Self.checksum(headers)
    trailerAlgorithm = try Self.trailerAlgorithm(headers)
    try checkCombination(headers)
  }

  /// What is claimed of bytes that no client sends.
  package static let none = BodyClaims()

  private init() {
    payload = .unsigned
    chunks = nil
    contentMD5 = nil
    checksum = nil
    trailerAlgorithm = nil
    plainLength = nil
  }

  /// An anonymous client may still use the unsigned form of aws-chunked, and state a digest.
  private static func anonymousPayload(_ headers: HTTPHeaders) throws(S3Error) -> PayloadIntegrity {
    let stated = headers.withValue("x-amz-content-sha256") { PayloadIntegrity($0) }
    guard let stated else { return .unsigned }
    guard let payload = stated else { throw S3Error(.invalidArgument) }
    return payload
  }

  private static func contentMD5(_ headers: HTTPHeaders) throws(S3Error) -> [UInt8]? {
    guard let text = headers["content-md5"] else { return nil }
    guard let digest = Base64.decode(text), digest.count == 16 else {
      throw S3Error(.invalidDigest, details: [S3Error.Detail("Content-MD5", text)])
    }
    return digest
  }

  private static func checksum(_ headers: HTTPHeaders) throws(S3Error) -> ObjectChecksum? {
    var found: ObjectChecksum?
    for algorithm in ChecksumAlgorithm.allCases {
      guard let text = headers[algorithm.headerName] else { continue }
      guard found == nil else {
        throw S3Error(
          .invalidRequest,
          "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
      }
      guard let checksum = ObjectChecksum(algorithm, base64: text) else {
        throw S3Error(
          .invalidRequest, "Value for \(algorithm.headerName) header is invalid.")
      }
      found = checksum
    }
    return found
  }

  private static func trailerAlgorithm(_ headers: HTTPHeaders) throws(S3Error) -> ChecksumAlgorithm?
  {
    guard let text = headers["x-amz-trailer"] else { return nil }
    let name = text.lowercased()
    guard let algorithm = ChecksumAlgorithm.allCases.first(where: { $0.headerName == name }) else {
      throw S3Error(
        .invalidRequest, "The header x-amz-trailer must name one x-amz-checksum- trailer.")
    }
    return algorithm
  }

  private func checkCombination(_ headers: HTTPHeaders) throws(S3Error) {
    if checksum != nil && trailerAlgorithm != nil {
      throw S3Error(.invalidRequest, "Expecting a single x-amz-checksum- header or trailer.")
    }
    if trailerAlgorithm != nil {
      guard case .chunked(_, hasTrailer: true) = payload else {
        throw S3Error(
          .invalidRequest, "x-amz-trailer needs an x-amz-content-sha256 that ends in -TRAILER.")
      }
    }
    guard let named = headers["x-amz-sdk-checksum-algorithm"] else { return }
    guard let algorithm = ChecksumAlgorithm(name: named) else {
      throw S3Error(.invalidRequest, "x-amz-sdk-checksum-algorithm names no known algorithm.")
    }
    guard checksumAlgorithm == algorithm else {
      throw S3Error(
        .invalidRequest,
        "x-amz-sdk-checksum-algorithm needs a header or trailer \(algorithm.headerName).")
    }
  }
}
