// The four kinds of TOML strings.

private import Base

extension TOMLParser {
  /// A string of any kind, at its first quote.
  mutating func string() throws(TOMLError) -> String {
    let quote = current
    let isMultiline = peek(1) == quote && peek(2) == quote
    switch (quote == UInt8(ascii: "\""), isMultiline) {
    case (true, false): return try basicString()
    case (false, false): return try literalString()
    case (true, true): return try multilineString(quote: "\"")
    case (false, true): return try multilineString(quote: "'")
    }
  }

  /// `"..."`, with escapes.
  mutating func basicString() throws(TOMLError) -> String {
    let start = position
    position += 1
    var bytes: [UInt8] = []
    while let byte = current {
      if take("\"") { return String(decoding: bytes, as: UTF8.self) }
      if byte == UInt8(ascii: "\\") {
        try escape(to: &bytes)
      } else {
        try copy(byte, to: &bytes)
      }
    }
    throw failure("this string has no end", at: start)
  }

  /// `'...'`, taken as it stands.
  mutating func literalString() throws(TOMLError) -> String {
    let start = position
    position += 1
    var bytes: [UInt8] = []
    while let byte = current {
      if take("'") { return String(decoding: bytes, as: UTF8.self) }
      try copy(byte, to: &bytes)
    }
    throw failure("this string has no end", at: start)
  }

  private mutating func copy(_ byte: UInt8, to bytes: inout [UInt8]) throws(TOMLError) {
    if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
      throw failure("this string has no end on its line")
    }
    guard !Self.isForbidden(byte) else { throw failure("a control character in a string") }
    bytes.append(byte)
    position += 1
  }

  /// `"""..."""` or `'''...'''`: over several lines, ends of lines read as LF.
  private mutating func multilineString(quote: Unicode.Scalar) throws(TOMLError) -> String {
    let start = failure("this string has no end")
    position += 3
    _ = try takeNewLine()
    var bytes: [UInt8] = []
    while let byte = current {
      if byte == UInt8(ascii: quote) {
        if takeEnd(quote: byte, to: &bytes) { return String(decoding: bytes, as: UTF8.self) }
      } else if try takeNewLine() {
        bytes.append(UInt8(ascii: "\n"))
      } else if byte == UInt8(ascii: "\\"), quote == "\"" {
        if try !takeLineContinuation() { try escape(to: &bytes) }
      } else {
        try copy(byte, to: &bytes)
      }
    }
    throw start
  }

  /// Takes a run of quotes; up to two before the closing three belong to the text.
  private mutating func takeEnd(quote: UInt8, to bytes: inout [UInt8]) -> Bool {
    var count = 0
    while count < 5, current == quote {
      position += 1
      count += 1
    }
    let isEnd = count >= 3
    bytes.append(contentsOf: repeatElement(quote, count: isEnd ? count - 3 : count))
    return isEnd
  }

  /// A backslash at the end of a line removes all white space up to the next character.
  private mutating func takeLineContinuation() throws(TOMLError) -> Bool {
    let start = position
    position += 1
    skipSpace()
    guard try takeNewLine() else {
      position = start
      return false
    }
    repeat { skipSpace() } while try takeNewLine()
    return true
  }

  private mutating func escape(to bytes: inout [UInt8]) throws(TOMLError) {
    let start = position
    position += 1
    guard let byte = current else { throw expected("a character after '\\'") }
    position += 1
    switch byte {
    case UInt8(ascii: "b"): bytes.append(0x08)
    case UInt8(ascii: "t"): bytes.append(0x09)
    case UInt8(ascii: "n"): bytes.append(0x0A)
    case UInt8(ascii: "f"): bytes.append(0x0C)
    case UInt8(ascii: "r"): bytes.append(0x0D)
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
    case UInt8(ascii: "u"): try unicodeEscape(digits: 4, start: start, to: &bytes)
    case UInt8(ascii: "U"): try unicodeEscape(digits: 8, start: start, to: &bytes)
    default:
      throw failure(
        "unknown escape; a backslash in a path is written '\\\\', or the string in single quotes",
        at: start)
    }
  }

  private mutating func unicodeEscape(
    digits: Int, start: Int, to bytes: inout [UInt8]
  ) throws(TOMLError) {
    var code: UInt32 = 0
    for _ in 0..<digits {
      guard let byte = current, let digit = Self.digit(byte, radix: 16) else {
        throw expected("a hexadecimal digit")
      }
      code = code << 4 | UInt32(digit)
      position += 1
    }
    guard let scalar = Unicode.Scalar(code), let encoded = UTF8.encode(scalar) else {
      throw failure("this escape is no Unicode character", at: start)
    }
    bytes.append(contentsOf: encoded)
  }

  /// The value of a digit in `radix`, at most 16.
  static func digit(_ byte: UInt8, radix: UInt8) -> UInt8? {
    guard let value = Hex.value(of: byte), value < radix else { return nil }
    return value
  }
}
