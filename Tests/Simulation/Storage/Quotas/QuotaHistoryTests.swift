import Testing

/// Histories of a bucket with a quota made by hand.
@Suite("What clients may see of a quota")
struct QuotaHistoryTests {
  private static func full(isExact: Bool = true) -> QuotaHistory {
    var history = QuotaHistory(objectsMax: 2, isExact: isExact)
    history.put("a", Span(1, 2), .acknowledged)
    history.put("b", Span(3, 4), .acknowledged)
    history.put("x", Span(3, 5), .refused)
    return history
  }

  @Test("what the limit allows is no violation")
  func good() {
    var history = Self.full()
    history.refuse(Span(6, 7))
    // Two at once pass it by one.
    history.delete("a", Span(8, 9), .acknowledged)
    history.put("c", Span(10, 13), .acknowledged)
    history.put("d", Span(11, 12), .acknowledged)
    #expect(history.violation() == nil)
    // Of a deletion that may have happened either is right.
    history.delete("c", Span(14, .max), .unknown)
    history.delete("d", Span(14, .max), .unknown)
    history.refuse(Span(20, 21))
    history.put("e", Span(22, 23), .acknowledged)
    #expect(history.violation() == nil)
  }

  @Test("one that is taken by a full bucket is found, unless another was under way")
  func full() {
    var history = Self.full()
    history.put("c", Span(6, 7), .acknowledged)
    #expect(history.violation()?.contains("was taken") == true)
    var loose = Self.full(isExact: false)
    loose.put("c", Span(6, 9), .acknowledged)
    #expect(loose.violation()?.contains("was taken") == true)
    loose.put("d", Span(7, .max), .unknown)
    #expect(loose.violation() == nil)
  }

  @Test("a refusal with room is found")
  func refusal() {
    var history = Self.full()
    history.delete("a", Span(6, 7), .acknowledged)
    history.refuse(Span(8, 9))
    #expect(history.violation()?.contains("the quota refused") == true)
  }
}
