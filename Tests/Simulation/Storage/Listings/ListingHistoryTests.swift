import Testing

/// Pages made by hand, good ones and bad ones.
@Suite("What clients may see in a listing")
struct ListingHistoryTests {
  private typealias History = ListingHistory

  private static func history(_ changes: (String, Bool, Int, Int)...) -> ListingHistory {
    var history = ListingHistory()
    for (key, isPut, start, end) in changes {
      history.add(key, KeyChange(isPut: isPut, span: Span(start, end)))
    }
    return history
  }

  private static func page(
    _ keys: [String], prefixes: [String] = [], prefix: String = "", delimiter: String = "",
    after: String? = nil, isLast: Bool = true, keysMax: Int = 5, _ start: Int = 100,
    _ end: Int = 110
  ) -> ListingHistory.Page {
    ListingHistory.Page(
      question: .init(prefix: prefix, delimiter: delimiter, keysMax: keysMax), after: after,
      keys: keys, commonPrefixes: prefixes, isLast: isLast, span: Span(start, end))
  }

  /// a is there; b was deleted; c is being put, d being deleted; e and f may change for ever.
  private static let mixed = history(
    ("a", true, 1, 2), ("b", true, 3, 4), ("b", false, 5, 6), ("c", true, 90, 105),
    ("d", true, 7, 8), ("d", false, 95, 120), ("e", true, 9, .max), ("f", true, 10, 11),
    ("f", false, 12, .max))

  @Test("what is certain must be right, and what is not may be either", arguments: 0..<16)
  func either(choice: Int) {
    let open = ["c", "d", "e", "f"]
    let some = open.indices.filter { choice & 1 << $0 != 0 }.map { open[$0] }
    #expect(Self.mixed.violation(of: Self.page(["a"] + some)) == nil)
    #expect(Self.mixed.violation(of: Self.page(some)) != nil)
    #expect(Self.mixed.violation(of: Self.page((["a", "b"] + some), keysMax: 9)) != nil)
  }

  @Test("only what lies on a page is asked of it")
  func borders() {
    let history = Self.history(
      ("a", true, 1, 2), ("b", true, 1, 2), ("c", true, 1, 2), ("d", true, 1, 2))
    #expect(history.violation(of: Self.page(["a", "b"], isLast: false, keysMax: 2)) == nil)
    #expect(history.violation(of: Self.page(["c", "d"], after: "b")) == nil)
    // One is skipped: within a page, before its first entry, and behind its last.
    #expect(history.violation(of: Self.page(["a", "c"], isLast: false)) != nil)
    #expect(history.violation(of: Self.page(["d"], after: "b")) != nil)
    #expect(history.violation(of: Self.page(["c"], after: "b")) != nil)
    // One is repeated.
    #expect(history.violation(of: Self.page(["b", "c", "d"], after: "b")) != nil)
  }

  @Test("a page has a form")
  func form() {
    let history = Self.history(("a", true, 1, 2), ("b", true, 1, 2), ("p/x", true, 1, 2))
    let good = Self.page(["a", "b"], prefixes: ["p/"], delimiter: "/")
    #expect(history.violation(of: good) == nil)
    for bad in [
      Self.page(["b", "a"], prefixes: ["p/"], delimiter: "/"),
      Self.page(["a", "b"], prefixes: ["p/", "p/"], delimiter: "/"),
      Self.page(["a", "b", "p/x"], prefixes: ["p/"], delimiter: "/"),
      Self.page(["a", "b"], prefixes: ["p/"], delimiter: "/", keysMax: 2),
      Self.page([], isLast: false),
      Self.page(["z"], prefix: "y"),
    ] { #expect(history.violation(of: bad) != nil, "\(bad)") }
  }

  @Test("a common prefix is there as long as a key below it is")
  func prefixes() {
    let history = Self.history(
      ("p/a", true, 1, 2), ("p/a", false, 3, 4), ("p/b", true, 5, 6), ("q/a", true, 1, 2),
      ("q/a", false, 3, 4), ("r/a/b", true, 1, 2), ("r/", true, 1, 2))
    #expect(
      history.violation(of: Self.page([], prefixes: ["p/", "r/"], delimiter: "/")) == nil)
    #expect(history.violation(of: Self.page([], prefixes: ["r/"], delimiter: "/")) != nil)
    #expect(
      history.violation(of: Self.page([], prefixes: ["p/", "q/", "r/"], delimiter: "/")) != nil)
    #expect(
      history.violation(
        of: Self.page(["r/"], prefixes: ["r/a/"], prefix: "r/", delimiter: "/")) == nil)
    #expect(
      history.violation(of: Self.page(["r/"], prefix: "r/", delimiter: "/")) != nil)
  }

  @Test("an unknown change may take effect after a later one")
  func late() {
    let history = Self.history(
      ("a", false, 1, .max), ("a", true, 3, 4), ("b", true, 1, .max), ("b", true, 3, 4))
    #expect(history.presence(of: "a", during: Span(10, 11)) == .either)
    #expect(history.presence(of: "b", during: Span(10, 11)) == .present)
    #expect(history.presence(of: "c", during: Span(10, 11)) == .absent)
  }
}
