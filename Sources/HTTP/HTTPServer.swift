// An HTTP/1.1 server, without a socket: it serves byte streams that somebody else accepts.
//
// Each connection is one task that receives a head, calls the handler and sees to it that the response is
// whole and the next request can be found (ServerConnection.swift). Pipelined requests are answered one
// after the other. Everything that a client can make large, slow or many has a limit in `Options`.
//
// Stopping: idle connections are closed at once, running exchanges may finish within a grace.

package import Base
package import Reactor

/// Serves HTTP/1.1 on connections that somebody else accepts.
package final class HTTPServer: Sendable {
  /// The limits of a server.
  package struct Options: Sendable {
    /// Names the server in metrics: `s3`, `admin`.
    package var name = "http"
    /// The `Server` field.
    package var serverHeader = "grange"
    /// The field that carries the request ID in responses; `nil` for none.
    package var requestIDHeader: String? = "x-request-id"
    /// The first line and header fields together; at most what a buffer holds.
    ///
    /// Far above what S3 clients send (a presigned URL and 2 KiB of metadata), and little enough to hold for
    /// each busy connection.
    package var headMaxBytes = 32 << 10
    /// Header fields: 2 KiB of user metadata in the shortest possible fields fit.
    package var headerCountMax = 256
    /// How long a connection may wait for its next request: longer than clients and proxies keep theirs idle.
    package var idleTimeout: Duration = .seconds(120)
    /// How long a head may take from its first byte to its last.
    package var headTimeout: Duration = .seconds(20)
    /// How long a read of a body, or a write, may wait without progress.
    package var bodyTimeout: Duration = .seconds(60)
    /// The least average rate of a body in bytes a second, over the time spent waiting for it.
    package var bodyRateMin: UInt64 = 512
    /// Connections at once.
    ///
    /// Another one takes the place of one that has been waiting for its client the longest, and is answered
    /// 503 when all have a request under way. An idle one takes 6 KiB of memory, 20 with TLS.
    package var connectionsMax = 12_288
    /// The memory that may be held for clients that are waited for.
    ///
    /// It is that of heads that have come in part, and of answers that are not read. Beyond it, the connections
    /// that have waited the longest are closed. Room for 500 of the largest heads, which clients of any use send at
    /// once, and little on an old PC.
    package var heldBytesMax = 32 << 20
    /// How much of a request body that the handler left unread is read to keep the connection.
    package var drainMaxBytes: UInt64 = 256 << 10
    /// How long a closing connection waits for the client's next bytes or end.
    ///
    /// Closing while bytes arrive resets the connection, and the client would lose the response.
    package var lingerTimeout: Duration = .seconds(2)

    package init() {}
  }

  let options: Options
  let runtime: any Runtime
  let handler: any HTTPHandler
  let metrics: ServerMetrics
  let logger: Logger
  let standardFields: StandardFields
  private let connections: ConnectionRegistry

  /// A server that calls `handler`, on tasks of `runtime`.
  package init(
    options: Options, runtime: any Runtime, handler: any HTTPHandler, metrics: MetricsRegistry,
    logger: Logger
  ) {
    self.options = options
    self.runtime = runtime
    self.handler = handler
    self.metrics = ServerMetrics(metrics, server: options.name)
    self.logger = logger
    standardFields = StandardFields(server: options.serverHeader)
    connections = ConnectionRegistry(
      connectionsMax: options.connectionsMax, heldBytesMax: options.heldBytesMax,
      crowdedOut: self.metrics.crowdedOut)
  }

  var isShuttingDown: Bool { connections.isShuttingDown }

  var headLimits: HeadLimits {
    HeadLimits(
      headMaxBytes: min(options.headMaxBytes, BufferPool.bufferBytes),
      fieldCountMax: options.headerCountMax)
  }

  /// Serves `stream` until it ends, and closes it.
  ///
  /// The calling task may be cancelled meanwhile.
  package func serve(_ stream: any ByteStream, isTLS: Bool) async {
    guard let entry = connections.add() else { return await refuse(stream) }
    await serve(entry) {
      await ServerConnection(stream, server: self, entry: entry, isTLS: isTLS).run()
      stream.close()
    }
  }

  /// Serves what `shakeHands` makes of `stream`, as above.
  ///
  /// A connection counts before it is secured: who never says a word must not keep others out.
  package func serve(
    _ stream: any ByteStream,
    securedBy shakeHands: nonisolated(nonsending) (any ByteStream) async throws -> any ByteStream
  ) async {
    // Nobody could read an answer.
    guard let entry = connections.add() else { return stream.close() }
    await serve(entry) {
      entry.beginWait(since: runtime.now, holding: Self.handshakeBytes)
      do {
        let secured = try await shakeHands(stream)
        entry.endWait()
        await ServerConnection(secured, server: self, entry: entry, isTLS: true).run()
        secured.close()
      } catch {
        entry.endWait()
        logger.debug(
          "a TLS handshake failed", [("peer", stream.peerDescription), ("error", "\(error)")])
        stream.close()
      }
    }
  }

  private func serve(
    _ entry: ConnectionEntry, _ body: nonisolated(nonsending) () async -> Void
  ) async {
    metrics.connections.add(1)
    await entry.run(body)
    metrics.connections.add(-1)
    connections.remove(entry)
  }

  /// Stops the server.
  ///
  /// Idle connections are closed at once, running exchanges may finish within `grace`, then they are
  /// cut off. Returns when no connection is left, and a little after the grace at the latest. Close the
  /// listeners first.
  ///
  /// - Returns: Whether no connection is left. If not, a handler waits for something that cannot be cancelled, such as a
  ///   slow disk, and may still do anything.
  @discardableResult
  package func shutdown(grace: Duration) async -> Bool {
    connections.beginShutdown()
    let end = runtime.spawn { [runtime, connections] in
      do {
        try await runtime.sleep(for: grace)
        connections.stopAll()
        try await runtime.sleep(for: Self.cutOffTime)
        connections.stopWaiting()
      } catch {}
    }
    await connections.waitUntilEmpty()
    end.cancel()
    return connections.count == 0
  }

  private func refuse(_ stream: any ByteStream) async {
    let answer: StaticString =
      "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    let bytes = UnsafeRawBufferPointer(start: answer.utf8Start, count: answer.utf8CodeUnitCount)
    // The connection is closed whether or not the client gets to know why.
    try? await stream.write(bytes, deadline: runtime.now + options.lingerTimeout)
    try? await stream.finishWriting(deadline: runtime.now + options.lingerTimeout)
    stream.close()
  }

  /// What OpenSSL keeps during a handshake.
  private static let handshakeBytes = 64 << 10

  /// What a cancelled handler is given to return.
  private static let cutOffTime: Duration = .seconds(1)
}
