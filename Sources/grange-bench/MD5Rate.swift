// What one core can do of MD5: the limit of puts whose ETag is the MD5 of a single stream.

import Codecs
import Crypto

/// The library's MD5, by itself.
enum MD5Rate {
  private static let pieceBytes = 1 << 20

  /// Hashes for `seconds` of CPU time, so that a busy machine measures the same.
  static func measure(seconds: Double) -> String {
    let bytes = ObjectBytes(prefix: "md5", sizeBytes: pieceBytes)
    let digest = Digest(.md5)
    let start = CPUTime.ownSeconds
    var pieces = 0
    while CPUTime.ownSeconds - start < seconds {
      digest.update(bytes.body(pieces))
      pieces += 1
    }
    let rate = Double(pieces * pieceBytes) / (CPUTime.ownSeconds - start)
    let document: JSON = ["op": "md5", "mb_s": .number(rate / 1e6)]
    return document.serialize()
  }
}
