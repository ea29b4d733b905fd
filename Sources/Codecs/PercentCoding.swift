// Percent coding: bytes in the paths and queries of URLs (RFC 3986, section 2.1).

import Base

/// Writes and reads `%XX`.
package enum PercentCoding {
  /// A set of ASCII characters that need no escape.
  package struct AllowedBytes: Sendable {
    private let low: UInt64
    private let high: UInt64

    /// The characters of `text`.
    package init(_ text: StaticString) {
      var words: (UInt64, UInt64) = (0, 0)
      text.withUTF8Buffer { characters in
        for character in characters where character < 128 {
          if character < 64 {
            words.0 |= 1 << UInt64(character)
          } else {
            words.1 |= 1 << UInt64(character - 64)
          }
        }
      }
      (low, high) = words
    }

    func contains(_ byte: UInt8) -> Bool {
      if byte < 64 { return low >> UInt64(byte) & 1 == 1 }
      return byte < 128 && high >> UInt64(byte - 64) & 1 == 1
    }

    /// RFC 3986's unreserved characters: what a canonical query of Signature Version 4 leaves alone.
    package static let unreserved = AllowedBytes(
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

    /// The unreserved characters and the slash: what a canonical path of Signature Version 4 and
    /// `encoding-type=url` leave alone.
    package static let unreservedAndSlash = AllowedBytes(
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")
  }

  /// Each byte outside `allowed` as `%` and two uppercase digits.
  package static func encode(
    _ bytes: some Collection<UInt8>, allowed: AllowedBytes = .unreserved
  ) -> String {
    String(unsafeUninitializedCapacity: bytes.count * 3) { buffer in
      var position = 0
      for byte in bytes {
        if allowed.contains(byte) {
          buffer[position] = byte
          position += 1
        } else {
          buffer[position] = UInt8(ascii: "%")
          buffer[position + 1] = upperDigit(byte >> 4)
          buffer[position + 2] = upperDigit(byte & 15)
          position += 3
        }
      }
      return position
    }
  }

  /// Adds the escaped form of `bytes` to `text`.
  package static func append(_ bytes: [UInt8], to text: inout [UInt8], allowed: AllowedBytes) {
    for byte in bytes {
      if allowed.contains(byte) {
        text.append(byte)
      } else {
        text.append(UInt8(ascii: "%"))
        text.append(upperDigit(byte >> 4))
        text.append(upperDigit(byte & 15))
      }
    }
  }

  private static func upperDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") - 10 + value
  }

  /// The UTF-8 of `text`, escaped.
  package static func encode(_ text: String, allowed: AllowedBytes = .unreserved) -> String {
    encode(text.utf8, allowed: allowed)
  }

  /// The bytes that `text` stands for; `nil` when a `%` is not followed by two digits.
  ///
  /// - Parameter plusIsSpace: whether `+` is a space, as in forms and queries.
  package static func decode(
    _ text: some Collection<UInt8>, plusIsSpace: Bool = false
  ) -> [UInt8]? {
    Array(text).withUnsafeBytes { decode($0, plusIsSpace: plusIsSpace) }
  }

  /// As above, of bytes where they lie.
  package static func decode(
    _ text: UnsafeRawBufferPointer, plusIsSpace: Bool = false
  ) -> [UInt8]? {
    // Most paths are all they say.
    if text.offset(of: UInt8(ascii: "%")) == nil, !plusIsSpace { return Array(text) }
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    var index = 0
    while index < text.count {
      let byte = text[index]
      index += 1
      switch byte {
      case UInt8(ascii: "%"):
        guard index + 1 < text.count, let high = Hex.value(of: text[index]),
          let low = Hex.value(of: text[index + 1])
        else { return nil }
        index += 2
        result.append(high << 4 | low)
      case UInt8(ascii: "+") where plusIsSpace: result.append(UInt8(ascii: " "))
      default: result.append(byte)
      }
    }
    return result
  }
}
