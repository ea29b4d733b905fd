// The real network: sockets of this machine.

package import Base

/// Dials and listens with sockets; connections that it accepts are spread over the loops of its group.
package struct SocketNetwork: Network {
  private let group: EventLoopGroup

  package init(_ group: EventLoopGroup) { self.group = group }

  package nonisolated(nonsending) func resolve(
    host: String, port: UInt16, deadline: MonotonicInstant
  ) async throws -> [SocketAddress] {
    try await SocketStream.resolve(host: host, port: port, deadline: deadline)
  }

  package nonisolated(nonsending) func connect(
    to address: SocketAddress, deadline: MonotonicInstant
  ) async throws -> any ByteStream {
    try await SocketStream.connect(to: address, deadline: deadline)
  }

  package func listen(_ address: SocketAddress) throws -> any NetworkListener {
    SocketListener(try Listener.tcp(address), group)
  }

  package func listen(unixPath path: String, mode: UInt32) throws -> any NetworkListener {
    SocketListener(try Listener.unix(path: path, mode: mode), group)
  }

  package var interfaces: [NetworkInterface] { NetworkInterface.all() }
}

/// A listening socket and the loops that its connections are spread over.
private final class SocketListener: NetworkListener {
  private let listener: Listener
  private let group: EventLoopGroup

  init(_ listener: Listener, _ group: EventLoopGroup) {
    self.listener = listener
    self.group = group
  }

  var localAddress: SocketAddress { listener.localAddress }

  nonisolated(nonsending) func serve(
    limit: Int, logger: Logger, handler: @escaping @Sendable (any ByteStream) async -> Void
  ) async {
    await listener.serve(on: group, limit: limit, logger: logger) { stream in
      await handler(stream)
    }
  }

  func close() { listener.close() }
}
