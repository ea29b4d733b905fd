// One connection of a client: a request out, a response in.
//
// Invariants:
//   1. A connection goes back to the pool only when request and response are whole, nothing follows the
//      response, and both sides want to go on.
//   2. When sending fails, the response is looked for nevertheless: a server that refuses a large body
//      answers and closes.

import Base
import Reactor

/// A connection with at most one request under way.
final class ClientConnection {
  let endpoint: HTTPEndpoint
  let messages: MessageStream
  private let pool: ClientPool
  private var hasReceivedBytes = false

  init(_ messages: MessageStream, endpoint: HTTPEndpoint, pool: ClientPool) {
    self.messages = messages
    self.endpoint = endpoint
    self.pool = pool
  }

  func close() { messages.stream.close() }

  /// Whether `error`, on a connection from the pool, is what it shows when the server had closed it while
  /// it was idle.
  func isStale(_ error: any Error) -> Bool {
    guard !hasReceivedBytes else { return false }
    if case StreamError.disconnected = error { return true }
    if case StreamError.tls = error { return true }
    return error as? HTTPError == .truncated
  }

  /// Sends `request` and receives the head of its response.
  func exchange(_ request: ClientRequest) async throws -> HTTPClientResponse {
    hasReceivedBytes = false
    do {
      let sendFailure = try await send(request)
      let response: ParsedResponse
      do {
        response = try await receiveHead(
          answersHead: request.method == "HEAD",
          timeout: sendFailure == nil ? pool.options.responseTimeout : Self.lateAnswerTimeout)
      } catch {
        // A server that refuses our certificate says so here, and only here.
        if case StreamError.tls = error { throw error }
        throw sendFailure ?? error
      }
      let body = BodyReader(
        messages, framing: response.framing,
        pace: BodyPace(timeout: pool.options.bodyTimeout, rateMin: Self.rateMin))
      return HTTPClientResponse(
        response, body: body, connection: self,
        persists: response.persists && sendFailure == nil)
    } catch {
      messages.pending.clear()
      close()
      throw error
    }
  }

  /// The response has been read to its end.
  func finished(persists: Bool) {
    messages.received.release()
    if persists, messages.received.isEmpty { pool.put(self) } else { close() }
  }

  // MARK: Sending

  /// Sends the request; returns why it could not be sent whole.
  ///
  /// - Throws: what the body's reader throws, and `CancellationError`.
  private func send(_ request: ClientRequest) async throws -> (any Error)? {
    request.writeHead(to: messages.pending)
    switch request.body {
    case .bytes(let bytes): return try await attempt { try await messages.send(bytes) }
    case .stream(let length, let read):
      let buffer = BufferPool.shared.take()
      defer { BufferPool.shared.give(buffer) }
      return try await send(length: length, through: buffer.bytes, read)
    }
  }

  private func send(
    length: UInt64?, through buffer: UnsafeMutableRawBufferPointer,
    _ read: nonisolated(nonsending) (UnsafeMutableRawBufferPointer) async throws -> Int
  ) async throws -> (any Error)? {
    var sent: UInt64 = 0
    while true {
      let count = try await read(buffer)
      if count == 0 { break }
      sent += UInt64(count)
      if let length, sent > length { throw HTTPError.lengthMismatch }
      let piece = UnsafeRawBufferPointer(rebasing: buffer[..<count])
      if length == nil { ChunkedEncoder.appendStart(count, to: messages.pending) }
      if let failure = try await attempt({ try await messages.send(piece) }) { return failure }
      if length == nil { ChunkedEncoder.appendLineEnd(to: messages.pending) }
    }
    if let length, sent < length { throw HTTPError.lengthMismatch }
    if length == nil { ChunkedEncoder.appendEnd(trailers: HTTPHeaders(), to: messages.pending) }
    return try await attempt { try await messages.flush() }
  }

  private func attempt(
    _ body: nonisolated(nonsending) () async throws -> Void
  ) async throws -> (any Error)? {
    do {
      try await body()
      return nil
    } catch is CancellationError {
      throw CancellationError()
    } catch {
      messages.pending.clear()
      return error
    }
  }

  // MARK: Receiving

  private func receiveHead(
    answersHead: Bool, timeout: Duration
  ) async throws -> ParsedResponse {
    let limits = HeadLimits(
      headMaxBytes: min(pool.options.headMaxBytes, BufferPool.bufferBytes),
      fieldCountMax: pool.options.headerCountMax)
    let deadline = messages.runtime.now + timeout
    for _ in 0...Self.interimMax {
      var parser = ResponseParser(limits: limits, answersHead: answersHead)
      let response = try await receive(&parser, deadline: deadline)
      messages.received.consume(response.byteCount)
      if response.head.status >= 200 { return response }
      guard response.head.status != 101 else { break }
    }
    throw HTTPError.malformed(HTTPRejection(502, "interim responses without end"))
  }

  private func receive(
    _ parser: inout ResponseParser, deadline: MonotonicInstant
  ) async throws -> ParsedResponse {
    while true {
      do {
        if let response = try parser.parse(messages.received.bytes) { return response }
      } catch {
        throw HTTPError.malformed(error)
      }
      guard try await messages.receive(deadline: deadline) > 0 else { throw HTTPError.truncated }
      hasReceivedBytes = true
    }
  }

  /// How long the answer of a server that stopped reading is waited for.
  private static let lateAnswerTimeout: Duration = .seconds(2)
  /// Interim responses before the final one; servers send one or two.
  private static let interimMax = 16
  /// A body that arrives more slowly is of no use to the programs that use this client.
  private static let rateMin: UInt64 = 128
}
