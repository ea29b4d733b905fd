// The scanner under the tidy tests: if it misreads a file, a rule goes blind.

import Testing

@Suite struct SwiftSourceTests {
  private func code(_ text: String) -> String {
    SwiftSource(text).codeLines.joined(separator: "\n")
  }

  @Test func blanksLineComments() {
    #expect(code("let a = 1 // Task {\nlet b") == "let a = 1          \nlet b")
  }

  @Test func blanksNestedBlockComments() {
    #expect(code("a /* b /* c */ d */ e") == "a                   e")
  }

  @Test func blanksLiteralsAndKeepsInterpolatedCode() {
    #expect(code(#"f("x \(g("y")) z")h"#) == #"f(     g(   )    )h"#)
  }

  @Test func blanksRawLiterals() {
    #expect(code(##"a #"b \(c) "d"# e"##) == "a               e")
  }

  @Test func blanksMultilineLiterals() {
    #expect(code("a \"\"\"\n  Task { \"x\"\n  \"\"\" b") == "a    \n            \n      b")
  }

  @Test func doesNotTakeAnEscapedQuoteForTheEnd() {
    #expect(code(#"a "\"" b"#) == "a      b")
  }

  @Test func countsTheLinesOfABody() {
    let source = SwiftSource(
      """
      protocol P {
        func none(a: Int) -> Int
        func neither()
      }
      func one() { }
      func three(a: () -> Void = { }) {
        a()
      }
      init() {
        self.init(a: 1)
      }
      """)
    let functions = FunctionFinder.functions(in: source)
    #expect(functions.map(\.name) == ["one", "three", "init"])
    #expect(functions.map(\.lineCount) == [1, 3, 3])
  }

  @Test func readsTheManifest() throws {
    let manifest = try PackageManifest(
      """
      func layer(_ name: String) {}
      .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3"),
      layer("A", ["B", "C"]), tests("ATests", ["A"]), program("grange", ["A"]),
      """)
    #expect(
      manifest.dependencies == ["CSQLite": [], "A": ["B", "C"], "ATests": ["A"], "grange": ["A"]])
  }
}
