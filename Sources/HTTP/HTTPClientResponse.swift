/// A response whose head has arrived, and whose body is read as it arrives.
package final class HTTPClientResponse {
  /// The status and the header fields.
  package let head: HTTPResponseHead
  /// The body's length if it is known: 0 without a body, and in the response to a HEAD.
  package let contentLength: UInt64?

  private let body: BodyReader
  private let persists: Bool
  /// `nil` once it is given back or closed.
  private var connection: ClientConnection?

  init(
    _ parsed: ParsedResponse, body: BodyReader, connection: ClientConnection, persists: Bool
  ) {
    head = parsed.head
    contentLength =
      switch parsed.framing {
      case .none: 0
      case .length(let count): count
      case .chunked, .untilClose: nil
      }
    self.body = body
    self.persists = persists
    self.connection = connection
    if body.isFinished { finish() }
  }

  deinit { connection?.close() }

  package var status: Int { head.status }
  package var headers: HTTPHeaders { head.headers }

  /// The fields behind a chunked body, once `read` has returned 0.
  package var trailers: HTTPHeaders { body.trailers }

  /// Reads at least one byte of the body into `buffer`; 0 at its end.
  ///
  /// A response that is not read to its end closes its connection when it is dropped.
  /// - Throws: `HTTPError`, `StreamError`, `CancellationError`.
  package func read(into buffer: UnsafeMutableRawBufferPointer) async throws -> Int {
    let count = try await body.read(into: buffer)
    if body.isFinished { finish() }
    return count
  }

  /// Reads all of the body.
  ///
  /// - Throws: `HTTPError.bodyTooLarge` when it is longer than `maxBytes`, and as `read`.
  package func collect(maxBytes: Int) async throws -> [UInt8] {
    if let contentLength, contentLength > UInt64(clamping: maxBytes) {
      throw HTTPError.bodyTooLarge(maxBytes: maxBytes)
    }
    return try await collectBody(expected: contentLength, maxBytes: maxBytes) { buffer in
      try await read(into: buffer)
    }
  }

  private func finish() {
    connection?.finished(persists: persists)
    connection = nil
  }
}
