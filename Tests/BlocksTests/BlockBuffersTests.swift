import Base
import Blocks
import SimulatedWorld
import Synchronization
import Testing

/// A buffer is held until `withExtendedLifetime`: an optimised build lets go after the last use it sees.
@Suite struct BlockBuffersTests {
  @Test func buffersInUseNeverExceedTheLimit() throws {
    for seed in 0..<50 as Range<UInt64> {
      let runtime = SimulatedRuntime(seed: seed)
      let buffers = BlockBuffers(bufferBytes: 1000, totalBytes: 4500, runtime: runtime)
      try runtime.run {
        let tasks = (0..<20).map { index in
          runtime.spawn {
            for _ in 0..<5 {
              do {
                let buffer = try await buffers.take(index == 3 ? 3000 : 0)
                #expect(buffers.usedBytes <= 4500, "seed \(seed)")
                try await runtime.sleep(for: .milliseconds(runtime.random.below(5)))
                withExtendedLifetime(buffer) {}
              } catch {
                Issue.record("seed \(seed): \(error)")
              }
            }
          }
        }
        for task in tasks { await task.value }
      }
      #expect(buffers.usedBytes == 0, "seed \(seed)")
      #expect(buffers.waiterCount == 0, "seed \(seed)")
    }
  }

  @Test func waitersAreServedInOrder() throws {
    let runtime = SimulatedRuntime(seed: 3)
    let buffers = BlockBuffers(bufferBytes: 1000, totalBytes: 2000, runtime: runtime)
    let order = Mutex<[Int]>([])
    try runtime.run {
      var held = [try await buffers.take(), try await buffers.take()]
      var tasks: [Task<Void, Never>] = []
      for index in 0..<6 {
        tasks.append(
          runtime.spawn {
            // The second one is large and must not be overtaken.
            let buffer = try? await buffers.take(index == 1 ? 2000 : 0)
            order.withLock { $0.append(index) }
            try? await runtime.sleep(for: .milliseconds(1))
            withExtendedLifetime(buffer) {}
          })
        try await runtime.sleep(for: .milliseconds(1))
      }
      #expect(buffers.waiterCount == 6)
      #expect(buffers.takeNow() == nil)
      withExtendedLifetime(held) {}
      held.removeAll()
      for task in tasks { await task.value }
    }
    // Two small ones are let in at once, and run in either order.
    let served = order.withLock { $0 }
    #expect(served[..<2] == [0, 1])
    #expect(Set(served[2..<4]) == [2, 3])
    #expect(Set(served[4...]) == [4, 5])
  }

  @Test func aCancelledWaiterLeavesAndLetsTheNextOneIn() throws {
    for seed in 0..<50 as Range<UInt64> {
      let runtime = SimulatedRuntime(seed: seed)
      let buffers = BlockBuffers(bufferBytes: 1000, totalBytes: 2000, runtime: runtime)
      try runtime.run {
        let held = try await buffers.take()
        let large = runtime.spawn {
          await #expect(throws: CancellationError.self) { _ = try await buffers.take(2000) }
        }
        try await runtime.sleep(for: .milliseconds(1))
        let small = runtime.spawn { _ = try? await buffers.take() }
        try await runtime.sleep(for: .milliseconds(1))
        #expect(buffers.waiterCount == 2, "seed \(seed)")
        large.cancel()
        await large.value
        await small.value
        withExtendedLifetime(held) {}
      }
      #expect(buffers.usedBytes == 0, "seed \(seed)")
    }
  }

  @Test func aTaskThatIsCancelledBeforeItWaitsDoesNotWait() throws {
    let runtime = SimulatedRuntime(seed: 1)
    let buffers = BlockBuffers(bufferBytes: 1000, totalBytes: 1000, runtime: runtime)
    try runtime.run {
      let held = try await buffers.take()
      let task = runtime.spawn {
        await #expect(throws: CancellationError.self) { _ = try await buffers.take() }
      }
      task.cancel()
      await task.value
      withExtendedLifetime(held) {}
    }
  }

  @Test func aBufferLargerThanThePoolIsGivenOutAlone() throws {
    let runtime = SimulatedRuntime(seed: 1)
    let buffers = BlockBuffers(bufferBytes: 1000, totalBytes: 1000, runtime: runtime)
    try runtime.run {
      let buffer = try await buffers.take(5000)
      #expect(buffer.memory.count == 5000)
      #expect(buffers.takeNow() == nil)
      withExtendedLifetime(buffer) {}
    }
    #expect(buffers.takeNow() != nil)
  }
}
