// Dialling and listening behind protocols, so that whoever talks to other machines runs in the simulated world too.
//
// The real network is `SocketNetwork`, over sockets of the machine; the simulated one lies in Tests/SimulatedWorld.

package import Base

/// The network as one machine sees it.
package protocol Network: Sendable {
  /// The addresses that `host`, a name or an address, stands for now; asked anew each time.
  ///
  /// - Throws: `StreamError.unresolved`, `StreamError.timedOut`, `CancellationError`.
  nonisolated(nonsending) func resolve(
    host: String, port: UInt16, deadline: MonotonicInstant
  ) async throws -> [SocketAddress]

  /// Connects to `address`; the stream belongs to the calling task's loop.
  ///
  /// - Throws: `StreamError`, `CancellationError`.
  nonisolated(nonsending) func connect(
    to address: SocketAddress, deadline: MonotonicInstant
  ) async throws -> any ByteStream

  /// Listens on a TCP address; port 0 is one that is free.
  ///
  /// - Throws: `ListenError`.
  func listen(_ address: SocketAddress) throws -> any NetworkListener

  /// Listens on a Unix socket whose file has the permissions `mode`.
  ///
  /// - Throws: `ListenError`.
  func listen(unixPath path: String, mode: UInt32) throws -> any NetworkListener

  /// The addresses that this machine has now.
  var interfaces: [NetworkInterface] { get }
}

extension Network {
  package var interfaces: [NetworkInterface] { [] }
}

/// A place that others connect to.
package protocol NetworkListener: AnyObject, Sendable {
  /// The address it is bound to, with the port that was chosen if 0 was asked for.
  var localAddress: SocketAddress { get }

  /// Accepts connections until `close`, and runs `handler` for each as a child task; the connection is closed when
  /// `handler` returns.
  ///
  /// Returns when accepting has ended and every handler has returned. Cancelling the calling task ends accepting and
  /// cancels every handler.
  ///
  /// - Parameter limit: How many connections are open at most; others wait.
  nonisolated(nonsending) func serve(
    limit: Int, logger: Logger, handler: @escaping @Sendable (any ByteStream) async -> Void
  ) async

  /// Ends accepting; connections go on. May be called from any thread and more than once.
  func close()
}
