package import Base
package import Reactor

/// Where a client connects to.
package enum HTTPEndpoint: Hashable, Sendable {
  case tcp(host: String, port: UInt16)
  case tls(host: String, port: UInt16)
  case unix(path: String)
}

/// A request body that a client sends.
package enum HTTPRequestBody {
  /// These bytes; none: no body.
  case bytes([UInt8])
  /// What the closure reads into the buffer, until it returns 0: of this length, or chunked when `nil`.
  case stream(
    length: UInt64?,
    read: nonisolated(nonsending) (UnsafeMutableRawBufferPointer) async throws -> Int)
}

/// A response whose head has arrived.
package final class HTTPClientResponse {
  package let head: HTTPResponseHead
  /// The body's length if it is known.
  package let contentLength: UInt64?

  init(head: HTTPResponseHead, contentLength: UInt64?) {
    self.head = head
    self.contentLength = contentLength
  }

  package var status: Int { head.status }
  package var headers: HTTPHeaders { head.headers }

  /// Reads at least one byte of the body into `buffer`; 0 at its end. A response that is not read to its end
  /// closes its connection when it is dropped.
  package func read(into buffer: UnsafeMutableRawBufferPointer) async throws -> Int {
    throw HTTPError.closed
  }

  /// Reads all of the body.
  ///
  /// - Throws: `HTTPError.bodyTooLarge` when it is longer than `maxBytes`.
  package func collect(maxBytes: Int) async throws -> [UInt8] {
    throw HTTPError.closed
  }
}

/// Sends requests, keeping connections for later ones.
package final class HTTPClient: Sendable {
  package struct Options: Sendable {
    package var connectTimeout: Duration = .seconds(10)
    /// How long the response's head may take from the end of the request.
    package var responseTimeout: Duration = .seconds(60)
    /// How long a read or write of a body may wait.
    package var bodyTimeout: Duration = .seconds(60)
    package var headMaxBytes = 32 << 10
    package var headerCountMax = 256
    /// Idle connections kept for each endpoint.
    package var idleConnectionsMax = 16
    package var idleTimeout: Duration = .seconds(30)

    package init() {}
  }

  /// Opens a connection to an endpoint.
  package typealias Connect =
    @Sendable (HTTPEndpoint, _ deadline: MonotonicInstant) async throws -> any ByteStream

  package init(options: Options = Options(), runtime: any Runtime, connect: @escaping Connect) {}

  /// Sends a request and returns once the head of the final response has arrived.
  package func request(
    _ method: String, _ endpoint: HTTPEndpoint, _ target: String,
    headers: HTTPHeaders = HTTPHeaders(), body: HTTPRequestBody = .bytes([])
  ) async throws -> HTTPClientResponse {
    throw HTTPError.closed
  }

  /// Closes the idle connections.
  package func close() {}
}
