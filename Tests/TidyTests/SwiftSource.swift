// Swift text with its comments and string literals told apart from its code.
//
// A rule such as "no `Task {`" must not fire on a comment that explains the rule. The scanner knows just
// enough of the language for that: line comments, nested block comments, string literals (plain, raw,
// multi-line) with interpolations, whose code stays code. It keeps every line break, so a place in the code is a line
// of the file.

struct SwiftSource {
  /// The file as written, by line.
  let lines: [String]

  /// The same lines with comments and the text of literals replaced by spaces.
  let codeLines: [String]

  init(_ text: String) {
    var scanner = SwiftScanner(text)
    scanner.run()
    lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    codeLines = String(decoding: scanner.code, as: UTF8.self)
      .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  /// The comment that a line carries, or an empty text.
  func comment(onLine index: Int) -> Substring {
    guard lines.indices.contains(index) else { return "" }
    let line = lines[index]
    var previous: Character = " "
    for position in line.indices {
      if previous == "/", line[position] == "/" { return line[line.index(after: position)...] }
      previous = line[position]
    }
    return ""
  }
}

/// A pass over the bytes that copies code and blanks everything else.
private struct SwiftScanner {
  private let bytes: [UInt8]
  private var position = 0
  private(set) var code: [UInt8] = []

  /// Open literals around the present place, outermost first; each waits for its interpolation to end.
  private var interpolations: [Interpolation] = []

  private struct Literal {
    var hashes: Int
    var isMultiline: Bool
  }

  private struct Interpolation {
    var literal: Literal
    var openParentheses: Int
  }

  init(_ text: String) {
    bytes = Array(text.utf8)
    code.reserveCapacity(bytes.count)
  }

  mutating func run() {
    while position < bytes.count {
      if starts(with: "//") {
        blankLineComment()
      } else if starts(with: "/*") {
        blankBlockComment()
      } else if let literal = literalStart() {
        blank(literal)
      } else if !endInterpolation() {
        copy()
      }
    }
  }

  private func starts(with text: StaticString) -> Bool {
    guard bytes.count - position >= text.utf8CodeUnitCount else { return false }
    return text.withUTF8Buffer { expected in
      expected.indices.allSatisfy { bytes[position + $0] == expected[$0] }
    }
  }

  private mutating func copy() {
    code.append(bytes[position])
    position += 1
  }

  private mutating func blank() {
    code.append(bytes[position] == 0x0A ? 0x0A : 0x20)
    position += 1
  }

  private mutating func blankLineComment() {
    while position < bytes.count, bytes[position] != 0x0A { blank() }
  }

  private mutating func blankBlockComment() {
    var depth = 0
    repeat {
      if starts(with: "/*") {
        depth += 1
        blank()
      } else if starts(with: "*/") {
        depth -= 1
        blank()
      }
      if position < bytes.count { blank() }
    } while depth > 0 && position < bytes.count
  }

  /// The literal that begins here, if one does: `"`, `"""`, or either after `#`s.
  private func literalStart() -> Literal? {
    var place = position
    while place < bytes.count, bytes[place] == UInt8(ascii: "#") { place += 1 }
    guard place < bytes.count, bytes[place] == UInt8(ascii: "\"") else { return nil }
    let isMultiline =
      place + 2 < bytes.count && bytes[place + 1] == UInt8(ascii: "\"")
      && bytes[place + 2] == UInt8(ascii: "\"")
    return Literal(hashes: place - position, isMultiline: isMultiline)
  }

  private mutating func blank(_ literal: Literal) {
    for _ in 0..<(literal.hashes + (literal.isMultiline ? 3 : 1)) { blank() }
    blankText(of: literal)
  }

  /// Blanks up to the end of the literal, or up to the code of an interpolation in it.
  private mutating func blankText(of literal: Literal) {
    let quotes = literal.isMultiline ? 3 : 1
    while position < bytes.count {
      if bytes[position] == UInt8(ascii: "\\") {
        if isInterpolation(in: literal) {
          for _ in 0..<(2 + literal.hashes) { blank() }
          interpolations.append(Interpolation(literal: literal, openParentheses: 1))
          return
        }
        blank()
        if literal.hashes == 0, position < bytes.count { blank() }
      } else if closes(literal, quotes: quotes) {
        for _ in 0..<(quotes + literal.hashes) { blank() }
        return
      } else {
        blank()
      }
    }
  }

  private func isInterpolation(in literal: Literal) -> Bool {
    let end = position + literal.hashes + 1
    guard end < bytes.count, bytes[end] == UInt8(ascii: "(") else { return false }
    return bytes[(position + 1)..<end].allSatisfy { $0 == UInt8(ascii: "#") }
  }

  private func closes(_ literal: Literal, quotes: Int) -> Bool {
    let end = position + quotes + literal.hashes
    guard end <= bytes.count else { return false }
    return bytes[position..<(position + quotes)].allSatisfy { $0 == UInt8(ascii: "\"") }
      && bytes[(position + quotes)..<end].allSatisfy { $0 == UInt8(ascii: "#") }
  }

  /// Follows the parentheses of an interpolation; at its end the literal goes on.
  private mutating func endInterpolation() -> Bool {
    guard var innermost = interpolations.last else { return false }
    if bytes[position] == UInt8(ascii: "(") { innermost.openParentheses += 1 }
    if bytes[position] == UInt8(ascii: ")") { innermost.openParentheses -= 1 }
    interpolations[interpolations.count - 1] = innermost
    guard innermost.openParentheses == 0 else { return false }
    interpolations.removeLast()
    blank()
    blankText(of: innermost.literal)
    return true
  }
}
