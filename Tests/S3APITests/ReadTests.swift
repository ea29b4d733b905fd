import Base
import HTTP
import S3API
import Testing

@Suite struct ByteRangeTests {
  @Test(
    arguments: [
      (nil, ByteRange.whole), ("", .whole), ("bytes", .whole), ("bytes=", .whole),
      ("bytes=-", .whole), ("bytes=a-b", .whole), ("bytes=0-1,3-4", .whole), ("items=0-1", .whole),
      ("bytes=5-4", .whole), ("bytes=+1-2", .whole), ("bytes= 1-2", .whole),
      ("bytes=0-0", .part(0..<1)), ("bytes=0-9", .part(0..<10)), ("bytes=0-99", .part(0..<10)),
      ("bytes=9-", .part(9..<10)), ("bytes=-3", .part(7..<10)), ("bytes=-99", .part(0..<10)),
      ("bytes=0-18446744073709551615", .part(0..<10)),
      ("bytes=0-99999999999999999999999", .part(0..<10)),
      ("bytes=-99999999999999999999999", .part(0..<10)),
      ("bytes=10-", .unsatisfiable), ("bytes=10-20", .unsatisfiable), ("bytes=-0", .unsatisfiable),
      ("bytes=99999999999999999999999-", .unsatisfiable),
    ] as [(String?, ByteRange)])
  func readsTheHeader(_ row: (text: String?, range: ByteRange)) {
    #expect(ByteRange(row.text, size: 10) == row.range)
  }

  @Test func anEmptyObjectHasNoRange() {
    #expect(ByteRange("bytes=0-", size: 0) == .unsatisfiable)
    #expect(ByteRange("bytes=-1", size: 0) == .unsatisfiable)
    #expect(ByteRange(nil, size: 0) == .whole)
  }
}

@Suite struct ReadConditionsTests {
  private let modified = WallTime(milliseconds: 1_369_353_600_999)
  private static let same = "Fri, 24 May 2013 00:00:00 GMT"
  private static let before = "Thu, 23 May 2013 23:59:59 GMT"

  /// Half a day after the object was written.
  private let now = WallTime(milliseconds: 1_369_396_800_000)

  private func outcome(_ headers: HTTPHeaders, prefix: StaticString = "")
    -> ReadConditions.Outcome
  {
    ReadConditions(headers, prefix: prefix, now: now).evaluate(etag: "abc", lastModified: modified)
  }

  @Test(arguments: ["\"abc\"", "abc", "*", "\"x\", \"abc\"", "W/\"abc\""])
  func theETagIsFoundInLists(list: String) {
    #expect(outcome(["if-match": list]) == .proceed)
    #expect(outcome(["if-none-match": list]) == .notModified)
  }

  @Test func anotherETagIsAnother() {
    #expect(outcome(["if-match": "\"ab\""]) == .failed)
    #expect(outcome(["if-none-match": "\"ab\""]) == .proceed)
    #expect(outcome(["if-match": ""]) == .failed)
  }

  @Test func datesCountToTheSecond() {
    #expect(outcome(["if-modified-since": Self.same]) == .notModified)
    #expect(outcome(["if-modified-since": Self.before]) == .proceed)
    #expect(outcome(["if-unmodified-since": Self.same]) == .proceed)
    #expect(outcome(["if-unmodified-since": Self.before]) == .failed)
    #expect(outcome(["if-modified-since": "yesterday"]) == .proceed)
  }

  @Test(arguments: ["", "x-amz-copy-source-"] as [StaticString])
  func aModificationInTheFutureIsNoCondition(prefix: StaticString) {
    let name = "\(prefix)if-modified-since"
    var headers = HTTPHeaders()
    headers.append(name, "Fri, 24 May 2013 12:00:00 GMT")
    #expect(outcome(headers, prefix: prefix) == .notModified, "the second that it is now")
    headers.set(name, "Fri, 24 May 2013 12:00:01 GMT")
    #expect(outcome(headers, prefix: prefix) == .proceed)
    #expect(outcome(["if-unmodified-since": "Fri, 24 May 2033 12:00:01 GMT"]) == .proceed)
  }

  @Test(arguments: [
    (same, before), ("Friday, 24-May-13 00:00:00 GMT", "Thursday, 23-May-13 23:59:59 GMT"),
    ("Fri May 24 00:00:00 2013", "Thu May 23 23:59:59 2013"),
  ])
  func everyFormOfADateIsRead(_ row: (same: String, before: String)) {
    for prefix in ["", "x-amz-copy-source-"] as [StaticString] {
      for (date, unmodified, modified) in [
        (row.same, ReadConditions.Outcome.proceed, ReadConditions.Outcome.notModified),
        (row.before, .failed, .proceed),
      ] {
        var headers = HTTPHeaders()
        headers.append("\(prefix)if-unmodified-since", date)
        #expect(outcome(headers, prefix: prefix) == unmodified)
        headers = HTTPHeaders()
        headers.append("\(prefix)if-modified-since", date)
        #expect(outcome(headers, prefix: prefix) == modified)
      }
    }
    #expect(counts(row.same) && !counts(row.before))
  }

  @Test func eTagsTakeThePlaceOfDates() {
    #expect(outcome(["if-match": "abc", "if-unmodified-since": Self.before]) == .proceed)
    #expect(outcome(["if-none-match": "x", "if-modified-since": Self.same]) == .proceed)
  }

  @Test(arguments: [
    ("\"abc\"", true), (same, true), ("\"x\"", false), ("W/\"abc\"", false), (before, false),
  ])
  func aRangeCountsForTheSameCopyOnly(value: String, counts: Bool) {
    #expect(self.counts(value) == counts)
  }

  private func counts(_ ifRange: String) -> Bool {
    ReadConditions.rangeCounts(
      ["if-range": ifRange], etag: "abc", lastModified: modified, now: now)
  }
}
