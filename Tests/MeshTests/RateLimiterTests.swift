// The limit on what goes out: how much, and how evenly.

import Base
import Mesh
import Reactor
import SimulatedWorld
import Synchronization
import Testing

@Suite struct RateLimiterTests {
  /// A line a tenth faster than the limit, and a sender whose timers are late: hardly anything gathers in front of the line.
  @Test(arguments: 0..<10) func littleWaitsInFrontOfALine(_ seed: UInt64) {
    let random = SeededRandom(seed: seed)
    let (limit, line) = (2_250_000, 2_500_000.0)
    let limiter = RateLimiter(bytesPerSecond: limit)
    var now = MonotonicInstant(nanoseconds: 1_000_000_000)
    let began = now
    var lineIsFree = now
    var longest = Duration.zero
    var sum = 0
    while now - began < .seconds(20) {
      let bytes = limiter.pieceBytesMax
      if let start = limiter.reserve(bytes, now: now) {
        // Mostly punctual; sometimes another program has the processor.
        let late = random.below(100) == 0 ? random.below(30_000) : random.below(1000)
        now = start + .microseconds(Int64(late))
      }
      lineIsFree =
        max(lineIsFree, now) + .nanoseconds(Int64(Double(bytes) * 1.04 / line * 1e9))
      longest = max(longest, lineIsFree - now)
      sum += bytes
    }
    // What was late, what is made up for, and the next one: 2, 4 and 2 ms at the rate of the limit.
    #expect(longest < .milliseconds(8), "\(longest)")
    let share = Double(sum) * 1.04 / (now - began).inSeconds / Double(limit)
    #expect(share < 1.01 && share > 0.9, "\(share)")
  }

  @Test func aPieceIsAPacketAtLeast() {
    #expect(RateLimiter(bytesPerSecond: 1024).pieceBytesMax == 1400)
    #expect(RateLimiter(bytesPerSecond: nil).pieceBytesMax == .max)
  }

  /// A whole outbox at once would be 30 ms of a line of 20 Mbit/s.
  @Test func aConnectionWritesNoMoreThanAPieceAtOnce() throws {
    let runtime = SimulatedRuntime(seed: 1)
    try runtime.run {
      let limiter = RateLimiter(bytesPerSecond: 2_250_000)
      let wire = WatchedStream(SimulatedPipe(runtime).first)
      let connection = MeshConnection(
        peer: NodeID(random: runtime.random), isDialler: true,
        hello: Hello(
          cluster: ClusterID(random: runtime.random), start: StartID(random: runtime.random),
          lane: .bulk, observed: ""),
        wire: MeshWire(wire), runtime: runtime)
      let services = MeshConnectionServices(
        endpoints: .forTests(on: runtime), upload: limiter,
        download: RateLimiter(bytesPerSecond: nil), news: { [] }, heardNews: { _, _ in })
      let serving = runtime.spawn { _ = await connection.run(services) }
      let stream = try await connection.open(
        "test/sink", deadline: .distantFuture, first: [], isEnd: false)
      try await stream.write([UInt8](repeating: 1, count: 1_000_000))
      serving.cancel()
      await serving.value
      #expect(wire.longest > 0 && wire.longest <= limiter.pieceBytesMax, "\(wire.longest)")
      // Nor does much gather in the kernel while TCP waits, to go out at once when it goes on.
      #expect(wire.unsentMax == limiter.pieceBytesMax)
    }
  }
}

/// A stream that takes everything at once and remembers the longest write.
private final class WatchedStream: ByteStream {
  private let below: any ByteStream
  private let most = Mutex(0)
  private let unsent = Mutex(Int.max)

  init(_ below: any ByteStream) { self.below = below }

  var longest: Int { most.withLock { $0 } }
  var unsentMax: Int { unsent.withLock { $0 } }

  func limitUnsent(toBytes bytes: Int) { unsent.withLock { $0 = bytes } }

  nonisolated(nonsending) func write(
    _ bytes: UnsafeRawBufferPointer, deadline: MonotonicInstant
  ) async throws {
    most.withLock { $0 = max($0, bytes.count) }
  }

  nonisolated(nonsending) func read(
    into buffer: UnsafeMutableRawBufferPointer, deadline: MonotonicInstant
  ) async throws -> Int {
    try await below.read(into: buffer, deadline: deadline)
  }

  nonisolated(nonsending) func waitUntilReadable(deadline: MonotonicInstant) async throws {
    try await below.waitUntilReadable(deadline: deadline)
  }

  nonisolated(nonsending) func finishWriting(deadline: MonotonicInstant) async throws {}

  func close() { below.close() }

  var peerDescription: String { below.peerDescription }
}
