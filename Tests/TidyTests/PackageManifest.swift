// What Package.swift says of each target, read from its text.
//
// `swift package dump-package` would be exact and takes seconds and a compiler. The manifest is our own
// and regular: a call such as layer("Name", ["A", "B"]) for each target.

struct PackageManifest {
  /// Dependencies by target name; C modules have none.
  private(set) var dependencies: [String: [String]] = [:]

  /// The calls that make a target in our manifest.
  static let constructors = ["layer", "tests", "program", ".systemLibrary", ".target"]

  init(_ text: String) throws {
    for constructor in Self.constructors {
      for call in Self.calls(of: constructor, in: text) { record(call, constructor) }
    }
  }

  private mutating func record(_ call: Substring, _ constructor: String) {
    let strings = Self.strings(in: call)
    guard let name = strings.first else { return }
    if constructor.hasPrefix(".") {
      dependencies[name] = []
      return
    }
    guard let open = call.firstIndex(of: "["), let close = call.firstIndex(of: "]") else { return }
    dependencies[name] = Self.strings(in: call[open...close])
  }

  /// The argument texts of every call of `function` whose first argument is a literal.
  private static func calls(of function: String, in text: String) -> [Substring] {
    var found: [Substring] = []
    var rest = text[...]
    while let match = rest.firstRange(of: function + "(") {
      let before =
        match.lowerBound == text.startIndex
        ? " " : text[text.index(before: match.lowerBound)]
      rest = rest[match.upperBound...]
      let isWholeWord = !(before.isLetter || before == ".")
      guard isWholeWord, let end = matchingParenthesis(in: rest) else { continue }
      let arguments = rest[..<end]
      let first = arguments.drop { $0.isWhitespace }
      if first.hasPrefix("\"") || first.hasPrefix("name: \"") { found.append(arguments) }
    }
    return found
  }

  private static func matchingParenthesis(in text: Substring) -> Substring.Index? {
    var depth = 1
    for index in text.indices {
      if text[index] == "(" { depth += 1 }
      if text[index] == ")" { depth -= 1 }
      if depth == 0 { return index }
    }
    return nil
  }

  private static func strings(in text: Substring) -> [String] {
    let pieces = text.split(separator: "\"", omittingEmptySubsequences: false)
    return pieces.indices.filter { $0 % 2 == 1 }.map { String(pieces[$0]) }
  }
}
