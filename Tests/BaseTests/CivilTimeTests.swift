import Base
import Testing

@Suite struct CivilTimeTests {
  private let example = WallTime(milliseconds: 1_795_252_920_123)

  @Test func writesTheFormsOfHTTPAndS3() {
    let time = CivilTime(example)
    #expect(time.iso8601 == "2026-11-21T09:22:00.123Z")
    #expect(time.iso8601Seconds == "2026-11-21T09:22:00.000Z")
    #expect(time.httpDate == "Sat, 21 Nov 2026 09:22:00 GMT")
    #expect(time.basic == "20261121T092200Z")
    #expect(time.basicDay == "20261121")
  }

  @Test(arguments: [" GMT", " +0000", " -0000"])
  func readsDatesOfUniversalTime(zone: String) {
    let time = CivilTime(httpDate: "Sat, 21 Nov 2026 09:22:00" + zone)
    #expect(time?.wallTime.seconds == example.seconds)
  }

  @Test(arguments: [
    "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
  ])
  func readsTheThreeFormsOfHTTP(text: String) {
    #expect(CivilTime(anyHTTPDate: text, now: example)?.httpDate == "Sun, 06 Nov 1994 08:49:37 GMT")
  }

  /// Of 2026: what looks more than 50 years ahead is past.
  @Test(arguments: [("26", 2026), ("76", 2076), ("77", 1977), ("00", 2000), ("99", 1999)])
  func aYearOfTwoDigitsIsNear(digits: String, year: Int) {
    let text = "Sunday, 06-Nov-\(digits) 08:49:37 GMT"
    #expect(CivilTime(anyHTTPDate: text, now: example)?.year == year)
  }

  @Test func aYearOfTwoDigitsIsNearAtTheEndOfACentury() throws {
    let now = try #require(CivilTime(year: 2099, month: 1, day: 1)).wallTime
    let text = "Sunday, 06-Nov-01 08:49:37 GMT"
    #expect(CivilTime(anyHTTPDate: text, now: now)?.year == 2101)
  }

  @Test(arguments: [
    "Sunday, 06-Nov-94 08:49:37", "Sunday, 06-Nov-94 08:49:37 CET",
    "Sunday, 06 Nov 94 08:49:37 GMT",
    "Sunday, 6-Nov-94 08:49:37 GMT", "Sunday, 31-Nov-94 08:49:37 GMT",
    "Sunday, 06-nov-94 08:49:37 GMT",
    "Sun Nov 06 08:49:37 94", "Sun Nov  6 08:49:37 1994 GMT", "Sun Nov 6 08:49:37 1994",
    "Sun Nov  6 08.49.37 1994", "Sun Nov 31 08:49:37 1994", "Sun Nov    08:49:37 1994", ",", "",
  ])
  func refusesOtherHTTPDates(text: String) {
    #expect(CivilTime(anyHTTPDate: text, now: example) == nil)
  }

  @Test func readsWhatItWrites() {
    #expect(CivilTime(basic: "20261121T092200Z")?.wallTime.seconds == example.seconds)
    #expect(
      CivilTime(httpDate: "Sat, 21 Nov 2026 09:22:00 GMT")?.wallTime.seconds == example.seconds)
  }

  @Test(arguments: [
    "", "20261121T092200", "20261321T092200Z", "20260229T000000Z", "20261121 092200Z",
    "2026112éT09220Z", "20261121T240000Z",
  ])
  func refusesOtherBasicDates(text: String) {
    #expect(CivilTime(basic: text) == nil)
  }

  @Test func knowsTheDaysAroundItsBorders() {
    #expect(CivilTime(WallTime(milliseconds: 0)).iso8601 == "1970-01-01T00:00:00.000Z")
    #expect(CivilTime(WallTime(milliseconds: -1)).iso8601 == "1969-12-31T23:59:59.999Z")
    #expect(CivilTime(WallTime(milliseconds: 951_782_400_000)).basicDay == "20000229")
    #expect(CivilTime(year: 1900, month: 2, day: 29) == nil)
    #expect(CivilTime(year: 2000, month: 2, day: 29)?.weekday == 2)
  }

  @Test(arguments: [
    "Sun,_06 Nov 1994", "Sun, 06-Nov 1994", "Sun, 06 Nov!0997", "Sun, 06 Nov 1994T",
  ])
  func refusesOtherSeparators(day: String) {
    #expect(CivilTime(httpDate: day + (day.utf8.count == 17 ? "" : " ") + "08:49:37 GMT") == nil)
  }

  /// A row of another node may hold any.
  @Test(arguments: [Int64.min, .min + 999, .max])
  func takesEveryTime(milliseconds: Int64) {
    let time = CivilTime(WallTime(milliseconds: milliseconds))
    #expect(time.wallTime.milliseconds == milliseconds)
    #expect(!time.httpDate.isEmpty && !time.iso8601.isEmpty)
  }

  @Test(arguments: 0..<50 as Range<UInt64>)
  func roundTrips(seed: UInt64) throws {
    let random = Seeded(seed)
    for _ in 0..<200 {
      // Years 0 to 9999.
      let time = WallTime(
        milliseconds: -62_167_219_200_000 + Int64(random.below(315_569_520_000_000)))
      let civil = CivilTime(time)
      #expect(civil.wallTime == time)
      #expect(
        CivilTime(
          year: civil.year, month: civil.month, day: civil.day, hour: civil.hour,
          minute: civil.minute, second: civil.second, millisecond: civil.millisecond) == civil)
      #expect(CivilTime(basic: civil.basic)?.wallTime.seconds == time.seconds)
      #expect(CivilTime(httpDate: civil.httpDate)?.wallTime.seconds == time.seconds)
      // The next day is a day later, of the next weekday.
      let next = CivilTime(WallTime(milliseconds: time.milliseconds + 86_400_000))
      #expect(next.weekday == (civil.weekday + 1) % 7)
    }
  }
}
