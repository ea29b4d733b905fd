import Base
import Glibc
import Reactor
import Testing

@Suite("Blocking pool")
struct BlockingPoolTests {
  private struct Refused: Error {}

  @Test("runs calls apart from the loop and resumes on it")
  func resumes() async throws {
    try await onLoops { group in
      let loop = group.loops[0]
      let value = try await group.blocking { loop.isCurrent ? 0 : 7 }
      #expect(value == 7)
      #expect(loop.isCurrent)
      await #expect(throws: Refused.self) {
        try await group.blocking { throw Refused() }
      }
    }
  }

  @Test("runs every call once, with many more callers than threads")
  func manyCallers() async throws {
    try await onLoops(2, blockingThreads: 2) { group in
      let ran = Tally()
      await withTaskGroup(of: Void.self) { children in
        for caller in 0..<200 {
          children.addTask(executorPreference: group.loops[caller % 2]) {
            for _ in 0..<20 {
              _ = try? await group.blocking { ran.add() }
            }
          }
        }
      }
      #expect(ran.value == 4000)
    }
  }

  @Test("reads while every thread that writes waits for the disk")
  func lanes() async throws {
    try await onLoops(blockingThreads: 2) { group in
      let gate = Gate()
      let writers = (0..<4).map { _ in
        group.spawn { try? await group.blocking(.writing) { gate.wait() } }
      }
      let read = Gate()
      let reader = group.spawn { try? await group.blocking(.reading) { read.open() } }
      let deadline = soon(5)
      while !read.isOpen, group.now < deadline { try await group.sleep(for: .milliseconds(1)) }
      #expect(read.isOpen)
      gate.open()
      for task in writers + [reader] { await task.value }
    }
  }

  @Test("drops a call that is cancelled before it began, and awaits one that has begun")
  func cancellation() async throws {
    try await onLoops(blockingThreads: 1) { group in
      let gate = Gate()
      let begun = Gate()
      let running = group.spawn {
        let value = try? await group.blocking { () -> Int in
          begun.open()
          gate.wait()
          return 5
        }
        #expect(value == 5)
      }
      try await begun.passed(on: group)
      let waiting = group.spawn {
        await #expect(throws: CancellationError.self) {
          try await group.blocking { Issue.record("ran") }
        }
      }
      try await group.sleep(for: .milliseconds(2))
      waiting.cancel()
      running.cancel()
      await waiting.value
      gate.open()
      await running.value
    }
  }

  @Test("gives up an abandonable call at its deadline and at a cancellation")
  func abandoned() async throws {
    try await onLoops { group in
      let pool = BlockingPool(threadsMax: 2)
      let gate = Gate()
      await #expect(throws: StreamError.timedOut) {
        try await pool.runAbandonably(deadline: group.now + .milliseconds(5)) { gate.wait() }
      }
      let task = group.spawn {
        await #expect(throws: CancellationError.self) {
          try await pool.runAbandonably(deadline: .distantFuture) { gate.wait() }
        }
      }
      try await group.sleep(for: .milliseconds(2))
      task.cancel()
      await task.value
      gate.open()
      #expect(try await pool.runAbandonably(deadline: soon()) { 3 } == 3)
    }
  }

  @Test("computes on one thread that leaves the processor to others")
  func computing() async throws {
    try await onLoops { group in
      let gate = Gate()
      let first = group.spawn { _ = try? await group.blocking(.computing) { gate.wait() } }
      let niceness: @Sendable () -> Int32 = { getpriority(Int32(PRIO_PROCESS.rawValue), 0) }
      let usual = niceness()
      let reading = try await group.blocking(.reading, niceness)
      gate.open()
      let computing = try await group.blocking(.computing, niceness)
      #expect(reading == usual)
      #expect(computing == min(19, usual + 10))
      await first.value
    }
  }
}
