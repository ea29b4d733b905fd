import Base
import Daemon
import Glibc
import Reactor
import SimulatedWorld
import Synchronization
import Testing

@Suite("Disk inquiry")
struct DiskInquiryTests {
  /// Counts the questions; while it hangs, a question takes until it goes on, or so long that the test has failed.
  private final class Disk: Sendable {
    private let hanging = Atomic(false)
    private let asked = Atomic(0)
    private let ends: [Int32]

    init() {
      var ends: [Int32] = [-1, -1]
      pipe(&ends)
      self.ends = ends
    }

    deinit { close(ends[0]) }

    func ask() -> Int {
      if hanging.load(ordering: .acquiring) {
        var end = pollfd(fd: ends[0], events: 0, revents: 0)
        poll(&end, 1, 5000)
      }
      return asked.wrappingAdd(1, ordering: .relaxed).newValue
    }

    func hang() { hanging.store(true, ordering: .releasing) }

    /// Answers from now on; once.
    func goOn() {
      hanging.store(false, ordering: .releasing)
      close(ends[1])
    }
  }

  @Test("gives the last answer while a disk hangs, and holds up neither the loop nor the caller")
  func hangingDisk() {
    let group = EventLoopGroup(loopCount: 1, blockingThreads: 1)
    let disk = Disk()
    _ = group.run {
      let inquiry = DiskInquiry(group) { disk.ask() }
      #expect(await inquiry.answer(within: .seconds(60)) == (2, true))
      disk.hang()
      for _ in 0..<3 {
        #expect(await inquiry.answer(within: .milliseconds(1)) == (2, false))
      }
      disk.goOn()
      // The third question was the one that hung; those given up before they began are never asked.
      #expect(await inquiry.answer(within: .seconds(60)) == (4, true))
      return 0
    }
  }

  @Test("answers who comes during a question with the next one, which they share")
  func sharedQuestions() throws {
    let runtime = SimulatedRuntime(seed: 1)
    runtime.blockingDelay = .seconds(1) ... .seconds(1)
    let asked = Atomic(0)
    try runtime.run {
      let inquiry = DiskInquiry(runtime) { asked.wrappingAdd(1, ordering: .relaxed).newValue }
      let first = runtime.spawn {
        #expect(await inquiry.answer(within: .seconds(60)) == (2, true))
      }
      try await runtime.sleep(for: .milliseconds(500))
      let impatient = await inquiry.answer(within: .milliseconds(100))
      #expect(impatient == (1, false))
      let others = (0..<3).map { _ in
        runtime.spawn { #expect(await inquiry.answer(within: .seconds(60)) == (3, true)) }
      }
      for task in [first] + others { await task.value }
    }
    #expect(asked.load(ordering: .relaxed) == 3)
  }

  @Test("ends with its task")
  func cancelled() throws {
    let runtime = SimulatedRuntime(seed: 2)
    runtime.blockingDelay = .seconds(30) ... .seconds(30)
    try runtime.run {
      let inquiry = DiskInquiry(runtime) { 7 }
      let asking = runtime.spawn {
        #expect(await inquiry.answer(within: .seconds(60)) == (7, false))
      }
      try await runtime.sleep(for: .seconds(1))
      asking.cancel()
      await asking.value
    }
    #expect(runtime.elapsed == .seconds(1))
  }
}
