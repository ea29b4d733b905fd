import Blocks
import Testing

@Suite struct SweepProgressTests {
  @Test func aSweepDoesNotCoverWhatIsNotedWhileItRuns() {
    var progress = SweepProgress(isDone: false)
    #expect(!progress.isDone)
    let first = progress.noted
    progress.note()
    progress.finish(first)
    #expect(!progress.isDone)
    let second = progress.noted
    progress.finish(second)
    #expect(progress.isDone)
    progress.note()
    #expect(!progress.isDone)
  }

  @Test func afterACleanStopNothingIsLeftToSweep() {
    var progress = SweepProgress(isDone: true)
    #expect(progress.isDone)
    progress.note()
    #expect(!progress.isDone)
  }
}
