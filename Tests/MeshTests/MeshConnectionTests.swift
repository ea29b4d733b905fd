// Streams over one connection.

import Base
import Mesh
import SimulatedWorld
import Synchronization
import Testing

@Suite struct MeshConnectionTests {
  /// Many streams at once, both ways, of sizes around frames and windows: each comes back byte for byte.
  @Test(arguments: 0..<20) func streamsComeThroughWholeAndInOrder(_ seed: UInt64) throws {
    let runtime = SimulatedRuntime(seed: seed)
    try runtime.run {
      let pair = SimulatedPair(runtime)
      try await pair.serving(.forTests(on: runtime)) { pair in
        try await withThrowingTaskGroup { group in
          for number in 0..<12 {
            group.addTask {
              let connection = number % 2 == 0 ? pair.dialler : pair.acceptor
              let sizes = [0, 1, 5000, 16_372, 16_373, 65_536, 200_000]
              let count = sizes[runtime.worldRandom.below(sizes.count)]
              let bytes = SeededRandom(seed: UInt64(number)).bytes(count)
              // Not more than a window: it is sent before anything is read.
              let first = runtime.worldRandom.below(min(count, 60_000) + 1)
              let stream = try await connection.open(
                "test/echo", deadline: .distantFuture, first: Array(bytes[..<first]), isEnd: false)
              async let writing: Void = stream.write(bytes, from: first, isEnd: true)
              let echo = try await stream.readAll()
              try await writing
              #expect(echo == bytes, "seed \(seed), stream \(number)")
            }
          }
          try await group.waitForAll()
        }
      }
    }
  }

  @Test func whoReadsSlowlyHoldsUpOnlyItsStream() throws {
    let runtime = SimulatedRuntime(seed: 1)
    try runtime.run {
      let pair = SimulatedPair(runtime)
      try await pair.serving(.forTests(on: runtime)) { pair in
        let slow = try await pair.dialler.open(
          "test/sink", deadline: .distantFuture, first: [], isEnd: false)
        let sent = Mutex(0)
        let writer = runtime.spawn {
          while (try? await slow.write([UInt8](repeating: 7, count: 1000))) != nil {
            sent.withLock { $0 += 1000 }
          }
        }
        try await runtime.sleep(for: .seconds(3))
        // The window, and what waits to be sent; not more, however long it goes on.
        #expect(sent.withLock { $0 } <= MeshLane.control.windowBytes)
        #expect(sent.withLock { $0 } > MeshLane.control.windowBytes - 1000)
        let echo = try await pair.dialler.open(
          "test/echo", deadline: .distantFuture, first: [1, 2, 3], isEnd: true)
        #expect(try await echo.readAll() == [1, 2, 3])
        slow.cancel()
        await writer.value
      }
    }
  }

  @Test func cancellingTheAskerCancelsTheAnswer() throws {
    let runtime = SimulatedRuntime(seed: 2)
    try runtime.run {
      let isCancelled = Mutex(false)
      let pair = SimulatedPair(runtime)
      let endpoints = EndpointRegistry.forTests(on: runtime) { isCancelled.withLock { $0 = true } }
      try await pair.serving(endpoints) { pair in
        let task = runtime.spawn {
          let stream = try? await pair.dialler.open(
            "test/hang", deadline: .distantFuture, first: [], isEnd: true)
          _ = try? await stream?.readAll()
        }
        try await runtime.sleep(for: .seconds(1))
        #expect(!isCancelled.withLock { $0 })
        task.cancel()
        try await runtime.sleep(for: .milliseconds(100))
        #expect(isCancelled.withLock { $0 })
      }
    }
  }

  @Test func deadlinesTravel() throws {
    let runtime = SimulatedRuntime(seed: 3)
    try runtime.run {
      let isCancelled = Mutex(false)
      let pair = SimulatedPair(runtime)
      let endpoints = EndpointRegistry.forTests(on: runtime) { isCancelled.withLock { $0 = true } }
      try await pair.serving(endpoints) { pair in
        let stream = try await pair.dialler.open(
          "test/hang", deadline: pair.in(.seconds(2)), first: [], isEnd: true)
        let began = runtime.now
        await #expect(throws: MeshError.self) { _ = try await stream.readAll() }
        #expect(runtime.now - began < .milliseconds(2100))
        try await runtime.sleep(for: .milliseconds(100))
        #expect(isCancelled.withLock { $0 })
      }
    }
  }

  @Test func moreStreamsThanThePeerAllowsWait() throws {
    let runtime = SimulatedRuntime(seed: 4)
    try runtime.run {
      let pair = SimulatedPair(runtime) { $0.streamsMax = 3 }
      try await pair.serving(.forTests(on: runtime)) { pair in
        var held: [MeshStream] = []
        for _ in 0..<3 {
          held.append(
            try await pair.dialler.open(
              "test/hang", deadline: .distantFuture, first: [], isEnd: true))
        }
        let opened = Mutex(false)
        let fourth = runtime.spawn {
          _ = try? await pair.dialler.open(
            "test/echo", deadline: .distantFuture, first: [], isEnd: true)
          opened.withLock { $0 = true }
        }
        try await runtime.sleep(for: .seconds(5))
        #expect(!opened.withLock { $0 })
        held[1].cancel()
        try await runtime.sleep(for: .milliseconds(100))
        #expect(opened.withLock { $0 })
        await fourth.value
      }
    }
  }

  /// A peer that opens streams and resets them at once, while answers do not notice that they are cancelled.
  @Test func whoResetsAtOnceMakesUsBeginNoMore() throws {
    let runtime = SimulatedRuntime(seed: 6)
    try runtime.run {
      let answers = Mutex((underWay: 0, most: 0))
      let endpoints = EndpointRegistry { registry in
        registry.stream("test/stubborn") { stream in
          answers.withLock {
            $0.underWay += 1
            $0.most = max($0.most, $0.underWay)
          }
          await runtime.spawn { try? await runtime.sleep(for: .seconds(30)) }.value
          answers.withLock { $0.underWay -= 1 }
          try await stream.write([1], isEnd: true)
        }
      }
      let pair = SimulatedPair(runtime)
      func open() async throws -> MeshStream {
        try await pair.dialler.open(
          "test/stubborn", deadline: .distantFuture, first: [], isEnd: true)
      }
      try await pair.serving(endpoints) { pair in
        for _ in 0..<2000 { try await open().cancel() }
        try await runtime.sleep(for: .seconds(1))
        #expect(answers.withLock(\.most) == 2 * MeshLane.control.streamsMax)
        let refused = try await open()
        await #expect(throws: MeshError.reset(.overloaded, "earlier answers are still under way")) {
          _ = try await refused.readAll()
        }
        try await runtime.sleep(for: .seconds(60))
        #expect(answers.withLock(\.underWay) == 0)
        #expect(try await open().readAll() == [1])
      }
    }
  }

  @Test func aPeerThatFallsSilentIsTakenForDeadWithinTenSeconds() throws {
    let runtime = SimulatedRuntime(seed: 5)
    try runtime.run {
      // The acceptor is not served: it reads nothing and says nothing.
      let pair = SimulatedPair(runtime)
      let services = MeshConnectionServices(
        endpoints: .forTests(on: runtime), upload: RateLimiter(bytesPerSecond: nil),
        download: RateLimiter(bytesPerSecond: nil), news: { [] }, heardNews: { _, _ in })
      let began = runtime.now
      let stream = try await pair.dialler.open(
        "test/hang", deadline: .distantFuture, first: [], isEnd: true)
      let reason = await pair.dialler.run(services)
      guard case .disconnected(.silence, _) = reason else {
        Issue.record("ended otherwise: \(reason)")
        return
      }
      #expect(runtime.now - began < .milliseconds(10_100))
      await #expect(throws: reason) { _ = try await stream.readAll() }
    }
  }

  @Test func anIdleConnectionStaysAndKnowsHowFarItsPeerIs() throws {
    let runtime = SimulatedRuntime(seed: 6)
    try runtime.run {
      var options = SimulatedPipeOptions()
      options.delay = .milliseconds(50) ... .milliseconds(50)
      let pair = SimulatedPair(runtime, pipe: options)
      try await pair.serving(.forTests(on: runtime)) { pair in
        try await runtime.sleep(for: .seconds(600))
        #expect(pair.dialler.failure == nil)
        for connection in [pair.dialler, pair.acceptor] {
          let roundTrip = try #require(connection.liveness.roundTrip)
          #expect(roundTrip >= .milliseconds(100) && roundTrip < .milliseconds(110))
        }
      }
    }
  }

  @Test func aBrokenConnectionFailsEveryStreamOnce() throws {
    let runtime = SimulatedRuntime(seed: 7)
    try runtime.run {
      let pair = SimulatedPair(runtime)
      try await pair.serving(.forTests(on: runtime)) { pair in
        let streams = try await [
          pair.dialler.open("test/hang", deadline: .distantFuture, first: [], isEnd: true),
          pair.acceptor.open("test/hang", deadline: .distantFuture, first: [], isEnd: true),
        ]
        pair.pipe.cut()
        for stream in streams {
          await #expect(throws: MeshError.self) { _ = try await stream.readAll() }
        }
        await #expect(throws: MeshError.self) {
          _ = try await pair.dialler.open(
            "test/echo", deadline: .distantFuture, first: [], isEnd: true)
        }
      }
    }
  }

  /// With an upload limit of 1 MB/s on both sides together, 2 MB there and back take four seconds.
  @Test(arguments: [(MeshLane.bulk, 3.9...4.5), (.control, 0...0.5)])
  func theUploadLimitHoldsBlocksAndNotQuestions(
    _ lane: MeshLane, _ seconds: ClosedRange<Double>
  ) throws {
    let runtime = SimulatedRuntime(seed: 8)
    try runtime.run {
      let pair = SimulatedPair(runtime, lane: lane)
      try await pair.serving(.forTests(on: runtime), upload: 1_000_000) { pair in
        let began = runtime.now
        let stream = try await pair.dialler.open(
          "test/echo", deadline: .distantFuture, first: [], isEnd: false)
        async let writing: Void = stream.write([UInt8](repeating: 1, count: 2_000_000), isEnd: true)
        #expect(try await stream.readAll().count == 2_000_000)
        try await writing
        let time = (runtime.now - began).inSeconds
        #expect(seconds.contains(time), "\(time) s")
      }
    }
  }
}
