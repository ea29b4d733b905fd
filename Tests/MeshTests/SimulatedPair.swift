// Two ends of a connection in the simulated world, over a pipe that delays, without TLS.

import Base
import Codecs
import Mesh
import SimulatedWorld
import Synchronization

/// Two connections joined to each other.
final class SimulatedPair: Sendable {
  let runtime: SimulatedRuntime
  let dialler: MeshConnection
  let acceptor: MeshConnection
  let pipe: SimulatedPipe

  init(
    _ runtime: SimulatedRuntime, lane: MeshLane = .control,
    pipe options: SimulatedPipeOptions = .init(),
    adjust: (inout Hello) -> Void = { _ in }
  ) {
    self.runtime = runtime
    pipe = SimulatedPipe(runtime, options: options)
    let cluster = ClusterID(random: runtime.random)
    func hello() -> Hello {
      var hello = Hello(
        cluster: cluster, start: StartID(random: runtime.random), lane: lane, observed: "")
      adjust(&hello)
      return hello
    }
    dialler = MeshConnection(
      peer: NodeID(random: runtime.random), isDialler: true, hello: hello(),
      wire: MeshWire(pipe.first), runtime: runtime)
    acceptor = MeshConnection(
      peer: NodeID(random: runtime.random), isDialler: false, hello: hello(),
      wire: MeshWire(pipe.second), runtime: runtime)
  }

  /// Serves both ends while `body` runs.
  nonisolated(nonsending) func serving(
    _ endpoints: EndpointRegistry, upload: Int? = nil,
    _ body: nonisolated(nonsending) (SimulatedPair) async throws -> Void
  ) async throws {
    let services = MeshConnectionServices(
      endpoints: endpoints, upload: RateLimiter(bytesPerSecond: upload),
      download: RateLimiter(bytesPerSecond: nil), news: { [] }, heardNews: { _, _ in })
    let tasks = [dialler, acceptor].map { connection in
      runtime.spawn { _ = await connection.run(services) }
    }
    defer { for task in tasks { task.cancel() } }
    try await body(self)
    dialler.close(.disconnected(.stopping, ""))
    for task in tasks { await task.value }
  }

  /// A moment from now.
  func `in`(_ duration: Duration) -> MonotonicInstant { runtime.now + duration }
}

extension EndpointRegistry {
  /// `test/echo` gives back what comes; `test/sink` reads a byte a second; `test/hang` does nothing until it is cancelled.
  static func forTests(
    on runtime: any Runtime, cancelled: @escaping @Sendable () -> Void = {}
  ) -> EndpointRegistry {
    EndpointRegistry { registry in
      registry.stream("test/echo") { stream in
        while true {
          let piece = try await stream.read(max: 30_000)
          try await stream.write(piece, isEnd: piece.isEmpty)
          if piece.isEmpty { return }
        }
      }
      registry.stream("test/sink") { stream in
        while try await !stream.read(max: 1).isEmpty { try await runtime.sleep(for: .seconds(1)) }
        try await stream.finish()
      }
      registry.stream("test/hang") { stream in
        do {
          try await runtime.sleep(for: .seconds(3600))
        } catch {
          cancelled()
          throw error
        }
      }
    }
  }
}

extension MeshStream {
  /// Everything up to the end.
  nonisolated(nonsending) func readAll() async throws -> [UInt8] {
    var bytes: [UInt8] = []
    while true {
      let piece = try await read(max: 20_000)
      if piece.isEmpty { return bytes }
      bytes += piece
    }
  }
}
