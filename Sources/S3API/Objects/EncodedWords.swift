// Encoded words (RFC 2047): how text that is not ASCII travels in a header field, as in `=?UTF-8?Q?caf=C3=A9?=`.
//
// S3 decodes them in the metadata that it stores, and encodes what it gives back
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html). Programs that take only ASCII in a
// header could not read the object otherwise.
//
// Invariants:
//   1. What is encoded is printable ASCII without white space at its ends, whatever the bytes.
//   2. What was encoded decodes to the same text.
//   3. What is no well-formed encoded word stays as it is, byte for byte.

import Base
import Crypto

/// Reads and writes encoded words.
package enum EncodedWords {
  /// RFC 2047, section 2: strict readers take no longer word.
  private static let wordCharactersMax = 75
  /// `=?UTF-8?Q?` and `?=`.
  private static let frameCharacters = 12
  /// How many characters of a word are text: 63, or with base 64 the 60 of 45 bytes.
  private static let textCharactersMax = wordCharactersMax - frameCharacters

  /// Charsets that are read; words in another stay as they are.
  private enum Charset {
    case utf8, ascii, latin1
  }

  // MARK: Decoding

  /// The text of a field's value, in UTF-8.
  ///
  /// Bytes that are not ASCII are UTF-8; if that cannot be, Latin-1, which HTTP once had in headers.
  package static func decode(_ value: [UInt8]) -> [UInt8] {
    let text = utf8(value)
    guard holdsMark(text) else { return text }
    var decoded: [UInt8] = []
    var run = Run()
    var rest = text[...]
    while !rest.isEmpty {
      let gap = rest.prefix(while: isWhiteSpace)
      rest = rest.dropFirst(gap.count)
      let token = rest.prefix { !isWhiteSpace($0) }
      rest = rest.dropFirst(token.count)
      if let bytes = word(token) {
        run.add(bytes, gap, token)
      } else {
        run.finish(into: &decoded)
        decoded += gap
        decoded += token
      }
    }
    run.finish(into: &decoded)
    return decoded
  }

  /// Words that follow each other: the white space between them is none of the text, and a character may begin in
  /// one and end in the next, although it should not.
  private struct Run {
    private var gap: ArraySlice<UInt8> = []
    private var bytes: [UInt8] = []
    private var source: [UInt8] = []

    mutating func add(_ word: [UInt8], _ gap: ArraySlice<UInt8>, _ token: ArraySlice<UInt8>) {
      if source.isEmpty { self.gap = gap } else { source += gap }
      source += token
      bytes += word
    }

    mutating func finish(into text: inout [UInt8]) {
      if source.isEmpty { return }
      text += gap
      text += String(validating: bytes, as: UTF8.self) == nil ? source : bytes
      self = Run()
    }
  }

  /// The bytes of an encoded word, those of Latin-1 in UTF-8; `nil` when `token` is none.
  private static func word(_ token: ArraySlice<UInt8>) -> [UInt8]? {
    guard token.count > frameCharacters - "UTF-8".utf8.count, token.starts(with: "=?".utf8),
      token.suffix(2).elementsEqual("?=".utf8)
    else { return nil }
    let fields = token.dropFirst(2).dropLast(2)
      .split(separator: UInt8(ascii: "?"), omittingEmptySubsequences: false)
    guard fields.count == 3, let charset = charset(fields[0]), fields[1].count == 1,
      !fields[2].isEmpty
    else { return nil }
    let bytes: [UInt8]? =
      switch fields[1].first?.asciiLowercased {
      case UInt8(ascii: "b"): Base64.decode(String(decoding: fields[2], as: UTF8.self))
      case UInt8(ascii: "q"): quoted(fields[2])
      default: nil
      }
    guard let bytes else { return nil }
    switch charset {
    case .utf8: return bytes
    case .ascii: return bytes.allSatisfy { $0 < 0x80 } ? bytes : nil
    case .latin1: return latin1(bytes)
    }
  }

  /// The charset with this name, which may name a language too (RFC 2231, section 5).
  private static func charset(_ name: ArraySlice<UInt8>) -> Charset? {
    let name = Array(name.prefix { $0 != UInt8(ascii: "*") })
    return name.withUnsafeBytes { name in
      if name.spellsIgnoringCase("utf-8") { return .utf8 }
      if name.spellsIgnoringCase("us-ascii") { return .ascii }
      return name.spellsIgnoringCase("iso-8859-1") ? .latin1 : nil
    }
  }

  /// What the encoding Q stands for (section 4.2).
  private static func quoted(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    var bytes: [UInt8] = []
    var rest = text
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "_"): bytes.append(UInt8(ascii: " "))
      case UInt8(ascii: "="):
        guard let value = Hex.decode(String(decoding: rest.prefix(2), as: UTF8.self)),
          value.count == 1
        else { return nil }
        bytes += value
        rest = rest.dropFirst(2)
      case 0x21...0x7E: bytes.append(byte)
      default: return nil
      }
    }
    return bytes
  }

  private static func holdsMark(_ text: [UInt8]) -> Bool {
    text.withUnsafeBytes { bytes in
      var rest = bytes
      while let place = rest.offset(of: UInt8(ascii: "=")) {
        rest = rest.from(place + 1)
        if rest.first == UInt8(ascii: "?") { return true }
      }
      return false
    }
  }

  // MARK: Encoding

  /// The value of a field that gives `text` back: the text itself, if a field can hold it.
  ///
  /// Bytes that are not UTF-8 are read as Latin-1.
  package static func encode(_ text: [UInt8]) -> [UInt8] {
    guard needsEncoding(text) else { return text }
    let text = utf8(text)
    // The shorter one; AWS writes the same for most texts.
    let isQuoted =
      text.reduce(0) { $0 + quotedCharacters(of: $1) } <= (text.count + 2) / 3 * 4
    var words: [UInt8] = []
    var rest = text[...]
    while !rest.isEmpty {
      let piece = rest.prefix(length(ofPiece: rest, isQuoted: isQuoted))
      rest = rest.dropFirst(piece.count)
      if !words.isEmpty { words.append(UInt8(ascii: " ")) }
      words += (isQuoted ? "=?UTF-8?Q?" : "=?UTF-8?B?").utf8
      if isQuoted {
        for byte in piece { appendQuoted(byte, to: &words) }
      } else {
        words += Base64.encode(Array(piece)).utf8
      }
      words += "?=".utf8
    }
    return words
  }

  /// Whether a header field cannot hold `text` as it is.
  package static func needsEncoding(_ text: [UInt8]) -> Bool {
    guard let first = text.first, let last = text.last else { return false }
    return isWhiteSpace(first) || isWhiteSpace(last)
      || !text.allSatisfy { (0x20...0x7E).contains($0) || $0 == UInt8(ascii: "\t") }
  }

  /// How many of the bytes fit into one word, cut between two characters.
  private static func length(ofPiece text: ArraySlice<UInt8>, isQuoted: Bool) -> Int {
    var length = 0
    var characters = 0
    for (index, byte) in text.enumerated() {
      characters =
        isQuoted ? characters + quotedCharacters(of: byte) : (index + 3) / 3 * 4
      if characters > textCharactersMax { return length }
      let next = text.dropFirst(index + 1).first
      // Bytes that continue a character are 10xxxxxx.
      if next.map({ $0 & 0xC0 != 0x80 }) ?? true { length = index + 1 }
    }
    return length
  }

  private static func isQuotedAsItIs(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "="), UInt8(ascii: "?"), UInt8(ascii: "_"): false
    default: (0x21...0x7E).contains(byte)
    }
  }

  private static func quotedCharacters(of byte: UInt8) -> Int {
    byte == UInt8(ascii: " ") || isQuotedAsItIs(byte) ? 1 : 3
  }

  private static func appendQuoted(_ byte: UInt8, to text: inout [UInt8]) {
    if byte == UInt8(ascii: " ") {
      text.append(UInt8(ascii: "_"))
    } else if isQuotedAsItIs(byte) {
      text.append(byte)
    } else {
      text.append(UInt8(ascii: "="))
      text += Hex.encode([byte]).uppercased().utf8
    }
  }

  // MARK: Bytes

  private static func isWhiteSpace(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
  }

  private static func utf8(_ bytes: [UInt8]) -> [UInt8] {
    if bytes.allSatisfy({ $0 < 0x80 }) { return bytes }
    return String(validating: bytes, as: UTF8.self) == nil ? latin1(bytes) : bytes
  }

  /// Bytes of Latin-1 as UTF-8.
  private static func latin1(_ bytes: [UInt8]) -> [UInt8] {
    bytes.flatMap { byte in
      byte < 0x80 ? [byte] : [0xC0 | byte >> 6, 0x80 | byte & 0x3F]
    }
  }
}
