// Sockets that others connect to.
//
// One socket, accepted from on one loop, its connections given to all loops in turn: clients with a few long-lived
// connections, which S3 clients are, are spread evenly (several sockets with SO_REUSEPORT would spread by a hash).
// Every connection is a child task of `serve`, so that cancelling the one cancels all.
//
// Invariants:
//   1. At most `limit` connections are open; at the limit accepting pauses and the kernel's queue fills.
//   2. When descriptors or memory run out, accepting pauses until a connection ends or `pause` has passed. It does not
//      spin: the waiting connection gives no further edge.

package import Base
private import CLinux
private import CShims
private import Glibc
private import Synchronization

/// Why a socket cannot listen.
package struct ListenError: Error, CustomStringConvertible, Sendable {
  /// The address, as configured.
  package let address: String
  package let errno: Int32

  /// `address` as configured, `errno` as the system worded it.
  package init(address: String, errno: Int32) {
    self.address = address
    self.errno = errno
  }

  package var description: String {
    let reason = String(cString: strerror(errno))
    let advice =
      switch errno {
      case EADDRINUSE:
        "another program, or another node, listens there: stop it or change the address"
      case EACCES: "this user may not: choose a port above 1023 or a folder it may write to"
      case EADDRNOTAVAIL: "this machine has no such address"
      default: "check the address in the configuration"
      }
    return "cannot listen on \(address): \(reason); \(advice)"
  }
}

/// A listening socket.
package final class Listener: Sendable {
  /// The address it is bound to, with the port that the kernel chose if 0 was asked for.
  package let localAddress: SocketAddress

  private enum State: Sendable {
    case idle(descriptor: Int32)
    case serving(Channel)
    case closed
  }

  private let state: Mutex<State>

  /// How long accepting pauses when the process or the machine has no descriptors or memory left.
  private static let pause: Duration = .milliseconds(100)

  init(descriptor: Int32, localAddress: SocketAddress) {
    state = Mutex(.idle(descriptor: descriptor))
    self.localAddress = localAddress
  }

  deinit { close() }

  /// Accepts connections until `close`, and runs `handler` for each as a child task on one of the
  /// group's loops; the connection is closed when `handler` returns.
  ///
  /// Must be called on an event loop, and once.
  ///
  /// Returns when accepting has ended and every handler has returned. Cancelling the calling task ends accepting and
  /// cancels every handler.
  package nonisolated(nonsending) func serve(
    on group: EventLoopGroup, limit: Int, logger: Logger = .disabled,
    handler: @escaping @Sendable (SocketStream) async -> Void
  ) async {
    guard let channel = begin(logger) else { return }
    defer { close() }
    let accepting = Accepting(
      channel: channel, limit: max(1, limit), logger: logger, address: localAddress)
    await withDiscardingTaskGroup { connections in
      while let descriptor = await accepting.next() {
        let loop = group.nextLoop()
        connections.addTask(executorPreference: loop) {
          defer { accepting.connectionEnded() }
          guard let stream = try? SocketStream(adopting: descriptor, on: loop) else { return }
          await handler(stream)
          stream.close()
        }
      }
      close()
    }
  }

  private func begin(_ logger: Logger) -> Channel? {
    guard let loop = EventLoop.current else {
      preconditionFailure("serve outside of an event loop")
    }
    return state.withLock { state in
      guard case .idle(let descriptor) = state else { return nil }
      do {
        let channel = try Channel(adopting: descriptor, on: loop)
        state = .serving(channel)
        return channel
      } catch {
        logger.error("does not accept connections on \(localAddress): \(error)")
        state = .closed
        return nil
      }
    }
  }

  /// Ends accepting; connections go on.
  ///
  /// May be called from any thread and more than once.
  package func close() {
    let before = state.withLock { state in
      defer { state = .closed }
      return state
    }
    switch before {
    case .idle(let descriptor): Glibc.close(descriptor)
    case .serving(let channel): channel.close()
    case .closed: return
    }
    if case .unix(let path) = localAddress { unlink(path) }
  }

  /// The accepting loop's state.
  ///
  /// A listening socket is never written to, so the channel's writing side carries the news that a
  /// connection has ended.
  private final class Accepting: @unchecked Sendable {
    // Safe because `open` and `hasWarned` are touched on the channel's loop only.

    private let channel: Channel
    private let limit: Int
    private let logger: Logger
    private let address: SocketAddress
    private var open = 0
    private var hasWarned = false

    init(channel: Channel, limit: Int, logger: Logger, address: SocketAddress) {
      self.channel = channel
      self.limit = limit
      self.logger = logger
      self.address = address
    }

    /// The next connection, or `nil` when there will be none.
    nonisolated(nonsending) func next() async -> Int32? {
      do {
        try await channel.beginOperation()
        while true {
          while open >= limit {
            try await channel.wait(for: .writing, deadline: .distantFuture)
          }
          let descriptor = cshims_accept(try channel.openDescriptor())
          if descriptor >= 0 {
            open += 1
            hasWarned = false
            return descriptor
          }
          guard try await waitAfterFailure(errno) else { return nil }
        }
      } catch {
        return nil
      }
    }

    private nonisolated(nonsending) func waitAfterFailure(_ reason: Int32) async throws -> Bool {
      switch reason {
      case EAGAIN:
        try await channel.wait(for: .reading, deadline: .distantFuture)
      case EBADF, EINVAL, ENOTSOCK, EOPNOTSUPP, EFAULT:
        logger.error("no longer accepts connections on \(address): \(Self.text(of: reason))")
        return false
      case EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH,
        ENETUNREACH, EPERM:
        // A connection that failed while it waited, and is gone (accept(2), "Error handling").
        await channel.loop.takeTurn()
      default:
        // EMFILE, ENFILE, ENOBUFS, ENOMEM, and whatever else does not take the connection off the queue.
        warn(reason)
        do {
          try await channel.wait(for: .writing, deadline: SystemClock.now + Listener.pause)
        } catch StreamError.timedOut {}
      }
      return true
    }

    private static func text(of reason: Int32) -> String { String(cString: strerror(reason)) }

    private func warn(_ reason: Int32) {
      guard !hasWarned else { return }
      hasWarned = true
      logger.warning(
        "cannot accept more connections on \(address): \(Self.text(of: reason)); "
          + "raise the limit of open files (`ulimit -n`, or LimitNOFILE of the service)")
    }

    /// Makes room for another; called on the connection's loop.
    func connectionEnded() {
      channel.loop.execute { [self] in
        open -= 1
        channel.signal(.writing)
      }
    }
  }
}
