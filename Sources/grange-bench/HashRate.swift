// What one core can do of the two digests that a put needs: the ETag and the names of the blocks.

import Codecs
import Crypto

/// The library's digests, by themselves.
enum HashRate {
  private static let pieceBytes = 1 << 20

  /// Hashes for `seconds` of CPU time with each, so that a busy machine measures the same.
  ///
  /// - Returns: one JSON document.
  static func measure(seconds: Double) -> String {
    let document: JSON = [
      "op": "hash",
      "md5_mb_s": .number(bytesPerSecond(.md5, seconds) / 1e6),
      "blake2b_mb_s": .number(bytesPerSecond(.blake2b512, seconds) / 1e6),
    ]
    return document.serialize()
  }

  private static func bytesPerSecond(_ algorithm: DigestAlgorithm, _ seconds: Double) -> Double {
    let bytes = ObjectBytes(prefix: "hash", sizeBytes: pieceBytes)
    let digest = Digest(algorithm)
    let start = CPUTime.ownSeconds
    var pieces = 0
    while CPUTime.ownSeconds - start < seconds {
      digest.update(bytes.body(pieces))
      pieces += 1
    }
    return Double(pieces * pieceBytes) / (CPUTime.ownSeconds - start)
  }
}
