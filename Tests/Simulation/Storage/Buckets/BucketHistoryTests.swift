import Testing

/// Histories of a bucket's name made by hand.
@Suite("What clients may see of a bucket")
struct BucketHistoryTests {
  private static func history(_ events: (BucketEvent.Kind, Int, Int, Ending)...) -> BucketHistory {
    var history = BucketHistory()
    for (kind, start, end, ending) in events {
      let span = Span(start, ending == .unknown ? .max : end)
      history.add(BucketEvent(kind: kind, span: span, ending: ending))
    }
    return history
  }

  private static let made: (BucketEvent.Kind, Int, Int, Ending) = (.create, 1, 2, .acknowledged)
  private static let deleted: (BucketEvent.Kind, Int, Int, Ending) = (
    .deleteBucket, 11, 14, .acknowledged
  )

  @Test("what may be is no violation")
  func good() {
    let histories = [
      Self.history((.denied, 1, 2, .acknowledged)),
      Self.history(Self.made, (.seen, 3, 4, .acknowledged)),
      Self.history(Self.made, (.put("k"), 3, 4, .acknowledged), (.notEmpty, 5, 6, .acknowledged)),
      Self.history(
        Self.made, (.put("k"), 3, 4, .acknowledged), (.deleteObject("k"), 5, 6, .unknown),
        Self.deleted, (.denied, 15, 16, .acknowledged)),
      // Made again, at last perhaps.
      Self.history(
        Self.made, Self.deleted, (.create, 15, 16, .unknown), (.seen, 17, 18, .acknowledged)),
      Self.history(
        Self.made, Self.deleted, (.create, 15, 16, .unknown), (.denied, 17, 18, .acknowledged)),
      // A writer takes a deletion back.
      Self.history(
        Self.made, (.put("k"), 12, 16, .acknowledged), Self.deleted,
        (.seen, 17, 18, .acknowledged)),
      // A deletion that may happen at any time.
      Self.history(Self.made, (.deleteBucket, 3, 4, .unknown), (.denied, 20, 21, .acknowledged)),
      Self.history(Self.made, (.denied, 12, 13, .acknowledged), Self.deleted),
    ]
    for history in histories { #expect(history.violation() == nil) }
  }

  private static let wrong: [(name: String, history: BucketHistory)] = [
    ("was in it", history(made, (.put("k"), 3, 4, .acknowledged), deleted)),
    (
      "was in it",
      history(
        made, (.put("k"), 3, 4, .acknowledged), deleted, (.deleteObject("k"), 15, 16, .acknowledged)
      )
    ),
    ("it was there", history(made, (.denied, 3, 4, .acknowledged))),
    (
      "it was there",
      history(made, deleted, (.create, 15, 16, .acknowledged), (.denied, 17, 18, .acknowledged))
    ),
    ("was deleted", history(made, deleted, (.seen, 15, 16, .acknowledged))),
    ("was deleted", history(made, deleted, (.put("k"), 15, 16, .acknowledged))),
    ("nobody had made", history((.put("k"), 15, 16, .acknowledged))),
    ("nobody had made", history((.seen, 15, 16, .acknowledged), (.create, 17, 18, .acknowledged))),
    ("it was empty", history(made, (.notEmpty, 3, 4, .acknowledged))),
    (
      "it was empty",
      history(
        made, (.put("k"), 3, 4, .acknowledged), (.deleteObject("k"), 5, 6, .acknowledged),
        (.notEmpty, 7, 8, .acknowledged))
    ),
  ]

  @Test("whatever may not be is found", arguments: wrong.indices)
  func bad(index: Int) throws {
    let (name, history) = Self.wrong[index]
    let violation = try #require(history.violation(), "\(name) was not found")
    #expect(violation.contains(name), "\(violation)")
  }

  @Test("a creation beside another one proves nothing, unless it is to")
  func rivals() {
    var history = Self.history(
      (.create, 1, 4, .acknowledged), (.create, 2, 9, .acknowledged), (.denied, 5, 6, .acknowledged)
    )
    #expect(history.violation() == nil)
    history.isCreationExact = true
    #expect(history.violation()?.contains("it was there") == true)
  }

  @Test("an object that nobody deleted must be there in the end")
  func lost() {
    let history = Self.history(
      Self.made, (.put("a"), 3, 4, .acknowledged), (.put("b"), 5, 6, .unknown),
      (.put("c"), 7, 8, .acknowledged), (.deleteObject("c"), 9, 10, .unknown),
      (.put("d"), 11, 12, .acknowledged))
    #expect(history.lost(["a", "d"]).isEmpty)
    #expect(history.lost(["a", "b", "c"]) == ["d"])
  }
}
