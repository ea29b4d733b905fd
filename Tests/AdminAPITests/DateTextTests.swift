import AdminAPI
import Base
import Testing

@Suite struct DateTextTests {
  @Test(
    arguments: [
      ("2026-11-21T09:22:00Z", 1_795_252_920), ("2026-11-21t09:22:00.123z", 1_795_252_920),
      ("2026-11-21T10:22:00+01:00", 1_795_252_920), ("2026-11-21T05:52:00-03:30", 1_795_252_920),
      ("1970-01-01T00:00:00Z", 0),
    ] as [(String, Int64)])
  func readsDates(text: String, seconds: Int64) {
    #expect(DateText.parse(text) == WallTime(milliseconds: seconds * 1000))
  }

  @Test(arguments: [
    "", "2026-11-21", "2026-11-21T09:22:00", "2026-02-30T09:22:00Z", "2026-11-21T09:22:00+1:00",
    "2026-11-21T09:22:00.Z", "2026-11-21 09:22:00Z", "2026-11-21T09:22:00Zx",
    "2026:11:21T09:22:00Z",
    "éééééééééééééééééééé", "0000-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
  ])
  func refusesOthers(text: String) {
    #expect(DateText.parse(text) == nil)
  }
}
