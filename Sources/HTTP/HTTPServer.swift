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
    /// The first line and header fields together: far above what S3 clients send (a presigned URL and 2 KiB of
    /// metadata), and little enough to hold for each connection.
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
    /// Connections at once; more are answered 503.
    package var connectionsMax = 4096
    /// How much of a request body that the handler left unread is read to keep the connection.
    package var drainMaxBytes: UInt64 = 256 << 10
    /// How long a closing connection reads on, so that the client sees the response before a reset.
    package var lingerTimeout: Duration = .seconds(2)

    package init() {}
  }

  package init(
    options: Options, runtime: any Runtime, handler: any HTTPHandler, metrics: MetricsRegistry,
    logger: Logger
  ) {}

  /// Serves `stream` until it ends, and closes it.
  package func serve(_ stream: any ByteStream, isTLS: Bool) async {
    stream.close()
  }

  /// Stops: idle connections are closed at once, running exchanges may finish within `grace`, then they are
  /// cut off. Returns when no connection is left. Close the listeners first.
  package func shutdown(grace: Duration) async {}
}
