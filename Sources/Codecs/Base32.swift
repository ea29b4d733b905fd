// Base 32 (RFC 4648, section 6), for what people copy by hand: one case, and no characters that look alike.

/// Base 32 with the standard alphabet, written in upper case without padding and read in either case.
package enum Base32 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)

  /// Why a text is no base 32.
  package enum Failure: Error, Equatable, Sendable {
    /// The byte at this place of the text's UTF-8 is in no alphabet.
    case badCharacter(at: Int)
    /// No bytes have so many characters.
    case badCount
    /// The last character has bits that belong to no byte: another text has the same bytes.
    case leftoverBits
  }

  /// Eight characters for each five bytes; fewer for the last ones.
  package static func encode(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    text.reserveCapacity(characterCount(bytes.count))
    var bits: UInt32 = 0
    var pending: UInt32 = 0
    for byte in bytes {
      bits = bits << 8 | UInt32(byte)
      pending += 8
      while pending >= 5 {
        pending -= 5
        text.append(alphabet[Int(bits >> pending & 31)])
      }
      bits &= (1 << pending) - 1
    }
    if pending > 0 { text.append(alphabet[Int(bits << (5 - pending) & 31)]) }
    return String(decoding: text, as: UTF8.self)
  }

  /// How many characters `byteCount` bytes take.
  package static func characterCount(_ byteCount: Int) -> Int { (byteCount * 8 + 4) / 5 }

  /// The value of a character in either case; `nil` for one that is not in the alphabet.
  package static func value(of character: UInt8) -> UInt8? {
    switch character {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - UInt8(ascii: "A")
    case UInt8(ascii: "a")...UInt8(ascii: "z"): character - UInt8(ascii: "a")
    case UInt8(ascii: "2")...UInt8(ascii: "7"): character - UInt8(ascii: "2") + 26
    default: nil
    }
  }

  /// The bytes that `text` stands for, which has no padding.
  package static func decode(_ text: some StringProtocol) throws(Failure) -> [UInt8] {
    let characters = Array(text.utf8)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(characters.count / 8 * 5 + 5)
    var bits: UInt32 = 0
    var pending: UInt32 = 0
    for (place, character) in characters.enumerated() {
      guard let value = value(of: character) else { throw .badCharacter(at: place) }
      bits = bits << 5 | UInt32(value)
      pending += 5
      if pending >= 8 {
        pending -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> pending))
        bits &= (1 << pending) - 1
      }
    }
    // A whole character more than the bytes need: 1, 3 or 6 behind groups of eight.
    guard pending < 5 else { throw .badCount }
    guard bits == 0 else { throw .leftoverBits }
    return bytes
  }
}
