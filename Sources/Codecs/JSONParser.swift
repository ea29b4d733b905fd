// Reads JSON (RFC 8259), strictly.
//
// The input may come from anyone who reaches the admin port. Depth, size and count are bounded, so neither
// the stack nor the heap grows beyond a small multiple of the input. Duplicate names are refused: two
// readers that pick different ones of them would see two different requests.

/// What is wrong with a JSON text, and at which byte.
package struct JSONError: Error, Equatable, Sendable {
  package enum Reason: Equatable, Sendable {
    /// The text ends within a value.
    case truncated
    /// This byte may not stand here.
    case unexpectedByte(UInt8)
    /// A number with a leading zero, a missing digit, or beyond the range of a Double.
    case invalidNumber
    /// A broken escape or half of a surrogate pair.
    case invalidEscape
    /// A string is not UTF-8.
    case invalidUTF8
    /// An object has this name twice.
    case duplicateName(String)
    /// Arrays and objects nest deeper than the limit.
    case tooDeep
    /// The text is longer than the limit.
    case tooLong
  }

  /// What is wrong.
  package var reason: Reason
  /// The offset in bytes.
  package var offset: Int

  package init(reason: Reason, offset: Int) {
    self.reason = reason
    self.offset = offset
  }
}

extension JSONError: CustomStringConvertible {
  package var description: String {
    let what =
      switch reason {
      case .truncated: "the text ends too early"
      case .unexpectedByte(let byte):
        (0x21...0x7E).contains(byte)
          ? "unexpected '\(Character(UnicodeScalar(byte)))'" : "unexpected byte \(byte)"
      case .invalidNumber: "invalid number"
      case .invalidEscape: "invalid escape"
      case .invalidUTF8: "a string is not UTF-8"
      case .duplicateName(let name): "the name \"\(name)\" appears twice"
      case .tooDeep: "too many levels"
      case .tooLong: "the text is too long"
      }
    return "\(what) (at byte \(offset))"
  }
}

extension JSON {
  /// Bounds on what a text may hold.
  package struct Limits: Sendable {
    /// Bytes of text: 1 MiB, far above any request of the admin interface.
    package var bytesMax = 1 << 20
    /// Levels of arrays and objects: each costs a stack frame.
    package var depthMax = 64

    package init(bytesMax: Int = 1 << 20, depthMax: Int = 64) {
      self.bytesMax = bytesMax
      self.depthMax = depthMax
    }
  }

  /// The value that `bytes` stand for, with nothing but white space around it.
  package static func parse(
    _ bytes: [UInt8], limits: Limits = Limits()
  ) throws(JSONError) -> JSON {
    guard bytes.count <= limits.bytesMax else {
      throw JSONError(reason: .tooLong, offset: limits.bytesMax)
    }
    return try bytes.withUnsafeBufferPointer { buffer throws(JSONError) -> JSON in
      var parser = JSONParser(input: buffer, depthMax: limits.depthMax)
      return try parser.document()
    }
  }

  /// The value that `text` stands for.
  package static func parse(
    _ text: String, limits: Limits = Limits()
  ) throws(JSONError) -> JSON {
    try parse(Array(text.utf8), limits: limits)
  }
}

private struct JSONParser {
  let input: UnsafeBufferPointer<UInt8>
  let depthMax: Int
  var position = 0

  init(input: UnsafeBufferPointer<UInt8>, depthMax: Int) {
    self.input = input
    self.depthMax = depthMax
  }

  mutating func document() throws(JSONError) -> JSON {
    let value = try value(depth: 0)
    skipSpace()
    if position < input.count { throw unexpected() }
    return value
  }

  private var current: UInt8? { position < input.count ? input[position] : nil }

  private func failure(_ reason: JSONError.Reason) -> JSONError {
    JSONError(reason: reason, offset: position)
  }

  private func unexpected() -> JSONError {
    failure(current.map { .unexpectedByte($0) } ?? .truncated)
  }

  private mutating func skipSpace() {
    while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      position += 1
    }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard current == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func value(depth: Int) throws(JSONError) -> JSON {
    skipSpace()
    switch current {
    case UInt8(ascii: "{"): return try object(depth: depth + 1)
    case UInt8(ascii: "["): return try array(depth: depth + 1)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case .some(UInt8(ascii: "-")), .some(0x30...0x39): return try number()
    default: throw unexpected()
    }
  }

  private mutating func word(_ word: StaticString, _ value: JSON) throws(JSONError) -> JSON {
    for index in 0..<word.utf8CodeUnitCount {
      guard current == word.withUTF8Buffer({ $0[index] }) else { throw unexpected() }
      position += 1
    }
    return value
  }

  private mutating func array(depth: Int) throws(JSONError) -> JSON {
    guard depth <= depthMax else { throw failure(.tooDeep) }
    position += 1
    var elements: [JSON] = []
    skipSpace()
    if take("]") { return .array(elements) }
    while true {
      elements.append(try value(depth: depth))
      skipSpace()
      if take("]") { return .array(elements) }
      guard take(",") else { throw unexpected() }
    }
  }

  private mutating func object(depth: Int) throws(JSONError) -> JSON {
    guard depth <= depthMax else { throw failure(.tooDeep) }
    position += 1
    var members: [JSON.Member] = []
    var names: Set<[UInt8]> = []
    skipSpace()
    if take("}") { return .object(members) }
    while true {
      skipSpace()
      guard current == UInt8(ascii: "\"") else { throw unexpected() }
      let start = position
      let name = try string()
      guard names.insert(Array(name.utf8)).inserted else {
        throw JSONError(reason: .duplicateName(name), offset: start)
      }
      skipSpace()
      guard take(":") else { throw unexpected() }
      members.append(JSON.Member(name, try value(depth: depth)))
      skipSpace()
      if take("}") { return .object(members) }
      guard take(",") else { throw unexpected() }
    }
  }

  private mutating func digits() throws(JSONError) {
    let start = position
    while let byte = current, (0x30...0x39).contains(byte) { position += 1 }
    if position == start { throw current == nil ? failure(.truncated) : failure(.invalidNumber) }
  }

  private mutating func number() throws(JSONError) -> JSON {
    let start = position
    _ = take("-")
    if take("0") {
      if let byte = current, (0x30...0x39).contains(byte) { throw failure(.invalidNumber) }
    } else {
      try digits()
    }
    var isInteger = true
    if take(".") {
      isInteger = false
      try digits()
    }
    if take("e") || take("E") {
      isInteger = false
      if !take("+") { _ = take("-") }
      try digits()
    }
    let text = String(decoding: input[start..<position], as: UTF8.self)
    if isInteger, let integer = Int64(text) { return .integer(integer) }
    guard let double = Double(text), double.isFinite else {
      throw JSONError(reason: .invalidNumber, offset: start)
    }
    return .number(double)
  }

  private mutating func string() throws(JSONError) -> String {
    let start = position
    position += 1
    var bytes: [UInt8] = []
    while true {
      let runStart = position
      while let byte = current, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20
      {
        position += 1
      }
      bytes.append(contentsOf: input[runStart..<position])
      if take("\"") { break }
      guard take("\\") else { throw unexpected() }
      try escape(to: &bytes)
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw JSONError(reason: .invalidUTF8, offset: start)
    }
    return text
  }

  private mutating func escape(to bytes: inout [UInt8]) throws(JSONError) {
    guard let byte = current else { throw failure(.truncated) }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(byte)
    case UInt8(ascii: "b"): bytes.append(0x08)
    case UInt8(ascii: "f"): bytes.append(0x0C)
    case UInt8(ascii: "n"): bytes.append(0x0A)
    case UInt8(ascii: "r"): bytes.append(0x0D)
    case UInt8(ascii: "t"): bytes.append(0x09)
    case UInt8(ascii: "u"):
      var code = try fourDigits()
      if (0xD800...0xDBFF).contains(code) {
        guard take("\\"), take("u") else { throw failure(.invalidEscape) }
        let low = try fourDigits()
        guard (0xDC00...0xDFFF).contains(low) else { throw failure(.invalidEscape) }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw failure(.invalidEscape) }
      bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.EncodedScalar())
    default: throw failure(.invalidEscape)
    }
  }

  private mutating func fourDigits() throws(JSONError) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = current else { throw failure(.truncated) }
      guard let digit = Character(UnicodeScalar(byte)).hexDigitValue, byte < 0x80 else {
        throw failure(.invalidEscape)
      }
      code = code << 4 | UInt32(digit)
      position += 1
    }
    return code
  }
}
