// A network of one machine in the simulated world: what is dialled is what listens.

import Base
import Glibc
import Reactor
import SimulatedWorld

/// Joins those who connect to those who listen by pipes; nothing is ever lost.
final class PipeNetwork: Network, @unchecked Sendable {
  // Safe because only the simulated runtime's one thread touches it.
  private let runtime: SimulatedRuntime
  private var listeners: [SocketAddress: PipeListener] = [:]

  init(_ runtime: SimulatedRuntime) { self.runtime = runtime }

  nonisolated(nonsending) func resolve(
    host: String, port: UInt16, deadline: MonotonicInstant
  ) async throws -> [SocketAddress] {
    throw StreamError.unresolved(host: host, reason: "there are no names here")
  }

  nonisolated(nonsending) func connect(
    to address: SocketAddress, deadline: MonotonicInstant
  ) async throws -> any ByteStream {
    guard let listener = listeners[address] else {
      throw StreamError.disconnected(errno: ECONNREFUSED)
    }
    let pipe = SimulatedPipe(runtime)
    listener.arrived(pipe.first)
    return pipe.second
  }

  func listen(_ address: SocketAddress) throws -> any NetworkListener { try bind(address) }

  func listen(unixPath path: String, mode: UInt32) throws -> any NetworkListener {
    try bind(.unix(path: path))
  }

  private func bind(_ address: SocketAddress) throws -> PipeListener {
    if listeners[address] != nil { throw ListenError(address: "\(address)", errno: EADDRINUSE) }
    let listener = PipeListener(runtime, address) { [self] in listeners[address] = nil }
    listeners[address] = listener
    return listener
  }
}

/// Serves the pipes that arrive.
private final class PipeListener: NetworkListener, @unchecked Sendable {
  // Safe because only the simulated runtime's one thread touches it.
  let localAddress: SocketAddress
  private let runtime: SimulatedRuntime
  private let closed: () -> Void
  private var waiting: [SimulatedStream] = []
  private var wait: SimulatedWait?
  private var isClosed = false

  init(_ runtime: SimulatedRuntime, _ address: SocketAddress, closed: @escaping () -> Void) {
    self.runtime = runtime
    localAddress = address
    self.closed = closed
  }

  func arrived(_ stream: SimulatedStream) {
    waiting.append(stream)
    wait?.wake()
  }

  nonisolated(nonsending) func serve(
    limit: Int, logger: Logger, handler: @escaping @Sendable (any ByteStream) async -> Void
  ) async {
    await withDiscardingTaskGroup { connections in
      while !isClosed {
        for stream in waiting {
          connections.addTask {
            await handler(stream)
            stream.close()
          }
        }
        waiting = []
        let wait = SimulatedWait(runtime)
        self.wait = wait
        if await wait.park(deadline: .distantFuture) == .cancelled { close() }
      }
    }
  }

  func close() {
    guard !isClosed else { return }
    isClosed = true
    closed()
    wait?.wake()
  }
}
