// A listening socket of a simulated host, and the ports of one.

import Base
private import Glibc
import Reactor

/// The ports that one life of a host has taken.
struct HostPorts {
  private var listeners: [SimulatedListener] = []
  private var lastPort: UInt16 = 32_767

  /// A port that no listener has.
  mutating func nextPort() -> UInt16 {
    repeat {
      lastPort = lastPort == .max ? 32_768 : lastPort + 1
    } while listeners.contains {
      $0.localAddress.port == lastPort
    }
    return lastPort
  }

  mutating func bind(_ listener: SimulatedListener) throws -> SimulatedListener {
    let address = listener.localAddress
    guard !listeners.contains(where: { Self.collide($0.localAddress, address) }) else {
      throw ListenError(address: "\(address)", errno: EADDRINUSE)
    }
    listeners.append(listener)
    return listener
  }

  private static func collide(_ first: SocketAddress, _ second: SocketAddress) -> Bool {
    if first.isUnix || second.isUnix { return first == second }
    guard first.port == second.port else { return false }
    return first == second || first.isAny || second.isAny
  }

  /// Who listens at an address of the host.
  func listener(at address: SocketAddress) -> SimulatedListener? {
    listeners.first { listener in
      let bound = listener.localAddress
      if bound == address { return true }
      guard !address.isUnix, bound.port == address.port else { return false }
      // `[::]` takes IPv4 too, and dialling `0.0.0.0` means this machine.
      return bound.isAny && (bound.isIPv6 || !address.isIPv6) || address.isAny
    }
  }

  mutating func remove(_ listener: SimulatedListener) { listeners.removeAll { $0 === listener } }

  /// Forgets the listeners of a life that is over.
  mutating func removeAll() { listeners = [] }
}

/// A `NetworkListener` of the simulated world.
final class SimulatedListener: NetworkListener, @unchecked Sendable {
  // Safe because only the world's one thread touches it.

  /// How many connections wait to be accepted before further ones get no answer; the kernel's default is as high,
  /// and here a test should see it happen.
  private static let backlog = 128

  let localAddress: SocketAddress
  private let host: SimulatedHost
  private let life: HostLife
  private let waits: SimulatedWaits
  private var waiting: [SimulatedStream] = []
  private var openCount = 0
  private var isClosed = false

  init(_ host: SimulatedHost, _ address: SocketAddress) {
    localAddress = address
    self.host = host
    life = host.life
    waits = SimulatedWaits(host.world)
  }

  var isFull: Bool { waiting.count >= Self.backlog }

  /// Takes a new connection, or returns false when nobody listens any more.
  func deliver(_ stream: SimulatedStream) -> Bool {
    guard life.isAlive, !isClosed, !isFull else { return false }
    waiting.append(stream)
    waits.wakeAll()
    return true
  }

  nonisolated(nonsending) func serve(
    limit: Int, logger: Logger, handler: @escaping @Sendable (any ByteStream) async -> Void
  ) async {
    await withDiscardingTaskGroup { connections in
      while let stream = await next(limit: max(1, limit)) {
        connections.addTask(executorPreference: life) { [self] in
          await handler(stream)
          stream.close()
          openCount -= 1
          waits.wakeAll()
        }
      }
      close()
    }
  }

  /// The next connection, or `nil` when there will be none.
  private nonisolated(nonsending) func next(limit: Int) async -> SimulatedStream? {
    while !isClosed, !Task.isCancelled {
      if openCount < limit, !waiting.isEmpty {
        openCount += 1
        return waiting.removeFirst()
      }
      do { try await waits.wait(deadline: .distantFuture) } catch { return nil }
    }
    return nil
  }

  func close() {
    guard !isClosed else { return }
    isClosed = true
    if life.isAlive { host.ports.remove(self) }
    for stream in waiting { stream.close() }
    waiting = []
    waits.wakeAll()
  }
}
