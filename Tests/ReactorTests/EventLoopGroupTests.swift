import Base
import Reactor
import Testing

@Suite("Event loop group")
struct EventLoopGroupTests {
  @Test("returns what its main task returns")
  func exitCode() async {
    let code = await withCheckedContinuation { continuation in
      startThread {
        continuation.resume(
          returning: EventLoopGroup(loopCount: 3, blockingThreads: 1).run { 42 })
      }
    }
    #expect(code == 42)
  }

  @Test("keeps a task, its children and what they await on one loop")
  func staysOnLoop() async throws {
    try await onLoops(2) { group in
      let loop = group.loops[1]
      await group.spawn(on: loop) {
        #expect(loop.isCurrent)
        await withTaskGroup(of: Bool.self) { children in
          for _ in 0..<4 {
            children.addTask {
              try? await group.sleep(for: .microseconds(100))
              await Task.yield()
              return loop.isCurrent
            }
          }
          for await isOnLoop in children { #expect(isOnLoop) }
        }
        _ = try? await group.blocking { 1 }
        #expect(loop.isCurrent)
        await group.spawn { #expect(loop.isCurrent) }.value
        #expect(loop.isCurrent)
        async let child = { loop.isCurrent }()
        #expect(await child)
      }.value
      #expect(group.loops[0].isCurrent)
    }
  }

  @Test("runs actors on the loop that they are pinned to")
  func pinnedActor() async throws {
    try await onLoops(2) { group in
      let counter = PinnedCounter(loop: group.loops[1])
      await withTaskGroup(of: Void.self) { children in
        for _ in 0..<50 {
          children.addTask { for _ in 0..<100 { await counter.increment() } }
        }
      }
      #expect(await counter.value == 5000)
      #expect(group.loops[0].isCurrent)
    }
  }

  @Test("loses no job that other threads hand over")
  func remoteJobs() async throws {
    try await onLoops(2) { group in
      let sum = Tally()
      await withTaskGroup(of: Void.self) { children in
        for number in 0..<20_000 {
          children.addTask(executorPreference: group.loops[number % 2]) {
            sum.add(number)
          }
        }
      }
      #expect(sum.value == 20_000 * 19_999 / 2)
      // Back and forth, so that each side finds the other asleep.
      for _ in 0..<2000 {
        await group.spawn(on: group.loops[1]) { #expect(group.loops[1].isCurrent) }.value
      }
    }
  }

  @Test("wakes sleepers in the order of their deadlines, and not early")
  func sleepOrder() async throws {
    try await onLoops { group in
      let woken = Order()
      await withTaskGroup(of: Void.self) { children in
        for number in [5, 1, 4, 2, 3] {
          children.addTask {
            let deadline = group.now + .milliseconds(20 * number)
            try? await group.sleep(until: deadline)
            #expect(group.now >= deadline)
            woken.append(number)
          }
        }
      }
      #expect(woken.numbers == [1, 2, 3, 4, 5])
    }
  }

  @Test("wakes a cancelled sleeper, on whichever thread it is cancelled and however early")
  func cancelledSleep() async throws {
    try await onLoops(2) { group in
      for round in 0..<300 {
        let sleeper = group.spawn(on: group.loops[round % 2]) {
          await #expect(throws: CancellationError.self) {
            try await group.sleep(for: .seconds(3600))
          }
        }
        if round % 3 == 0 { try await group.sleep(for: .microseconds(50)) }
        sleeper.cancel()
        await sleeper.value
      }
    }
  }

  @Test("does not begin to wait for a sleeper that is cancelled already", arguments: [true, false])
  func sleepAfterCancellation(onTheLoop: Bool) async throws {
    try await onLoops { group in
      let sleep: @Sendable () async -> Bool = {
        withUnsafeCurrentTask { $0?.cancel() }
        return (try? await group.sleep(for: .seconds(5))) == nil
      }
      let sleeper =
        onTheLoop
        ? Task(executorPreference: group.loops[0]) { await sleep() }
        : Task.detached { await sleep() }
      #expect(await sleeper.value, "slept to the end")
    }
  }

  @Test("lets threads outside of it sleep on it")
  func sleepFromOutside() async throws {
    try await onLoops { group in
      await Task.detached {
        let start = group.now
        try? await group.sleep(for: .milliseconds(5))
        #expect(group.now - start >= .milliseconds(5))
        let sleeper = Task.detached {
          do {
            try await group.sleep(for: .seconds(3600))
            Issue.record("slept an hour")
          } catch {}
        }
        sleeper.cancel()
        await sleeper.value
      }.value
    }
  }

  @Test("lets sockets and timers through while jobs queue jobs without end")
  func fairness() async throws {
    try await onLoops { group in
      let done = Gate()
      let spinner = group.spawn {
        while !done.isOpen { await Task.yield() }
      }
      let (first, second) = try SocketStream.pair(on: group.loops[0])
      try await write([7], to: first)
      #expect(try await read(second) == [7])
      try await group.sleep(for: .milliseconds(2))
      done.open()
      await spinner.value
    }
  }
}

private actor PinnedCounter {
  private let loop: EventLoop
  nonisolated let executor: LoopSerialExecutor
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
  private(set) var value = 0

  init(loop: EventLoop) {
    self.loop = loop
    executor = loop.serialExecutor
  }

  func increment() {
    #expect(loop.isCurrent)
    assumeOnLoop()
    value += 1
  }

  private nonisolated func assumeOnLoop() {
    assumeIsolated { _ in }
  }
}
