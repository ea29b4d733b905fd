// Finds the functions of a file and how many lines each body takes.
//
// Works on code without comments and literals (`SwiftSource.codeLines`): from the word `func`, `init`,
// `deinit` or `subscript` to the brace that closes the body. A declaration without a body, as in a
// protocol, ends at the next declaration.

struct FunctionFinder {
  struct Function {
    let name: String
    /// From the line of the opening brace to the line of the closing one.
    let lineCount: Int
  }

  private let text: [Character]
  private var position = 0

  static func functions(in source: SwiftSource) -> [Function] {
    var finder = FunctionFinder(text: Array(source.codeLines.joined(separator: "\n")))
    var found: [Function] = []
    while let word = finder.nextWord() {
      guard word == "func" || word == "init" || word == "deinit" || word == "subscript" else {
        continue
      }
      if let function = finder.function(after: word) { found.append(function) }
    }
    return found
  }

  private init(text: [Character]) { self.text = text }

  private mutating func nextWord() -> String? {
    while position < text.count, !isWordCharacter(text[position]) { position += 1 }
    let start = position
    while position < text.count, isWordCharacter(text[position]) { position += 1 }
    return start < position ? String(text[start..<position]) : nil
  }

  private func isWordCharacter(_ character: Character) -> Bool {
    character.isLetter || character.isNumber || character == "_"
  }

  /// Looks ahead only: the words inside the body are searched for nested functions afterwards.
  private func function(after keyword: String) -> Function? {
    var place = position
    var name = keyword
    if keyword == "func" {
      while place < text.count, text[place] == " " { place += 1 }
      let start = place
      while place < text.count, text[place] != "(", text[place] != "<", text[place] != " " {
        place += 1
      }
      name = String(text[start..<place])
    } else if keyword == "init", isCallOrMember(before: position - keyword.count) {
      return nil
    }
    guard let open = bodyStart(from: place) else { return nil }
    return Function(name: name, lineCount: lineCount(from: open))
  }

  /// `self.init(` and `.init(` are calls.
  private func isCallOrMember(before place: Int) -> Bool { place > 0 && text[place - 1] == "." }

  private func bodyStart(from start: Int) -> Int? {
    var depth = 0
    var place = start
    while place < text.count {
      let character = text[place]
      if character == "(" || character == "[" { depth += 1 }
      if character == ")" || character == "]" { depth -= 1 }
      if depth < 0 { return nil }
      if depth == 0 {
        if character == "{" { return place }
        if character == "}" || character == "=" || character == ";" { return nil }
        if character == "\n", startsDeclaration(after: place) { return nil }
      }
      place += 1
    }
    return nil
  }

  private func startsDeclaration(after place: Int) -> Bool {
    var start = place + 1
    while start < text.count, text[start] == " " { start += 1 }
    var end = start
    while end < text.count, isWordCharacter(text[end]) || text[end] == "@" { end += 1 }
    let word = String(text[start..<end])
    return word.hasPrefix("@") || Self.declarationWords.contains(word)
  }

  private static let declarationWords: Set<String> = [
    "func", "init", "deinit", "subscript", "var", "let", "static", "mutating", "nonisolated",
    "package",
    "private", "public", "internal", "fileprivate", "associatedtype", "typealias", "case",
  ]

  private func lineCount(from open: Int) -> Int {
    var depth = 0
    var lines = 1
    for place in open..<text.count {
      if text[place] == "{" { depth += 1 }
      if text[place] == "}" { depth -= 1 }
      if text[place] == "\n" { lines += 1 }
      if depth == 0 { return lines }
    }
    return lines
  }
}
