// One request and its response, as a handler sees them.
//
// Invariants:
//   1. One final response at most is sent, and a second one is an error of the handler's, not bytes.
//   2. Whoever returns from `handle` without having finished a response makes the client notice: by a 500
//      when nothing was sent, by a closed connection otherwise.
//   3. A response that says the connection persists is followed by one that does, unless the client breaks
//      the rules or leaves more unread than the drain limit.

package import Base

/// Answers requests.
package protocol HTTPHandler: Sendable {
  /// Answers `exchange` by one call of `respond` or `beginResponse`. Without any the client gets 500.
  ///
  /// One handler serves all connections at once. It is cancelled when the server's grace is over.
  nonisolated(nonsending) func handle(_ exchange: HTTPExchange) async
}

/// One request and its response.
///
/// It belongs to the task that the handler is called in and ends with the call.
package final class HTTPExchange {
  /// What the connection does after the exchange.
  enum Ending {
    case persist
    case close
    /// Close, and read on for a while before.
    case lingerAndClose
    /// Close at once: the client must not take what it has for a whole response.
    case abort
  }

  /// How far the response has come.
  enum ResponseState: Equatable {
    case absent
    case begun
    case finished
    case broken
  }

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

  let connection: ServerConnection
  var responseState = ResponseState.absent
  private let requestNumber: UInt64
  private let clientPersists: Bool
  private var closes = false
  /// The status of the response; `nil` before there is one.
  package private(set) var status: Int?
  /// Bytes of the response's body that were sent.
  package var sentBodyBytes: UInt64 = 0

  init(_ parsed: ParsedRequest, connection: ServerConnection, requestNumber: UInt64) {
    let options = connection.server.options
    request = parsed.head
    peer = connection.peer
    isTLS = connection.isTLS
    started = connection.server.runtime.now
    self.connection = connection
    self.requestNumber = requestNumber
    clientPersists = parsed.persists
    body = HTTPBody(
      connection.messages, framing: parsed.framing, expectsContinue: parsed.expectsContinue,
      pace: BodyPace(timeout: options.bodyTimeout, rateMin: options.bodyRateMin))
  }

  /// Names the request in logs and error documents: 16 hexadecimal digits.
  package var requestID: String {
    let digits = String(requestNumber, radix: 16)
    return String(repeating: "0", count: 16 - digits.utf8.count) + digits
  }

  /// Whether a response has begun.
  package var hasResponded: Bool { responseState != .absent }

  /// Sends a whole response.
  ///
  /// To a HEAD request only its head is sent. `Content-Length`, `Transfer-Encoding`, `Connection`, `Date`
  /// and `Server` are the server's; a `Connection: close` among `headers` closes the connection afterwards.
  /// - Throws: `HTTPError`, `StreamError`, `CancellationError`: the client does not get the response.
  package func respond(_ status: Int, headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = [])
    async throws
  {
    let writer = try begin(status, headers: headers, contentLength: UInt64(body.count))
    try await writer.write(body)
    try await writer.finish()
  }

  /// Begins a response whose body is written piece by piece: chunked when `contentLength` is `nil`.
  ///
  /// The head leaves together with the first piece. To a HEAD request nothing but the head is sent, and
  /// writing is harmless. Unless `finish` is called, the connection is closed, so that the client notices.
  package func beginResponse(
    _ status: Int, headers: HTTPHeaders = HTTPHeaders(), contentLength: UInt64?
  ) async throws -> HTTPResponseBody {
    try begin(status, headers: headers, contentLength: contentLength)
  }

  private func begin(
    _ status: Int, headers: HTTPHeaders, contentLength: UInt64?
  ) throws(HTTPError) -> HTTPResponseBody {
    precondition((200...599).contains(status), "no status of a final response")
    guard responseState == .absent else { throw .alreadyResponded }
    responseState = .begun
    self.status = status
    body.continueIfEmpty()
    body.mayStillContinue = false
    let framing = framing(status, contentLength: contentLength)
    if case .untilClose = framing { closes = true }
    closes = closes || mustClose(headers)
    ResponseHeadWriter(server: connection.server, requestNumber: requestNumber).write(
      status, headers: headers, framing: framing,
      connection: closes ? .close : request.minorVersion == 0 ? .keepAlive : .persist,
      to: connection.messages.pending)
    return HTTPResponseBody(self, framing: framing, isSent: request.method != "HEAD")
  }

  private func framing(_ status: Int, contentLength: UInt64?) -> ResponseFraming {
    if status == 204 || status == 304 { return .none }
    if let contentLength { return .length(contentLength) }
    if request.method == "HEAD" { return .none }
    return request.minorVersion == 0 ? .untilClose : .chunked
  }

  private func mustClose(_ headers: HTTPHeaders) -> Bool {
    !clientPersists || connection.server.isShuttingDown
      || body.cannotBeDrained(maxBytes: connection.server.options.drainMaxBytes)
      || headers.lists("close", in: "connection")
  }

  /// The status of the response, if all of it was sent.
  var finishedStatus: Int? { responseState == .finished ? status : nil }

  /// Whether all of the response was sent.
  package var isResponseWhole: Bool { responseState == .finished }

  /// Brings the exchange to its end after the handler has returned.
  func conclude() async -> Ending {
    if responseState == .absent {
      connection.server.logger.error(
        "a handler did not answer", [("request", requestID), ("method", request.method)])
      try? await respond(500)
    }
    guard responseState == .finished else {
      connection.messages.pending.clear()
      return .abort
    }
    body.end()
    if body.isFinished {
      let isQuiet = connection.messages.received.isEmpty
      return !closes ? .persist : isQuiet ? .close : .lingerAndClose
    }
    if closes { return .lingerAndClose }
    return await body.drain(maxBytes: connection.server.options.drainMaxBytes)
      ? .persist : .lingerAndClose
  }
}
