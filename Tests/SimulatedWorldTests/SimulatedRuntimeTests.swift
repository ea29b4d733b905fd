import Base
import Reactor
import SimulatedWorld
import Testing

@Suite("Simulated runtime")
struct SimulatedRuntimeTests {
  /// Three workers that sleep and spawn; what they note depends on the order alone.
  private func play(seed: UInt64) throws -> SimulatedRuntime {
    let runtime = SimulatedRuntime(seed: seed)
    try runtime.run {
      await withTaskGroup(of: Void.self) { group in
        for worker in 0..<3 {
          group.addTask {
            for round in 0..<20 {
              try? await runtime.sleep(for: .milliseconds(10 * (1 + runtime.random.below(3))))
              runtime.note("worker \(worker) round \(round)")
              await runtime.spawn { runtime.note("child of \(worker)") }.value
              _ = try? await runtime.blocking { round }
            }
          }
        }
      }
    }
    return runtime
  }

  @Test("repeats a seed's steps exactly")
  func repeats() throws {
    for seed: UInt64 in 1...5 {
      let first = try play(seed: seed)
      let second = try play(seed: seed)
      #expect(first.trace == second.trace, "seed \(seed)")
      #expect(first.fingerprint == second.fingerprint, "seed \(seed)")
      #expect(first.steps == second.steps, "seed \(seed)")
      #expect(first.trace.count == 120, "seed \(seed)")
    }
  }

  @Test("orders ready jobs differently for another seed")
  func differs() throws {
    let orders = try Set((1...8 as ClosedRange<UInt64>).map { try play(seed: $0).trace })
    #expect(orders.count == 8)
  }

  @Test("moves the time to the next timer and no further")
  func virtualTime() throws {
    let runtime = SimulatedRuntime(seed: 1)
    let start = runtime.now
    let wallStart = runtime.wallNow
    try runtime.run {
      try await runtime.sleep(for: .seconds(86_400))
      #expect(runtime.now - start == .seconds(86_400))
      #expect(runtime.wallNow.seconds - wallStart.seconds == 86_400)
      try await runtime.sleep(until: start)
      #expect(runtime.now - start == .seconds(86_400))
    }
  }

  @Test("wakes a cancelled sleeper at once")
  func cancelledSleep() throws {
    let runtime = SimulatedRuntime(seed: 2)
    try runtime.run {
      let start = runtime.now
      let sleeper = runtime.spawn {
        await #expect(throws: CancellationError.self) {
          try await runtime.sleep(for: .seconds(3600))
        }
        #expect(runtime.now - start == .seconds(1))
      }
      try await runtime.sleep(for: .seconds(1))
      sleeper.cancel()
      await sleeper.value
      #expect(runtime.now - start == .seconds(1))
    }
  }

  @Test("lets a task that is cancelled already neither sleep nor block")
  func cancelledBefore() throws {
    let runtime = SimulatedRuntime(seed: 3)
    try runtime.run {
      let task = runtime.spawn {
        withUnsafeCurrentTask { $0?.cancel() }
        await #expect(throws: CancellationError.self) {
          try await runtime.sleep(for: .seconds(1))
        }
        await #expect(throws: CancellationError.self) {
          try await runtime.blocking { Issue.record("ran") }
        }
      }
      await task.value
    }
    #expect(runtime.elapsed == .zero)
  }

  @Test("says that nothing can happen any more")
  func deadlock() throws {
    let runtime = SimulatedRuntime(seed: 4)
    let pipe = SimulatedPipe(runtime)
    #expect {
      try runtime.run {
        var byte: UInt8 = 0
        try await withUnsafeMutableBytes(of: &byte, reading: pipe.first)
      }
    } throws: { error in
      guard case SimulationError.deadlock(let seed, _) = error else { return false }
      return seed == 4 && "\(error)".contains("no job is ready")
    }
  }

  @Test("says that the body goes round in circles")
  func livelock() throws {
    let runtime = SimulatedRuntime(seed: 5)
    runtime.stepsMax = 1000
    #expect(throws: SimulationError.self) {
      try runtime.run { while true { await Task.yield() } }
    }
  }

  @Test("lets blocking calls take the virtual time that the test says")
  func blockingDelay() throws {
    let runtime = SimulatedRuntime(seed: 6)
    runtime.blockingDelay = .milliseconds(3) ... .milliseconds(8)
    let value = try runtime.run { try await runtime.blocking { 42 } }
    #expect(value == 42)
    #expect((Duration.milliseconds(3) ... .milliseconds(8)).contains(runtime.elapsed))
  }

  @Test("stops the process when a job comes from a foreign thread")
  func foreignThread() async {
    await #expect(processExitsWith: .failure) {
      let runtime = SimulatedRuntime(seed: 7)
      try runtime.run {
        await withCheckedContinuation { continuation in
          runtime.at(runtime.now + .seconds(1)) {
            // The body waits by now, so that going on takes a job.
            Task.detached { continuation.resume() }
            // Keeps the runtime's thread busy until the foreign one has stopped the process.
            while true {}
          }
        }
      }
    }
  }
}

/// Reads once into `value`.
private nonisolated(nonsending) func withUnsafeMutableBytes(
  of value: inout UInt8, reading stream: SimulatedStream
) async throws {
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1, alignment: 1)
  defer { buffer.deallocate() }
  _ = try await stream.read(into: buffer, deadline: .distantFuture)
  value = buffer[0]
}
