import Base
import Reactor
import SimulatedWorld
import Testing

@Suite("Simulated pipe")
struct SimulatedPipeTests {
  private static let payload = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }

  @Test("delivers every byte in order, however the seed cuts and delays them")
  func delivers() throws {
    for seed: UInt64 in 1...10 {
      let runtime = SimulatedRuntime(seed: seed)
      let pipe = SimulatedPipe(runtime)
      let received = try runtime.run {
        let writer = runtime.spawn {
          try? await write(Self.payload, to: pipe.first)
          try? await pipe.first.finishWriting(deadline: .distantFuture)
        }
        let received = try await readAll(pipe.second)
        await writer.value
        return received
      }
      #expect(received == Self.payload, "seed \(seed)")
      #expect(runtime.elapsed > .zero, "seed \(seed)")
    }
  }

  @Test("makes a writer wait for its reader")
  func backPressure() throws {
    let runtime = SimulatedRuntime(seed: 11)
    var options = SimulatedPipeOptions()
    options.capacityBytes = 1000
    let pipe = SimulatedPipe(runtime, options: options)
    try runtime.run {
      await #expect(throws: StreamError.timedOut) {
        try await write(
          [UInt8](repeating: 1, count: 1001), to: pipe.first,
          deadline: runtime.now + .seconds(5))
      }
      #expect(runtime.elapsed == .seconds(5))
    }
  }

  @Test("ends reads at their deadline and at a cancellation, and works on afterwards")
  func deadlineAndCancellation() throws {
    let runtime = SimulatedRuntime(seed: 12)
    let pipe = SimulatedPipe(runtime)
    try runtime.run {
      await #expect(throws: StreamError.timedOut) {
        _ = try await read(pipe.second, deadline: runtime.now + .seconds(2))
      }
      #expect(runtime.elapsed == .seconds(2))
      let reader = runtime.spawn {
        await #expect(throws: CancellationError.self) { _ = try await read(pipe.second) }
      }
      try await runtime.sleep(for: .seconds(1))
      reader.cancel()
      await reader.value
      try await write([1, 2, 3], to: pipe.first)
      #expect(try await read(pipe.second).first == 1)
    }
  }

  @Test("fails both ends once it is cut")
  func cut() throws {
    let runtime = SimulatedRuntime(seed: 13)
    var options = SimulatedPipeOptions()
    options.cutAfterBytes = 10
    let pipe = SimulatedPipe(runtime, options: options)
    try runtime.run {
      try await write([UInt8](repeating: 7, count: 10), to: pipe.first)
      await #expect(throws: StreamError.self) { _ = try await read(pipe.second) }
      await #expect(throws: StreamError.self) { try await write([1], to: pipe.first) }
      await #expect(throws: StreamError.self) { try await write([1], to: pipe.second) }
    }
  }

  @Test("ends the peer's stream when an end is closed")
  func close() throws {
    let runtime = SimulatedRuntime(seed: 14)
    let pipe = SimulatedPipe(runtime)
    try runtime.run {
      try await write([9, 9], to: pipe.first)
      pipe.first.close()
      #expect(try await readAll(pipe.second) == [9, 9])
      await #expect(throws: StreamError.self) { try await write([1], to: pipe.second) }
      await #expect(throws: StreamError.self) { _ = try await read(pipe.first) }
    }
  }
}
