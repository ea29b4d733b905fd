import Base
import Glibc
import Reactor
import SimulatedWorld
import Testing

@Suite("Simulated network")
struct SimulatedNetworkTests {
  /// A world of two hosts; the second one sends back what it gets.
  private func withPair(
    seed: UInt64,
    _ body:
      @escaping @Sendable (SimulatedRuntime, SimulatedHost, SimulatedHost) async throws ->
      Void
  ) throws {
    try SimulatedRuntime.withWorld(seed: seed) { world in
      let first = world.addHost("a")
      let second = world.addHost("b")
      second.start { host in try? await echo(on: host.network) }
      world.net.resetPercent = 0
      try await world.sleep(for: .milliseconds(1))
      try await body(world, first, second)
    }
  }

  @Test("delivers every byte in order, whatever happens on the way")
  func delivers() throws {
    let payload = (0..<700_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    for seed: UInt64 in 1...10 {
      try withPair(seed: seed) { world, first, second in
        second.downlinkBytesPerSecond = 1_000_000
        if seed % 2 == 0 { first.uplinkBytesPerSecond = 300_000 }
        let faults = world.spawn {
          while !Task.isCancelled {
            try? await world.sleep(
              for: world.worldRandom.duration(in: .zero ... .milliseconds(300)))
            world.net.cut(from: first, to: second)
            if world.worldRandom.below(2) == 0 { world.net.cut(from: second, to: first) }
            try? await world.sleep(for: .milliseconds(200))
            world.net.heal()
          }
        }
        let received = try await first.run {
          let stream = try await connect(first, to: second)
          let writer = first.spawn {
            try? await write(payload, to: stream)
            try? await stream.finishWriting(deadline: .distantFuture)
          }
          var received: [UInt8] = []
          while received.count < payload.count { received += try await read(stream) }
          await writer.value
          return received
        }
        faults.cancel()
        #expect(received == payload, "seed \(seed)")
        #expect(world.counters.cuts > 0)
      }
    }
  }

  @Test(
    "takes a second for a megabyte over a line of a megabyte a second", arguments: [true, false])
  func bandwidth(isUplink: Bool) throws {
    try withPair(seed: 1) { world, first, second in
      world.net.defaultLink = SimulatedLink(delay: .zero ... .zero)
      if isUplink {
        first.uplinkBytesPerSecond = 1_000_000
      } else {
        second.downlinkBytesPerSecond = 1_000_000
      }
      let streams = try await first.run {
        [try await connect(first, to: second), try await connect(first, to: second)]
      }
      let start = world.now
      // Two connections share the line.
      try await first.run {
        await withTaskGroup(of: Void.self) { group in
          for stream in streams {
            group.addTask {
              try? await write([UInt8](repeating: 1, count: 500_000), to: stream)
              var count = 0
              while count < 500_000 { count += (try? await read(stream).count) ?? 500_000 }
            }
          }
        }
      }
      let time = world.now - start
      #expect(time >= .milliseconds(1000) && time < .milliseconds(1020), "\(time)")
      #expect(world.counters.bytes == 2_000_000)
    }
  }

  @Test("lets a small message pass beside a large one on a slow line")
  func turns() throws {
    try withPair(seed: 2) { world, first, second in
      world.net.defaultLink = SimulatedLink(delay: .zero ... .zero)
      first.uplinkBytesPerSecond = 1_000_000
      let bulk = try await first.run { try await connect(first, to: second) }
      let small = try await first.run { try await connect(first, to: second) }
      first.spawn { try? await write([UInt8](repeating: 1, count: 1_000_000), to: bulk) }
      try await world.sleep(for: .milliseconds(100))
      let start = world.now
      try await first.run {
        try await write([1], to: small)
        _ = try await read(small)
      }
      #expect(world.now - start < .milliseconds(50))
    }
  }

  @Test("refuses where nobody listens, and gives no answer where there is nobody")
  func refusedAndUnreachable() throws {
    try withPair(seed: 3) { world, first, second in
      await #expect(throws: StreamError.disconnected(errno: ECONNREFUSED)) {
        _ = try await first.run { try await connect(first, to: second, port: 1) }
      }
      second.kill()
      await #expect(throws: StreamError.disconnected(errno: ECONNREFUSED)) {
        _ = try await first.run { try await connect(first, to: second) }
      }
      second.cutPower()
      let start = world.now
      await #expect(throws: StreamError.timedOut) {
        _ = try await first.run {
          try await connect(first, to: second, deadline: first.now + .seconds(7))
        }
      }
      #expect(world.now - start == .seconds(7))
      await #expect(throws: StreamError.disconnected(errno: ETIMEDOUT)) {
        _ = try await first.run { try await connect(first, to: second) }
      }
      #expect(world.now - start == .seconds(134))
      #expect(world.counters.refusals == 2)
      #expect(world.counters.dialTimeouts == 2)
    }
  }

  @Test("tells the peers of a killed process, and not those of a host without power")
  func deaths() throws {
    try withPair(seed: 4) { world, first, second in
      let heard = try await first.run { try await connect(first, to: second) }
      second.kill()
      try await first.run {
        let rest = try? await read(heard, deadline: first.now + .seconds(1))
        #expect(rest == nil || rest == [])
      }
      second.start()
      try await world.sleep(for: .seconds(1))
      let silent = try await first.run { try await connect(first, to: second) }
      try await world.sleep(for: .seconds(1))
      second.cutPower()
      try await first.run {
        await #expect(throws: StreamError.timedOut) {
          _ = try await read(silent, deadline: first.now + .seconds(3600))
        }
        try await write([1], to: silent)
        await #expect(throws: StreamError.timedOut) {
          _ = try await read(silent, deadline: first.now + .seconds(60))
        }
      }
      // The new kernel knows of no such connection.
      second.start()
      await #expect(throws: StreamError.disconnected(errno: ECONNRESET)) {
        _ = try await first.run { try await read(silent, deadline: first.now + .seconds(60)) }
      }
    }
  }

  @Test("stalls in one direction only when one is cut, and goes on after healing")
  func oneWayCut() throws {
    try withPair(seed: 5) { world, first, second in
      let stream = try await first.run { try await connect(first, to: second) }
      try await first.run {
        try await write([1], to: stream)
        #expect(try await read(stream) == [1])
      }
      world.net.cut(from: second, to: first)
      // The answer does not come, and new connections do not either, in both directions.
      try await first.run {
        try await write([2], to: stream)
        await #expect(throws: StreamError.timedOut) {
          _ = try await read(stream, deadline: first.now + .seconds(30))
        }
        await #expect(throws: StreamError.timedOut) {
          _ = try await connect(first, to: second, deadline: first.now + .seconds(30))
        }
      }
      world.net.heal(from: second, to: first)
      let late = try await first.run {
        try await read(stream, deadline: first.now + .seconds(11))
      }
      #expect(late == [2])
      world.net.cut(from: first, to: second)
      try await first.run {
        try await write([3], to: stream)
        await #expect(throws: StreamError.timedOut) {
          _ = try await read(stream, deadline: first.now + .seconds(30))
        }
      }
      #expect(world.counters.cuts == 2 && world.counters.heals == 1)
    }
  }

  @Test("lets what is sent against the cut direction through until its window is full")
  func windowOfOneWay() throws {
    try SimulatedRuntime.withWorld(seed: 6) { world in
      let hosts = ["a", "b"].map { world.addHost($0) }
      world.net.resetPercent = 0
      hosts[1].start { host in
        let listener = try? host.network.listen(.ipv4(address: 0, port: 4000))
        await listener?.serve(limit: 1, logger: .disabled) { stream in
          var count = 0
          while let bytes = try? await read(stream), !bytes.isEmpty { count += bytes.count }
          world.note("got \(count)")
        }
      }
      try await world.sleep(for: .milliseconds(1))
      let bytes = [UInt8](repeating: 1, count: 1_000_000)
      let stream = try await hosts[0].run { try await connect(hosts[0], to: hosts[1]) }
      try await world.sleep(for: .seconds(1))
      world.net.cut(from: hosts[1], to: hosts[0])
      let writer = hosts[0].spawn {
        try? await write(bytes, to: stream)
        stream.close()
      }
      try await world.sleep(for: .seconds(60))
      // The bytes arrive, but nobody tells the sender.
      #expect(world.counters.bytes > 100_000 && world.counters.bytes < 500_000)
      world.net.heal()
      await writer.value
      try await world.sleep(for: .seconds(1))
      #expect(world.trace.last?.hasSuffix("got 1000000") == true)
    }
  }

  @Test("parts the hosts of a partition, and joins them again")
  func partition() throws {
    try SimulatedRuntime.withWorld(seed: 7) { world in
      let hosts = ["a", "b", "c"].map { world.addHost($0) }
      for host in hosts { host.start { host in try? await echo(on: host.network) } }
      try await world.sleep(for: .milliseconds(1))
      func reaches(_ from: Int, _ to: Int) async throws -> Bool {
        try await hosts[from].run {
          let deadline = hosts[from].now + .seconds(2)
          return (try? await connect(hosts[from], to: hosts[to], deadline: deadline)) != nil
        }
      }
      world.net.partition([hosts[0], hosts[1]], [hosts[2]])
      #expect(try await reaches(0, 1))
      #expect(try await !reaches(0, 2))
      #expect(try await !reaches(2, 1))
      world.net.heal()
      for from in 0..<3 { for to in 0..<3 { #expect(try await reaches(from, to)) } }
      #expect(world.counters.cuts == 4 && world.counters.heals == 4)
      world.net.isolate(hosts[1])
      #expect(try await reaches(0, 2))
      #expect(try await !reaches(0, 1))
    }
  }

  @Test("connects a dial that began during a cut once it is healed")
  func dialDuringCut() throws {
    try withPair(seed: 8) { world, first, second in
      world.net.cut(first, second)
      world.at(world.now + .seconds(5)) { world.net.heal() }
      _ = try await first.run {
        try await connect(first, to: second, deadline: first.now + .seconds(10))
      }
      #expect(world.elapsed > .seconds(5))
    }
  }

  @Test("resets some of the connections that stalled, as the seed chooses")
  func resetAfterHealing() throws {
    var resets = 0
    for seed: UInt64 in 1...20 {
      resets += try SimulatedRuntime.withWorld(seed: seed) { world in
        let hosts = ["a", "b"].map { world.addHost($0) }
        hosts[1].start { host in try? await echo(on: host.network) }
        world.net.resetPercent = 50
        try await world.sleep(for: .milliseconds(1))
        let stream = try await hosts[0].run { try await connect(hosts[0], to: hosts[1]) }
        try await world.sleep(for: .seconds(1))
        world.net.cut(hosts[0], hosts[1])
        try await hosts[0].run { try await write([1], to: stream) }
        try await world.sleep(for: .seconds(1))
        world.net.heal()
        let answer = try? await hosts[0].run { try await read(stream) }
        #expect((answer == [1]) == (world.counters.resets == 0))
        return world.counters.resets
      }
    }
    #expect(resets > 2 && resets < 18)
  }

  @Test("breaks connections that live as long as links allow")
  func lifetimes() throws {
    try withPair(seed: 9) { world, first, second in
      world.net.defaultLink.meanLifetime = .seconds(10)
      let stream = try await first.run { try await connect(first, to: second) }
      await #expect(throws: StreamError.disconnected(errno: ECONNRESET)) {
        _ = try await first.run { try await read(stream) }
      }
      #expect(world.elapsed < .seconds(21))
      #expect(world.counters.resets == 1)
    }
  }
}

/// Dials `port` of `host`'s first address.
nonisolated(nonsending) func connect(
  _ from: SimulatedHost, to host: SimulatedHost, port: UInt16 = 4000,
  deadline: MonotonicInstant = .distantFuture
) async throws -> SimulatedStream {
  let stream = try await from.network.connect(
    to: host.addresses[0].with(port: port), deadline: deadline)
  return try #require(stream as? SimulatedStream)
}
