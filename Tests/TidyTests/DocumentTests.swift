// Documents and file headers are where the next reader looks for them.

import Testing

@Suite struct DocumentTests {
  @Test func everySourceFileBeginsWithAHeader() throws {
    let offences = try Repository.swiftFiles().filter(\.isProduct).filter { file in
      let first = file.source.lines.first { !$0.isEmpty && !$0.hasPrefix("#!") } ?? ""
      return !first.hasPrefix("//")
    }
    expectNone(offences.map { "\($0.path): no header comment" })
  }

  /// The file 0012-keep-the-noun.md begins with `# 12. Keep the noun`, and no number is taken twice.
  @Test func decisionsAreNumbered() throws {
    var taken: [String: String] = [:]
    let folder = "docs/decisions/"
    for path in try Repository.files(below: "docs/decisions", suffix: ".md") {
      let name = path.dropFirst(folder.count)
      let number = name.prefix(4)
      #expect(
        number.count == 4 && number.allSatisfy(\.isNumber) && name.dropFirst(4).hasPrefix("-"),
        "\(path): named NNNN-verb-noun.md")
      #expect(
        taken[String(number)] == nil, "\(path) and \(taken[String(number)] ?? "") share a number")
      taken[String(number)] = path
      let title = try Repository.text(path).split(separator: "\n").first ?? ""
      #expect(title.hasPrefix("# \(Int(number) ?? -1). "), "\(path): the title repeats the number")
    }
    #expect(!taken.isEmpty)
  }

  @Test func thePackagesHaveTheProgramsVersion() throws {
    let source = try Repository.text("Sources/Daemon/GrangeVersion.swift")
    let version = try #require(
      source.split(separator: "text = \"").last?.split(separator: "\"").first)
    #expect(try Repository.text("nix/package.nix").contains("version = \"\(version)\";"))
    #expect(try Repository.text("CHANGELOG.md").contains("## \(version)"))
  }

  @Test func theLicenceIsWhole() throws {
    let text = try Repository.text("LICENSE")
    #expect(text.contains("GNU AFFERO GENERAL PUBLIC LICENSE\n                       Version 3"))
    #expect(text.utf8.count == 34_523)
  }
}
