import Testing

/// Histories made by hand: the good ones pass, and each bad one is found.
@Suite("What clients may see of one key")
struct RegisterHistoryTests {
  private static func history(_ operations: (RegisterOperation.Kind, Int, Int, Ending)...)
    -> RegisterHistory
  {
    var history = RegisterHistory()
    for (kind, start, end, ending) in operations {
      history.add(
        RegisterOperation(kind: kind, span: Span(start, end), ending: ending, label: ""))
    }
    return history
  }

  @Test("what a register can do is no violation")
  func good() {
    let histories = [
      Self.history(),
      Self.history((.read(nil), 1, 2, .acknowledged)),
      Self.history((.put("a"), 1, 2, .acknowledged), (.read("a"), 3, 4, .acknowledged)),
      // Of two writes at once either may be the last.
      Self.history(
        (.put("a"), 1, 5, .acknowledged), (.put("b"), 2, 6, .acknowledged),
        (.read("a"), 7, 8, .acknowledged)),
      // A read beside a write sees what was, or what will be.
      Self.history(
        (.put("a"), 1, 2, .acknowledged), (.put("b"), 3, 9, .acknowledged),
        (.read("b"), 4, 5, .acknowledged), (.read("b"), 6, 7, .acknowledged)),
      // An unknown write takes effect late, after its answer.
      Self.history(
        (.put("a"), 1, 2, .unknown), (.put("b"), 3, 4, .acknowledged),
        (.read("b"), 5, 6, .acknowledged), (.read("a"), 7, 8, .acknowledged)),
      // One delete of unknown outcome, late, and never again.
      Self.history(
        (.put("a"), 1, 2, .acknowledged), (.delete, 3, 4, .unknown),
        (.read("a"), 5, 6, .acknowledged), (.read(nil), 7, 8, .acknowledged),
        (.put("b"), 9, 10, .acknowledged), (.read("b"), 11, 12, .acknowledged)),
      // A refused write that nobody sees, and reads that were not answered.
      Self.history(
        (.put("a"), 1, 2, .refused), (.read("z"), 3, 4, .unknown),
        (.read(nil), 5, 6, .acknowledged)),
    ]
    for history in histories { #expect(history.violation() == nil) }
  }

  private static let wrong: [(name: String, history: RegisterHistory)] = [
    ("never written", history((.read("a"), 1, 2, .acknowledged))),
    (
      "was refused",
      history((.put("a"), 1, 2, .refused), (.read("a"), 3, 4, .acknowledged))
    ),
    (
      "written later",
      history((.read("a"), 1, 2, .acknowledged), (.put("a"), 3, 4, .acknowledged))
    ),
    (
      "stale",
      history(
        (.put("a"), 1, 2, .acknowledged), (.put("b"), 3, 4, .acknowledged),
        (.read("a"), 5, 6, .acknowledged))
    ),
    (
      "stale",
      history(
        (.put("a"), 1, 2, .acknowledged), (.delete, 3, 4, .acknowledged),
        (.read("a"), 5, 6, .acknowledged))
    ),
    (
      "lost",
      history((.put("a"), 1, 2, .acknowledged), (.read(nil), 3, 4, .acknowledged))
    ),
    // The delete had ended before.
    (
      "lost",
      history(
        (.delete, 1, 2, .acknowledged), (.put("a"), 3, 4, .acknowledged),
        (.read(nil), 5, 6, .acknowledged))
    ),
    // A second read is older than the first, while the write is still under way.
    (
      "no order",
      history(
        (.put("a"), 1, 2, .acknowledged), (.put("b"), 3, 20, .acknowledged),
        (.read("b"), 4, 5, .acknowledged), (.read("a"), 6, 7, .acknowledged))
    ),
    // The same of a write that was never acknowledged.
    (
      "no order",
      history(
        (.put("a"), 1, 2, .acknowledged), (.put("b"), 3, 4, .unknown),
        (.read("b"), 5, 6, .acknowledged), (.read("a"), 7, 8, .acknowledged))
    ),
    // An unknown write was seen, replaced by an acknowledged one, and is back.
    (
      "no order",
      history(
        (.put("u"), 1, 2, .unknown), (.read("u"), 3, 4, .acknowledged),
        (.put("b"), 5, 6, .acknowledged), (.read("b"), 7, 8, .acknowledged),
        (.read("u"), 9, 10, .acknowledged))
    ),
    // Two readers see two writes in different orders.
    (
      "no order",
      history(
        (.put("a"), 1, 20, .acknowledged), (.put("b"), 2, 21, .acknowledged),
        (.read("a"), 3, 4, .acknowledged), (.read("b"), 5, 6, .acknowledged),
        (.read("a"), 7, 8, .acknowledged))
    ),
    // One delete of unknown outcome explains one loss and not a second one.
    (
      "no order",
      history(
        (.put("a"), 1, 2, .acknowledged), (.delete, 3, 4, .unknown),
        (.read(nil), 5, 6, .acknowledged), (.put("b"), 7, 8, .acknowledged),
        (.read(nil), 9, 10, .acknowledged))
    ),
    // A deleted value comes back after a read found nothing.
    (
      "no order",
      history(
        (.put("a"), 1, 2, .acknowledged), (.delete, 3, 20, .acknowledged),
        (.read(nil), 4, 5, .acknowledged), (.read("a"), 6, 7, .acknowledged))
    ),
    // Everybody agrees on an order that the writers' own order forbids.
    (
      "no order",
      history(
        (.put("a"), 1, 4, .acknowledged), (.put("b"), 2, 3, .acknowledged),
        (.put("c"), 5, 20, .acknowledged), (.read("c"), 6, 7, .acknowledged),
        (.read("b"), 8, 9, .acknowledged))
    ),
  ]

  @Test("whatever a register cannot do is found", arguments: wrong.indices)
  func bad(index: Int) throws {
    let (name, history) = Self.wrong[index]
    let violation = try #require(history.violation(), "\(name) was not found")
    #expect(violation.contains(name), "\(violation)")
  }
}
