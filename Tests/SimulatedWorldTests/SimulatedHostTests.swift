import Base
import Reactor
import SimulatedWorld
import Synchronization
import Testing

@Suite("Simulated host")
struct SimulatedHostTests {
  /// What tasks of a host did, in order.
  private final class Marks: Sendable {
    private let list = Mutex<[String]>([])
    var all: [String] { list.withLock { $0 } }
    func add(_ mark: String) { list.withLock { $0.append(mark) } }
  }

  @Test("lets nothing of a killed host resume", arguments: [false, true])
  func killedForGood(isPowerCut: Bool) throws {
    for seed: UInt64 in 1...5 {
      let marks = Marks()
      try SimulatedRuntime.withWorld(seed: seed) { world in
        let host = world.addHost("a")
        let other = world.addHost("b")
        other.start { host in try? await echo(on: host.network) }
        host.blockingDelay = .seconds(2) ... .seconds(2)
        host.spawn {
          try? await host.sleep(for: .seconds(2))
          marks.add("slept")
        }
        host.spawn {
          try? await host.blocking { marks.add("blocked") }
          marks.add("blocking returned")
        }
        host.spawn {
          let stream = try? await host.network.connect(
            to: other.addresses[0].with(port: 4000), deadline: .distantFuture)
          marks.add("connected")
          if let stream { _ = try? await read(stream) }
          marks.add("read")
        }
        host.spawn {
          await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await host.sleep(for: .seconds(2)) }
          }
          marks.add("child ended")
        }
        let cancelled = host.spawn {
          try? await host.sleep(for: .seconds(3600))
          marks.add("cancelled")
        }
        host.at(host.now + .seconds(2)) { marks.add("timer") }
        try await world.sleep(for: .seconds(1))
        if isPowerCut { host.cutPower() } else { host.kill() }
        cancelled.cancel()
        host.spawn { marks.add("spawned after death") }
        try await world.sleep(for: .seconds(10_000))
        #expect(marks.all == ["connected"], "seed \(seed)")
        host.start()
        try await world.sleep(for: .seconds(10_000))
        #expect(marks.all == ["connected"], "seed \(seed)")
      }
    }
  }

  @Test("drops jobs that were ready when it died")
  func readyJobs() throws {
    for seed: UInt64 in 1...20 {
      let ran = Atomic(0)
      let box = Box(ran)
      try SimulatedRuntime.withWorld(seed: seed) { world in
        let host = world.addHost("a")
        for _ in 0..<10 { host.spawn { box.value.add(1, ordering: .relaxed) } }
        host.kill()
        await Task.yield()
        try await world.sleep(for: .seconds(1))
        #expect(box.value.load(ordering: .relaxed) == 0, "seed \(seed)")
      }
    }
  }

  @Test("runs its program again in each life, with the same name, addresses and clock")
  func lives() throws {
    try SimulatedRuntime.withWorld(seed: 1) { world in
      let marks = Marks()
      let host = world.addHost("a", clockOffset: .seconds(5))
      host.start { host in
        marks.add("\(host.name) \(host.addresses[0].host) \(host.clockOffset)")
        try? await host.sleep(for: .seconds(3600))
        marks.add("ended")
      }
      for _ in 0..<3 {
        try await world.sleep(for: .seconds(1))
        host.kill()
        #expect(host.state == .stopped)
        try await world.sleep(for: .seconds(1))
        host.start()
        #expect(host.state == .running)
      }
      try await world.sleep(for: .seconds(1))
      #expect(marks.all == Array(repeating: "a 203.0.113.1 5.0 seconds", count: 4))
      #expect(world.counters.kills == 3)
      #expect(world.counters.starts == 3)
    }
  }

  @Test("tells who runs something on it that it died")
  func diesMeanwhile() throws {
    try SimulatedRuntime.withWorld(seed: 2) { world in
      let host = world.addHost("a")
      let seven = try await host.run { 7 }
      #expect(seven == 7)
      await #expect(throws: StreamError.timedOut) {
        try await host.run { throw StreamError.timedOut }
      }
      world.at(world.now + .seconds(1)) { host.kill() }
      await #expect(throws: HostDied.self) {
        try await host.run { try await host.sleep(for: .seconds(2)) }
      }
      #expect(world.elapsed == .seconds(1))
      await #expect(throws: HostDied.self) { try await host.run {} }
    }
  }

  @Test("passes a cancellation on to what runs on it")
  func cancelledCall() throws {
    try SimulatedRuntime.withWorld(seed: 3) { world in
      let host = world.addHost("a")
      let caller = world.spawn {
        await #expect(throws: CancellationError.self) {
          try await host.run { try await host.sleep(for: .seconds(3600)) }
        }
      }
      try await world.sleep(for: .seconds(1))
      caller.cancel()
      await caller.value
      #expect(world.elapsed == .seconds(1))
    }
  }

  @Test("has a wall clock that is wrong and steps, and a monotonic one that does not")
  func clockStep() throws {
    try SimulatedRuntime.withWorld(seed: 4) { world in
      let host = world.addHost("a", clockOffset: .seconds(-60))
      let other = world.addHost("b")
      #expect(other.wallNow.milliseconds - host.wallNow.milliseconds == 60_000)
      let start = host.now
      try await host.run {
        let before = host.wallNow
        try await host.sleep(for: .seconds(1))
        #expect(host.wallNow.milliseconds - before.milliseconds == 1000)
        host.stepClock(by: .seconds(3600))
        #expect(host.wallNow.milliseconds - before.milliseconds == 3_601_000)
        try await host.sleep(for: .seconds(1))
      }
      #expect(host.now - start == .seconds(2))
      #expect(host.wallNow.milliseconds - other.wallNow.milliseconds == 3_540_000)
      host.kill()
      host.start()
      #expect(host.wallNow.milliseconds - other.wallNow.milliseconds == 3_540_000)
      #expect(world.counters.clockSteps == 1)
    }
  }

  @Test("has randomness of its own")
  func randomness() throws {
    func draw(_ seed: UInt64, _ extra: Bool) throws -> [UInt64] {
      try SimulatedRuntime.withWorld(seed: seed) { world in
        let hosts = ["a", "b"].map { world.addHost($0) }
        if extra { _ = hosts[0].random.next() }
        return [hosts[1].random.next(), hosts[1].random.next(), hosts[0].random.next()]
      }
    }
    let first = try draw(1, false)
    #expect(try draw(1, false) == first)
    #expect(Set(first).count == 3)
    // What one host draws changes nothing for another.
    #expect(try draw(1, true)[..<2] == first[..<2])
    #expect(try draw(2, false)[0] != first[0])
  }
}

/// Something that cannot be copied, for closures.
private final class Box: Sendable {
  let value: Atomic<Int>
  init(_ value: consuming Atomic<Int>) { self.value = value }
}
