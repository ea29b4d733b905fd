// Connecting to another host or to a Unix socket.

package import Base
private import CLinux
private import Glibc

extension SocketStream {
  /// How long one of several addresses may take before the next is tried.
  ///
  /// A route that works answers in less; one that does not (IPv6 behind a router that promises it
  /// and has none) must not use up the deadline.
  private static let attemptMax: Duration = .seconds(5)

  /// How long to wait when a Unix listener's queue is full, which the kernel gives no event for.
  private static let unixRetry: Duration = .milliseconds(5)

  /// Connects to the first address of `host` that answers.
  ///
  /// Must be called on an event loop.
  ///
  /// `host` may be a name or an address.
  ///
  /// - Throws: `StreamError`, the last address's when none answered; `CancellationError`.
  package static nonisolated(nonsending) func connect(
    host: String, port: UInt16, deadline: MonotonicInstant
  ) async throws -> SocketStream {
    let addresses = try await resolve(host: host, port: port, deadline: deadline)
    var failure: any Error = StreamError.unresolved(host: host, reason: "it has no address")
    for (position, address) in addresses.enumerated() {
      let isLast = position == addresses.count - 1
      let attempt = isLast ? deadline : min(deadline, SystemClock.now + attemptMax)
      do {
        return try await connect(to: address, deadline: attempt)
      } catch let error as StreamError {
        failure = error
        if SystemClock.now >= deadline { break }
      }
    }
    throw failure
  }

  /// The addresses that `host`, a name or an address, stands for.
  ///
  /// Must be called on an event loop; names are looked up on threads of their own.
  ///
  /// - Throws: `StreamError`, `CancellationError`.
  package static nonisolated(nonsending) func resolve(
    host: String, port: UInt16, deadline: MonotonicInstant
  ) async throws -> [SocketAddress] {
    if let address = SocketAddress(ip: host, port: port) { return [address] }
    return try await currentLoop().resolverPool.runAbandonably(deadline: deadline) {
      try NameResolver.resolve(host: host, port: port)
    }
  }

  /// Connects to `address`.
  ///
  /// Must be called on an event loop.
  ///
  /// - Throws: `StreamError`, `CancellationError`.
  package static nonisolated(nonsending) func connect(
    to address: SocketAddress, deadline: MonotonicInstant
  ) async throws -> SocketStream {
    try Task.checkCancellation()
    let loop = currentLoop()
    while true {
      let (channel, isUnderWay) = try begin(address, on: loop)
      guard let channel else {
        try await Sleeper(on: loop).sleep(until: min(deadline, SystemClock.now + unixRetry))
        if SystemClock.now >= deadline { throw StreamError.timedOut }
        continue
      }
      let stream = SocketStream(channel: channel, peer: address)
      if isUnderWay { try await stream.awaitConnection(deadline: deadline) }
      return stream
    }
  }

  private static func currentLoop() -> EventLoop {
    guard let loop = EventLoop.current else {
      preconditionFailure("connect outside of an event loop")
    }
    return loop
  }

  /// Starts to connect; no channel when a Unix listener's queue is full.
  private static func begin(
    _ address: SocketAddress, on loop: EventLoop
  ) throws -> (channel: Channel?, isUnderWay: Bool) {
    let descriptor = try address.openSocket()
    let result = address.withSystemAddress { Glibc.connect(descriptor, $0, $1) }
    let reason = result == 0 ? 0 : errno
    // Registered only now: an unconnected socket reports a hang-up at once.
    switch reason {
    case 0: return (try Channel(adopting: descriptor, on: loop), false)
    case EINPROGRESS, EINTR: return (try Channel(adopting: descriptor, on: loop), true)
    case EAGAIN where address.isUnix:
      Glibc.close(descriptor)
      return (nil, false)
    default:
      Glibc.close(descriptor)
      throw StreamError.disconnected(errno: reason)
    }
  }

  private nonisolated(nonsending) func awaitConnection(deadline: MonotonicInstant) async throws {
    while true {
      try await channel.wait(for: .writing, deadline: deadline)
      let descriptor = try channel.openDescriptor()
      var reason: Int32 = 0
      var size = socklen_t(MemoryLayout<Int32>.size)
      getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &reason, &size)
      if reason != 0 { throw StreamError.disconnected(errno: reason) }
      if SocketAddress(peerOf: descriptor) != nil { return }
    }
  }
}
