// Reads tokens as people paste them.

private import Codecs
private import Crypto

/// Why a text is no token, each with its own way out.
package enum JoinTokenError: Error, Equatable, Sendable {
  /// Nothing but white space.
  case empty
  /// It does not begin with `GRANGE1:`.
  case noPrefix
  /// It begins like a token of another version of Grange: its prefix.
  case otherVersion(String)
  /// A character that no token has, and its place among those that are no white space, from 1.
  case badCharacter(Character, place: Int)
  /// The end is missing: how many characters there are, and should be.
  case truncated(characters: Int, expected: Int)
  /// Some character is wrong, missing or too much.
  case mistyped
  /// It was made like this, by another program or a newer version.
  case unknownContent
}

extension JoinTokenError: CustomStringConvertible {
  /// What happened, and what to do.
  package var description: String {
    switch self {
    case .empty: "the token is empty: paste the line that begins with \(JoinToken.prefix)"
    case .noPrefix:
      "this is no token: one begins with \(JoinToken.prefix); copy the whole line that `grange invite` printed"
    case .otherVersion(let prefix):
      "the token begins with \(prefix) and this version of grange reads \(JoinToken.prefix) only: install the version "
        + "that made it"
    case .badCharacter(let character, let place):
      "character \(place) of the token is \(Self.shown(character)), which no token has"
        + Self.hint(character) + ": copy the token again"
    case .truncated(let characters, let expected):
      "the token's end is missing (\(characters) of \(expected) characters): copy the whole line"
    case .mistyped:
      "the token is mistyped: a character is wrong, missing or too much; copy it again instead of typing it"
    case .unknownContent:
      "the token is whole, but holds something that this version of grange does not know: install the version "
        + "that made it"
    }
  }

  private static func shown(_ character: Character) -> String {
    guard let scalar = character.unicodeScalars.first else { return "nothing" }
    let code = "U+" + String(scalar.value, radix: 16, uppercase: true)
    return scalar.isASCII && scalar.value > 0x20 && scalar.value < 0x7F ? "'\(scalar)'" : code
  }

  private static func hint(_ character: Character) -> String {
    switch character {
    case "0": " (is it the letter O?)"
    case "1": " (is it the letter I or L?)"
    case "8": " (is it the letter B?)"
    default: ""
    }
  }
}

extension JoinToken {
  /// The most bytes that are looked at: a token broken into lines, each with white space around it.
  private static let inputBytesMax = 8 << 10

  /// Reads a token in either case; white space and line breaks are ignored wherever they are.
  package init(reading input: String) throws(JoinTokenError) {
    guard input.utf8.count <= Self.inputBytesMax else {
      throw input.prefix(8).uppercased() == Self.prefix ? .mistyped : .noPrefix
    }
    // By scalars: a carriage return and a line feed are one character.
    let scalars = input.unicodeScalars.filter { !Self.isBlank($0) }
    if scalars.isEmpty { throw .empty }
    let characters = try Self.withoutPrefix(scalars)
    self = try Self.decoded(characters, skipped: scalars.count - characters.count)
  }

  private static func isBlank(_ scalar: Unicode.Scalar) -> Bool {
    // Some programs put these between the characters of long words, or before a text.
    scalar.properties.isWhitespace || [0x200B, 0x2060, 0xFEFF].contains(scalar.value)
  }

  private static func withoutPrefix(
    _ scalars: String.UnicodeScalarView
  ) throws(JoinTokenError) -> Substring.UnicodeScalarView {
    guard let colon = scalars.firstIndex(of: ":") else {
      let start = String(scalars.prefix(prefix.count)).uppercased()
      // A few letters of the prefix: the rest is missing.
      if prefix.hasPrefix(start) {
        throw .truncated(characters: scalars.count, expected: prefix.utf8.count + 1)
      }
      throw .noPrefix
    }
    let start = String(scalars[...colon]).uppercased()
    if start == prefix { return scalars[scalars.index(after: colon)...] }
    let version = start.dropFirst("GRANGE".count).dropLast()
    let isVersion =
      (1...3).contains(version.utf8.count) && version.utf8.allSatisfy { 48...57 ~= $0 }
    throw start.hasPrefix("GRANGE") && isVersion ? .otherVersion(start) : .noPrefix
  }

  /// - Parameter skipped: How many characters come before.
  private static func decoded(
    _ scalars: Substring.UnicodeScalarView, skipped: Int
  ) throws(JoinTokenError) -> JoinToken {
    for (place, scalar) in scalars.enumerated()
    where !scalar.isASCII || Base32.value(of: UInt8(truncatingIfNeeded: scalar.value)) == nil {
      throw .badCharacter(Character(scalar), place: skipped + place + 1)
    }
    let text = String(Substring(scalars))
    let found = skipped + scalars.count
    // The length is in the first 16 of the 20 bits of four characters.
    let head = text.utf8.prefix(4).reduce(0) { $0 << 5 | Int(Base32.value(of: $1) ?? 0) } >> 4
    guard scalars.count >= 4 else { throw .truncated(characters: found, expected: shortest) }
    guard head > 2 + checksumBytes, head <= bytesMax else { throw .mistyped }
    let expected = skipped + Base32.characterCount(head)
    guard found >= expected else { throw .truncated(characters: found, expected: expected) }
    guard let bytes = try? Base32.decode(text), bytes.count == head else { throw .mistyped }
    let end = head - checksumBytes
    guard checksum(Array(bytes[..<end])) == Array(bytes[end...]) else { throw .mistyped }
    do {
      return try JoinToken(body: bytes[2..<end])
    } catch {
      throw .unknownContent
    }
  }

  /// The characters of a token without peers.
  private static var shortest: Int { prefix.utf8.count + Base32.characterCount(77) }
}
