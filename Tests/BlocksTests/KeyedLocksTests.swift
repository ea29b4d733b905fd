import Base
import Blocks
import SimulatedWorld
import Synchronization
import Testing

@Suite struct KeyedLocksTests {
  @Test func oneTaskAtATimeHoldsAKey() throws {
    for seed in 0..<100 as Range<UInt64> {
      let runtime = SimulatedRuntime(seed: seed)
      let locks = KeyedLocks<Int>()
      let inside = Mutex<[Int: Int]>([:])
      let entered = Atomic<Int>(0)
      try runtime.run {
        let tasks = (0..<30).map { index in
          runtime.spawn {
            let key = index % 3
            try? await locks.withLock(key) {
              entered.wrappingAdd(1, ordering: .relaxed)
              inside.withLock { $0[key, default: 0] += 1 }
              #expect(inside.withLock { $0[key] } == 1, "seed \(seed)")
              try? await runtime.sleep(for: .milliseconds(runtime.random.below(3)))
              inside.withLock { $0[key, default: 0] -= 1 }
            }
          }
        }
        for _ in 0..<5 {
          try await runtime.sleep(for: .milliseconds(1))
          tasks[runtime.random.below(tasks.count)].cancel()
        }
        for task in tasks { await task.value }
      }
      #expect(locks.heldCount == 0, "seed \(seed)")
      #expect(entered.load(ordering: .relaxed) >= 25, "seed \(seed)")
    }
  }

  @Test func aBodyThatThrowsLetsGo() throws {
    struct Fault: Error {}
    let runtime = SimulatedRuntime(seed: 1)
    let locks = KeyedLocks<Int>()
    try runtime.run {
      await #expect(throws: Fault.self) { try await locks.withLock(1) { throw Fault() } }
      try await locks.withLock(1) {}
    }
    #expect(locks.heldCount == 0)
  }
}
