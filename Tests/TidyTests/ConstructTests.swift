// Constructs that the language allows and this project does not, each with its reason.

import Testing

@Suite struct ConstructTests {
  struct Ban {
    let text: String
    let reason: String
    var exceptions: Set<String> = []
  }

  static let bans = [
    Ban(
      text: "Task {", reason: "leaves for the global pool and escapes the simulator: Runtime.spawn",
      exceptions: []),
    Ban(text: "Task(priority", reason: "leaves for the global pool: Runtime.spawn"),
    Ban(text: "Task.detached", reason: "leaves for the global pool: Runtime.spawn"),
    Ban(text: "Task.sleep", reason: "real time in code that a test cannot speed up: Runtime.sleep"),
    Ban(text: "try!", reason: "a trap: throw, or say why with a value"),
    Ban(text: "print(", reason: "goes around the log", exceptions: ConstructTests.printers),
  ]

  /// Folders that own their standard output.
  static let printers: Set<String> = ["Sources/CLI/", "Sources/grange/", "Sources/grange-bench/"]

  @Test func noBannedConstructIsUsed() throws {
    var offences: [String] = []
    for file in try Repository.swiftFiles() where file.isProduct {
      for ban in Self.bans where !ban.exceptions.contains(where: { file.path.hasPrefix($0) }) {
        for (index, line) in file.source.codeLines.enumerated() where contains(line, ban.text) {
          offences.append("\(file.path):\(index + 1): `\(ban.text)`: \(ban.reason)")
        }
      }
    }
    expectNone(offences)
  }

  /// Unit tests take virtual time as well, but for those of the real clock, sockets and threads.
  @Test func testsDoNotSleep() throws {
    var offences: [String] = []
    for file in try Repository.swiftFiles()
    where !file.isProduct && file.target != "ReactorTests"
      && !file.path.hasSuffix("FaultTests.swift")
    {
      for text in ["Task.sleep", "usleep(", "nanosleep("] {
        for (index, line) in file.source.codeLines.enumerated() where contains(line, text) {
          offences.append("\(file.path):\(index + 1): `\(text)`")
        }
      }
    }
    expectNone(offences)
  }

  /// The tests run in a release build, which is not compiled for testing: what they use is `package`.
  @Test func testsDoNotImportForTesting() throws {
    var offences: [String] = []
    for file in try Repository.swiftFiles() where !file.isProduct {
      for (index, line) in file.source.codeLines.enumerated() where contains(line, "@testable") {
        offences.append("\(file.path):\(index + 1): `@testable`: make it `package` instead")
      }
    }
    expectNone(offences)
  }

  /// What the compiler no longer checks is argued for where it stands.
  @Test func uncheckedPromisesSayWhyTheyAreSafe() throws {
    var offences: [String] = []
    for file in try Repository.swiftFiles() {
      for (index, line) in file.source.codeLines.enumerated() {
        let unchecked = line.contains("@unchecked Sendable") || line.contains("nonisolated(unsafe)")
        if unchecked && !isArgued(file.source, line: index) {
          offences.append("\(file.path):\(index + 1): no `// Safe because ...` beside it")
        }
      }
    }
    expectNone(offences)
  }

  /// Swift ignores `@inlinable` on members of a `package` type, and of nothing else there is a reason to be `public`
  /// (docs/decisions/0016-public-where-bodies-must-be-seen.md).
  @Test func publicIsWhatIsInlined() throws {
    /// What the signatures of public types name.
    let named: Set<String> = [
      "Sources/Codecs/BinaryError.swift", "Sources/LocalDB/ReadTransaction.swift",
      "Sources/LocalDB/WriteTransaction.swift", "Sources/Tables/TableSchema.swift",
      "Sources/Tables/Quorum/ReplicaRequest.swift",
    ]
    var offences: [String] = []
    for file in try Repository.swiftFiles() where file.isProduct {
      let lines = file.source.codeLines
      let isInlined = lines.contains {
        $0.contains("@inlinable") || $0.contains("@usableFromInline")
      }
      var isInPackageType = false
      for (index, line) in lines.enumerated() {
        let isInlinable = line.contains("@inlinable") || line.contains("@usableFromInline")
        let words = line.split(separator: " ").drop { $0.hasPrefix("@") }
        if !line.hasPrefix(" "), words.first == "package" || words.first == "}" {
          isInPackageType = ["struct", "enum", "class", "actor"].contains { words.contains($0) }
        }
        if words.first == "public", words.dropFirst().first != "import", !isInlined,
          !named.contains(file.path)
        {
          offences.append("\(file.path):\(index + 1): `public`, and nothing here is inlined")
        }
        if isInlinable, isInPackageType {
          offences.append("\(file.path):\(index + 1): nothing of a `package` type is inlined")
        }
      }
    }
    expectNone(offences)
  }

  @Test func nothingIsLeftForLater() throws {
    var offences: [String] = []
    for file in try Repository.swiftFiles() where file.target != "TidyTests" {
      for (index, _) in file.source.lines.enumerated() {
        let comment = file.source.comment(onLine: index)
        for word in ["TODO", "FIXME", "XXX", "HACK"] where comment.contains(word) {
          offences.append("\(file.path):\(index + 1): \(word)")
        }
      }
    }
    expectNone(offences)
  }

  /// Where `==` may see a secret: neither side comes from a client that could measure how long it takes.
  static let comparedSecrets: Set<String> = [
    // The node's own secret, of now and of when the signing key was made.
    "Sources/APICommon/SigningKey.swift",
    // What a client sent, twice: nothing is verified by it.
    "Sources/APICommon/AWSChunkedDecoder.swift",
  ]

  /// A comparison that stops at the first difference tells by its time how much was right.
  @Test func secretsAreComparedInConstantTime() throws {
    let names = ["signature", "secret", "token", "password", "authorization", "hmac"]
    var offences: [String] = []
    for file in try Repository.swiftFiles()
    where file.isProduct && !Self.comparedSecrets.contains(file.path) {
      for (index, line) in file.source.codeLines.enumerated() {
        let words = line.split(separator: " ")
        for place in words.indices.dropFirst().dropLast()
        where words[place] == "==" || words[place] == "!=" {
          let sides = [words[place - 1], words[place + 1]]
          // To be there at all, an enum's case and a literal, which is blanked here, are no secrets.
          if sides.contains(where: { $0.hasPrefix("nil") || $0.hasPrefix(".") }) { continue }
          if sides.contains(where: { !$0.contains(where: \.isLetter) }) { continue }
          let compared = sides.map { side in
            side.split { !($0.isLetter || $0.isNumber || $0 == "_") }.last?.lowercased() ?? ""
          }
          if compared.contains(where: { last in names.contains { last.hasSuffix($0) } }) {
            offences.append("\(file.path):\(index + 1): compare it by `constantTimeEquals`")
          }
        }
      }
    }
    expectNone(offences)
  }

  /// Whether `text` occurs as a whole word: `myTask {` or `reprint(` is something else.
  private func contains(_ line: String, _ text: String) -> Bool {
    var rest = line[...]
    while let match = rest.firstRange(of: text) {
      let before =
        match.lowerBound == line.startIndex
        ? " " : line[line.index(before: match.lowerBound)]
      if !(before.isLetter || before.isNumber || before == "_" || before == ".") { return true }
      rest = rest[match.upperBound...]
    }
    return false
  }

  private func isReason(_ comment: Substring) -> Bool {
    comment.contains("Safe because") || comment.contains("Safe as ")
  }

  /// The reason may stand on the line itself, just below it, or in the comment block above.
  private func isArgued(_ source: SwiftSource, line: Int) -> Bool {
    for near in line...(line + 2) where isReason(source.comment(onLine: near)) {
      return true
    }
    var index = line
    while index > 0, line - index < 20 {
      index -= 1
      if isReason(source.comment(onLine: index)) { return true }
      let isComment = source.lines[index].drop { $0 == " " }.hasPrefix("//")
      let isDeclaration = index == line - 1 || source.codeLines[index].contains("@")
      if !isComment && !isDeclaration { return false }
    }
    return false
  }
}
