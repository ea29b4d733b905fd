// Base 64 (RFC 4648, section 4), as S3 writes checksums and tokens: with padding, and read strictly.

/// Base 64 with the standard alphabet.
package enum Base64 {
  private static let alphabet = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  private static let padding = UInt8(ascii: "=")

  /// The digit of each character, 255 for none.
  private static let values: [UInt8] = {
    var values = [UInt8](repeating: 255, count: 256)
    for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
    return values
  }()

  /// Four characters for each three bytes, the last ones padded with `=`.
  package static func encode(_ bytes: [UInt8]) -> String {
    String(unsafeUninitializedCapacity: (bytes.count + 2) / 3 * 4) { output in
      var position = 0
      for start in stride(from: 0, to: bytes.count, by: 3) {
        let second = start + 1 < bytes.count ? bytes[start + 1] : 0
        let third = start + 2 < bytes.count ? bytes[start + 2] : 0
        let group = Int(bytes[start]) << 16 | Int(second) << 8 | Int(third)
        output[position] = alphabet[group >> 18]
        output[position + 1] = alphabet[group >> 12 & 63]
        output[position + 2] = start + 1 < bytes.count ? alphabet[group >> 6 & 63] : padding
        output[position + 3] = start + 2 < bytes.count ? alphabet[group & 63] : padding
        position += 4
      }
      return position
    }
  }

  /// The bytes that `text` stands for.
  ///
  /// `nil` for missing or misplaced padding, white space, any other character, and bits that are left over
  /// and not zero: each sequence of bytes has one form.
  package static func decode(_ text: some StringProtocol) -> [UInt8]? {
    let characters = Array(text.utf8)
    guard characters.count % 4 == 0 else { return nil }
    let padded = characters.reversed().prefix { $0 == padding }.count
    guard padded <= 2 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(characters.count / 4 * 3)
    var bits: UInt32 = 0
    var pending = 0
    for character in characters.dropLast(padded) {
      let value = values[Int(character)]
      guard value != 255 else { return nil }
      bits = bits << 6 | UInt32(value)
      pending += 6
      if pending >= 8 {
        pending -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(pending)))
      }
    }
    // What is left of the last character's bits must be the padding's own zeros.
    return bits & (1 << UInt32(pending) - 1) == 0 ? bytes : nil
  }
}
