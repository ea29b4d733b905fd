// An HTTP/1.1 client for the program's own use: commands, discovery, tests, measurements.
//
// A request takes an idle connection of its endpoint or opens one; the response's body, once read to its end,
// gives it back. A server may close an idle connection at any moment, so a request that fails on a
// used connection before a byte of the response came is sent once more on a new one, if repeating it cannot
// do harm.

package import Base
package import Reactor

/// Where a client connects to.
package enum HTTPEndpoint: Hashable, Sendable {
  case tcp(host: String, port: UInt16)
  case tls(host: String, port: UInt16)
  case unix(path: String)

  /// What the Host field says.
  package var authority: String {
    switch self {
    case .tcp(let host, let port): Self.authority(host, port, usual: 80)
    case .tls(let host, let port): Self.authority(host, port, usual: 443)
    case .unix: "localhost"
    }
  }

  private static func authority(_ host: String, _ port: UInt16, usual: UInt16) -> String {
    let name = host.utf8.contains(UInt8(ascii: ":")) && !host.hasPrefix("[") ? "[\(host)]" : host
    return port == usual ? name : "\(name):\(port)"
  }
}

/// A request body that a client sends.
package enum HTTPRequestBody {
  /// These bytes; none: no body.
  case bytes([UInt8])
  /// What `read` puts into the buffer, until it returns 0: of this length, or chunked when `nil`.
  case stream(
    length: UInt64?,
    read: nonisolated(nonsending) (UnsafeMutableRawBufferPointer) async throws -> Int)
}

/// Sends requests, keeping connections for later ones.
package final class HTTPClient: Sendable {
  /// The limits of a client.
  package struct Options: Sendable {
    /// How long opening a connection may take, TLS included.
    package var connectTimeout: Duration = .seconds(10)
    /// How long the response's head may take from the end of the request.
    package var responseTimeout: Duration = .seconds(60)
    /// How long a read or write of a body may wait.
    package var bodyTimeout: Duration = .seconds(60)
    /// A response's head, as a server limits a request's.
    package var headMaxBytes = 32 << 10
    /// Header fields of a response.
    package var headerCountMax = 256
    /// Idle connections kept for each endpoint and lane.
    package var idleConnectionsMax = 16
    /// How long an idle connection is trusted: shorter than servers keep theirs.
    package var idleTimeout: Duration = .seconds(30)
    /// Tells loops apart: a connection is only used again where it was opened.
    package var lane: @Sendable () -> Int = { EventLoop.current?.index ?? 0 }

    package init() {}
  }

  /// Opens a connection to an endpoint.
  package typealias Connect =
    @Sendable (HTTPEndpoint, _ deadline: MonotonicInstant) async throws -> any ByteStream

  let options: Options
  let runtime: any Runtime
  private let connect: Connect
  private let pool: ClientPool

  /// A client that opens connections by `connect`.
  package init(options: Options = Options(), runtime: any Runtime, connect: @escaping Connect) {
    self.options = options
    self.runtime = runtime
    self.connect = connect
    pool = ClientPool(options: options, runtime: runtime)
  }

  /// Sends a request and returns once the head of the final response has arrived.
  ///
  /// `Host` is added unless it is among `headers`; `Content-Length` and `Transfer-Encoding` are the client's.
  /// - Throws: `HTTPError`, `StreamError`, `CancellationError`, and what `body` throws.
  package func request(
    _ method: String, _ endpoint: HTTPEndpoint, _ target: String,
    headers: HTTPHeaders = HTTPHeaders(), body: HTTPRequestBody = .bytes([])
  ) async throws -> HTTPClientResponse {
    let request = try ClientRequest(
      method: method, target: target, authority: endpoint.authority, headers: headers, body: body)
    if let connection = pool.take(endpoint) {
      do {
        return try await connection.exchange(request)
      } catch {
        guard connection.isStale(error), request.isRepeatable else { throw error }
      }
    }
    let stream = try await connect(endpoint, runtime.now + options.connectTimeout)
    let messages = MessageStream(
      stream, runtime: runtime, writeTimeout: options.bodyTimeout)
    return try await ClientConnection(messages, endpoint: endpoint, pool: pool).exchange(request)
  }

  /// Closes the idle connections of the calling loop, and from now on every connection after its response.
  package func close() { pool.close() }
}
