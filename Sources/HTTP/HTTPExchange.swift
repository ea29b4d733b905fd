package import Base

/// Answers requests. One handler serves all connections at once.
package protocol HTTPHandler: Sendable {
  /// Answers `exchange` by one call of `respond` or `beginResponse`. Without any the client gets 500.
  nonisolated(nonsending) func handle(_ exchange: HTTPExchange) async
}

/// One request and its response. It belongs to the task that the handler is called in and ends with it.
package final class HTTPExchange {
  /// The request's head.
  package let request: HTTPRequestHead
  /// The request's body.
  package let body: HTTPBody
  /// The client's address, for logs.
  package let peer: String
  /// Whether the request came over TLS.
  package let isTLS: Bool
  /// When the head was complete.
  package let started: MonotonicInstant
  private let requestNumber: UInt64 = 0

  init(
    request: HTTPRequestHead, body: HTTPBody, peer: String, isTLS: Bool, started: MonotonicInstant
  ) {
    self.request = request
    self.body = body
    self.peer = peer
    self.isTLS = isTLS
    self.started = started
  }

  /// Names the request in logs and error documents: 16 hexadecimal digits.
  package var requestID: String { "" }

  /// Whether a response has begun.
  package private(set) var hasResponded = false

  /// Sends a whole response. To a HEAD request only its head is sent.
  ///
  /// `Content-Length`, `Transfer-Encoding`, `Connection`, `Date` and `Server` are the server's; a `Connection:
  /// close` among `headers` closes the connection afterwards.
  /// - Throws: `HTTPError`, `StreamError`, `CancellationError`: the client does not get the response.
  package func respond(_ status: Int, headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = [])
    async throws
  {
    throw HTTPError.closed
  }

  /// Begins a response whose body is written piece by piece: chunked when `contentLength` is `nil`.
  ///
  /// The head leaves together with the first piece. To a HEAD request nothing but the head is sent, and
  /// writing is harmless. Unless `finish` is called, the connection is closed, so that the client notices.
  package func beginResponse(
    _ status: Int, headers: HTTPHeaders = HTTPHeaders(), contentLength: UInt64?
  ) async throws -> HTTPResponseBody {
    throw HTTPError.closed
  }
}

/// The body of a request, read as it arrives.
package final class HTTPBody {
  /// Its length; 0 without a body, `nil` when it is chunked.
  package let contentLength: UInt64?
  /// The fields behind a chunked body, once `read` has returned 0.
  package private(set) var trailers = HTTPHeaders()

  init(contentLength: UInt64?) { self.contentLength = contentLength }

  /// Reads at least one byte into `buffer` and returns how many; 0 at the end.
  ///
  /// The first call answers an `Expect: 100-continue`.
  /// - Throws: `HTTPError`, `StreamError`, `CancellationError`: the body is lost, and with it the connection; a
  ///   response may still be sent.
  package func read(into buffer: UnsafeMutableRawBufferPointer) async throws -> Int {
    throw HTTPError.closed
  }

  /// Reads all of it.
  ///
  /// - Throws: `HTTPError.bodyTooLarge` when it is longer than `maxBytes`, and as `read`.
  package func collect(maxBytes: Int) async throws -> [UInt8] {
    throw HTTPError.closed
  }
}

/// The body of a response, written piece by piece.
package final class HTTPResponseBody {
  init() {}

  /// Sends `bytes` and returns when the connection has taken them: a slow client slows the caller.
  ///
  /// - Throws: `HTTPError`, `StreamError`, `CancellationError`.
  package func write(_ bytes: UnsafeRawBufferPointer) async throws {
    throw HTTPError.closed
  }

  /// Sends `bytes`.
  package func write(_ bytes: [UInt8]) async throws {
    throw HTTPError.closed
  }

  /// Sends what is held back: the head, when nothing has been written yet.
  package func flush() async throws {
    throw HTTPError.closed
  }

  /// Ends the body. `trailers` are sent behind a chunked one, and dropped otherwise.
  package func finish(trailers: HTTPHeaders = HTTPHeaders()) async throws {
    throw HTTPError.closed
  }
}
