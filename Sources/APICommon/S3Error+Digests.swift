// Digests and checksums that are not those of the body: which was sent, and which was found.

import Base
import Crypto
package import Model

extension S3Error {
  /// `BadDigest` for a `Content-MD5`.
  static func badMD5(_ claimed: [UInt8], _ found: [UInt8]) -> S3Error {
    S3Error(
      .badDigest,
      details: [
        Detail("ExpectedDigest", Base64.encode(claimed)),
        Detail("CalculatedDigest", Base64.encode(found)),
      ])
  }

  /// `BadDigest` for a checksum.
  package static func badChecksum(_ algorithm: ChecksumAlgorithm) -> S3Error {
    S3Error(
      .badDigest, "The \(algorithm.name) you specified did not match the calculated checksum.")
  }

  /// `XAmzContentSHA256Mismatch`.
  static func wrongSHA256(_ claimed: [UInt8], _ found: [UInt8]?) -> S3Error {
    S3Error(
      .contentSHA256Mismatch,
      details: [
        Detail("ClientComputedContentSHA256", Hex.encode(claimed)),
        Detail("S3ComputedContentSHA256", Hex.encode(found ?? [])),
      ])
  }
}
