// Signals of the operating system as something to await.
//
// The handler may run at any point of any thread, so it does one thing: write the signal's number into a socket
// that a loop reads. The socket pair is made once and stays open for the life of the process, as a handler may be
// on its way to it at any time.

import Base
private import CShims
private import Glibc

/// The signals that a server answers.
package enum Signal: Int32, Sendable, CaseIterable {
  /// SIGHUP: read certificates and settings again.
  case hangUp = 1
  /// SIGINT: Ctrl-C; stop.
  case interrupt = 2
  /// SIGUSR1: for the operator's use.
  case user1 = 10
  /// SIGTERM: stop in good order.
  case terminate = 15
}

/// Signals, one after another.
///
/// There may be one at a time in a process, as signals are the process's.
package final class SignalSource {
  private let stream: SocketStream
  private let signals: [Signal]

  private static let ends: (reading: Int32, writing: Int32) = {
    var ends: [Int32] = [-1, -1]
    let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let made = socketpair(AF_UNIX, type, 0, &ends)
    precondition(made == 0, "no descriptors left for signals: raise `ulimit -n`")
    return (ends[0], ends[1])
  }()

  /// Takes over `signals`, which no longer do what they do by default.
  ///
  /// Must be called on `loop`'s thread.
  ///
  /// - Throws: `StreamError.disconnected` when no descriptor is left.
  package init(_ signals: [Signal] = Signal.allCases, on loop: EventLoop) throws {
    let descriptor = fcntl(Self.ends.reading, F_DUPFD_CLOEXEC, 3)
    guard descriptor >= 0 else { throw StreamError.disconnected(errno: errno) }
    stream = try SocketStream(adopting: descriptor, on: loop, peer: .unix(path: ""))
    self.signals = signals
    for signal in signals { _ = cshims_forward_signal(signal.rawValue, Self.ends.writing) }
  }

  deinit { close() }

  /// The next signal.
  ///
  /// Two of a kind that come together may be one.
  ///
  /// - Throws: `CancellationError`; `StreamError.disconnected` after `close`.
  package nonisolated(nonsending) func next() async throws -> Signal {
    let byte = UnsafeMutableRawBufferPointer.allocate(byteCount: 1, alignment: 1)
    defer { byte.deallocate() }
    while true {
      _ = try await stream.read(into: byte, deadline: .distantFuture)
      if let signal = Signal(rawValue: Int32(byte[0])) { return signal }
    }
  }

  /// Gives the signals their default effect again.
  package func close() {
    for signal in signals { Glibc.signal(signal.rawValue, SIG_DFL) }
    stream.close()
  }
}
