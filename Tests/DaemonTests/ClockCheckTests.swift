import Base
import Daemon
import Testing

@Suite struct ClockCheckTests {
  private let now = WallTime(milliseconds: 1_795_252_920_000)

  @Test func findsNothingWrongWithARightClock() {
    let recent = WallTime(milliseconds: now.milliseconds + 60_000)
    #expect(ClockCheck.faults(now: now, newestFile: nil) == [])
    #expect(ClockCheck.faults(now: now, newestFile: recent) == [])
  }

  @Test func noticesAClockThatBeganAgain() {
    let faults = ClockCheck.faults(now: WallTime(milliseconds: 3_600_000), newestFile: nil)
    #expect(faults.first?.contains("1970-01-01T01:00:00.000Z") == true)
  }

  @Test func noticesFilesFromTheFuture() {
    let later = WallTime(milliseconds: now.milliseconds + 901_000)
    #expect(
      ClockCheck.faults(now: now, newestFile: later).first?.hasSuffix("set the clock") == true)
  }
}
