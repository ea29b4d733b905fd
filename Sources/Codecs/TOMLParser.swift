// Reads TOML 1.0: lines, keys, headers and containers. Strings and scalars are in the files beside this one,
// the rules about tables in TOMLTableBuilder.swift.

/// A position in a document, and what was read before it.
struct TOMLParser {
  /// Levels of arrays, inline tables and dotted keys: each costs stack frames.
  static let depthMax = 100

  let input: [UInt8]
  var position = 0
  private var line = 1
  private var lineStart = 0

  private let root = TOMLTableBuilder(origin: .header, line: 1)
  /// The table that the last header opened.
  private var open: TOMLTableBuilder
  /// The number of that header: dotted keys extend only what their own section made.
  private var openSection = 0
  /// How many headers and inline tables there were.
  private var sectionCount = 0

  init(_ input: [UInt8]) {
    self.input = input
    open = root
    // A byte order mark, which some editors leave.
    if input.starts(with: [0xEF, 0xBB, 0xBF]) {
      position = 3
      lineStart = 3
    }
  }

  /// The whole document.
  mutating func document() throws(TOMLError) -> TOMLTable {
    try checkText()
    while true {
      skipSpace()
      guard let byte = current else { return root.table }
      switch byte {
      case UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "#"): try endLine()
      case UInt8(ascii: "["):
        try header()
        try endLine()
      default:
        try keyAndValue(into: open, section: openSection, depth: 0)
        try endLine()
      }
    }
  }

  /// The encoding is checked once, so that the rest may treat text as bytes.
  private mutating func checkText() throws(TOMLError) {
    if String(validating: input, as: UTF8.self) != nil { return }
    var start = position
    while start < input.count {
      let end = input[start...].firstIndex(of: UInt8(ascii: "\n")) ?? input.count
      if String(validating: input[start..<end], as: UTF8.self) == nil {
        lineStart = start
        position = start
        throw failure("this line is not valid UTF-8")
      }
      start = end + 1
      line += 1
    }
    throw failure("the file is not valid UTF-8")
  }

  // MARK: Characters

  var current: UInt8? { position < input.count ? input[position] : nil }

  func peek(_ distance: Int) -> UInt8? {
    position + distance < input.count ? input[position + distance] : nil
  }

  func failure(_ message: String, at offset: Int? = nil) -> TOMLError {
    let end = min(max(offset ?? position, lineStart), input.count)
    let scalars = input[lineStart..<end].count { $0 & 0xC0 != 0x80 }
    return TOMLError(line: line, column: scalars + 1, message: message)
  }

  /// "expected X, found Y" at the current place.
  func expected(_ what: String) -> TOMLError {
    switch current {
    case nil: failure("expected \(what), but the file ends here")
    case UInt8(ascii: "\n"), UInt8(ascii: "\r"):
      failure("expected \(what), but the line ends here")
    case .some(let byte) where (0x21...0x7E).contains(byte):
      failure("expected \(what), found '\(Character(UnicodeScalar(byte)))'")
    case .some: failure("expected \(what)")
    }
  }

  mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard current == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  mutating func skipSpace() {
    while let byte = current, byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") {
      position += 1
    }
  }

  /// Takes LF or CR LF.
  mutating func takeNewLine() throws(TOMLError) -> Bool {
    if current == UInt8(ascii: "\r") {
      guard peek(1) == UInt8(ascii: "\n") else {
        throw failure("a carriage return may stand only at the end of a line")
      }
      position += 1
    }
    guard take("\n") else { return false }
    line += 1
    lineStart = position
    return true
  }

  private mutating func skipComment() throws(TOMLError) {
    guard take("#") else { return }
    while let byte = current, byte != UInt8(ascii: "\n") {
      if byte == UInt8(ascii: "\r"), peek(1) == UInt8(ascii: "\n") { return }
      guard !Self.isForbidden(byte) else { throw failure("a control character in a comment") }
      position += 1
    }
  }

  static func isForbidden(_ byte: UInt8) -> Bool {
    (byte < 0x20 && byte != UInt8(ascii: "\t")) || byte == 0x7F
  }

  private mutating func endLine() throws(TOMLError) {
    skipSpace()
    try skipComment()
    if try takeNewLine() { return }
    if current != nil { throw expected("the end of the line") }
  }

  /// White space, comments and ends of lines between the elements of an array.
  private mutating func skipLines() throws(TOMLError) {
    repeat {
      skipSpace()
      try skipComment()
    } while try takeNewLine()
  }

  // MARK: Keys and tables

  private mutating func header() throws(TOMLError) {
    let start = position
    position += 1
    let isArray = take("[")
    skipSpace()
    let path = try keyPath()
    guard take("]"), !isArray || take("]") else { throw expected(isArray ? "]]" : "]") }
    sectionCount += 1
    openSection = sectionCount
    var table = root
    for key in path.dropLast() {
      guard let next = table.descendForHeader(key, line: line) else {
        throw failure("'\(key)' is already defined, and not as a table that can grow", at: start)
      }
      table = next
    }
    guard let last = path.last else { throw failure("a header needs a name", at: start) }
    let opened =
      isArray ? table.appendTable(last, line: line) : table.openTable(last, line: line)
    guard let opened else {
      throw failure("'\(path.joined(separator: "."))' is already defined", at: start)
    }
    open = opened
  }

  private mutating func keyPath() throws(TOMLError) -> [String] {
    var path: [String] = []
    repeat {
      guard path.count < Self.depthMax else { throw failure("too many levels") }
      skipSpace()
      path.append(try key())
      skipSpace()
    } while take(".")
    return path
  }

  private mutating func key() throws(TOMLError) -> String {
    switch current {
    case UInt8(ascii: "\""): return try basicString()
    case UInt8(ascii: "'"): return try literalString()
    default:
      let start = position
      while let byte = current, Self.isBare(byte) { position += 1 }
      guard position > start else { throw expected("a key") }
      return String(decoding: input[start..<position], as: UTF8.self)
    }
  }

  private static func isBare(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }

  private mutating func keyAndValue(
    into outer: TOMLTableBuilder, section: Int, depth: Int
  ) throws(TOMLError) {
    let start = position
    let path = try keyPath()
    guard take("=") else { throw expected("'=' after the key") }
    var table = outer
    for key in path.dropLast() {
      guard let next = table.descendForDottedKey(key, section: section, line: line) else {
        throw failure("'\(key)' is already defined, and dotted keys cannot add to it", at: start)
      }
      table = next
    }
    guard let last = path.last, table[last] == nil else {
      throw failure("'\(path.joined(separator: "."))' is already defined", at: start)
    }
    skipSpace()
    table.add(last, try value(depth: depth + path.count))
  }

  // MARK: Containers

  private mutating func value(depth: Int) throws(TOMLError) -> TOMLTableBuilder.Slot {
    guard depth <= Self.depthMax else { throw failure("too many levels") }
    let line = line
    switch current {
    case UInt8(ascii: "{"): return .table(try inlineTable(depth: depth))
    case UInt8(ascii: "["): return .value(TOMLValue(.array(try array(depth: depth)), line: line))
    default: return .value(TOMLValue(try scalar(), line: line))
    }
  }

  private mutating func array(depth: Int) throws(TOMLError) -> [TOMLValue] {
    position += 1
    var elements: [TOMLValue] = []
    while true {
      try skipLines()
      if take("]") { return elements }
      switch try value(depth: depth + 1) {
      case .value(let value): elements.append(value)
      case .table(let table): elements.append(TOMLValue(.table(table.table), line: table.line))
      case .tables: break
      }
      try skipLines()
      if take("]") { return elements }
      guard take(",") else { throw expected("',' or ']' in the array") }
    }
  }

  private mutating func inlineTable(depth: Int) throws(TOMLError) -> TOMLTableBuilder {
    let table = TOMLTableBuilder(origin: .inline, line: line)
    position += 1
    sectionCount += 1
    let section = sectionCount
    skipSpace()
    if take("}") { return table }
    while true {
      skipSpace()
      try keyAndValue(into: table, section: section, depth: depth)
      skipSpace()
      if take("}") { break }
      guard take(",") else { throw expected("',' or '}' in the inline table") }
    }
    // What dotted keys made inside is closed with it: the section's number never comes back, and
    // headers cannot pass through `table`.
    return table
  }
}
