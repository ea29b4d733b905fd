// The body of a response, as a handler writes it.
//
// A chunk's final CR LF is held back and sent with what follows, so that a large chunk costs two writes and a
// small one, with the head or without, costs one.

import Base

/// The body of a response, written piece by piece.
package final class HTTPResponseBody {
  private let exchange: HTTPExchange
  private let framing: ResponseFraming
  private let messages: MessageStream
  private let isSent: Bool
  private var remaining: UInt64 = 0

  init(_ exchange: HTTPExchange, framing: ResponseFraming, isSent: Bool) {
    self.exchange = exchange
    self.framing = framing
    messages = exchange.connection.messages
    if case .none = framing { self.isSent = false } else { self.isSent = isSent }
    if case .length(let count) = framing { remaining = count }
  }

  /// Sends `bytes` and returns when the connection has taken them: a slow client slows the caller.
  ///
  /// - Throws: `HTTPError`, `StreamError`, `CancellationError`.
  package func write(_ bytes: UnsafeRawBufferPointer) async throws {
    guard try admit(bytes.count) else { return }
    try await sending {
      if case .chunked = framing {
        ChunkedEncoder.appendStart(bytes.count, to: messages.pending)
        if bytes.count + ChunkedEncoder.lineEndBytes <= messages.pending.room {
          messages.pending.append(bytes)
          ChunkedEncoder.appendLineEnd(to: messages.pending)
          try await messages.flush()
        } else {
          try await messages.send(bytes)
          ChunkedEncoder.appendLineEnd(to: messages.pending)
        }
      } else {
        try await messages.send(bytes)
      }
    }
  }

  /// Sends `bytes`, by copying: for small bodies.
  package func write(_ bytes: [UInt8]) async throws {
    guard try admit(bytes.count) else { return }
    try await sending {
      if case .chunked = framing {
        ChunkedEncoder.appendStart(bytes.count, to: messages.pending)
        try await messages.send(bytes)
        ChunkedEncoder.appendLineEnd(to: messages.pending)
      } else {
        try await messages.send(bytes)
      }
    }
  }

  /// Sends what is held back: the head, when nothing has been written yet.
  package func flush() async throws {
    try await sending { try await messages.flush() }
  }

  /// Ends the body.
  ///
  /// `trailers` are sent behind a chunked body, and dropped otherwise.
  /// - Throws: `HTTPError.lengthMismatch` when less was written than announced, and as `write`.
  package func finish(trailers: HTTPHeaders = HTTPHeaders()) async throws {
    guard exchange.responseState == .begun else { throw HTTPError.alreadyResponded }
    guard remaining == 0 || !isSent else {
      exchange.responseState = .broken
      throw HTTPError.lengthMismatch
    }
    if isSent, case .chunked = framing {
      ChunkedEncoder.appendEnd(trailers: trailers, to: messages.pending)
    }
    try await flush()
    exchange.responseState = .finished
  }

  /// Whether `count` bytes are to be sent now; takes note of them.
  private func admit(_ count: Int) throws(HTTPError) -> Bool {
    guard exchange.responseState == .begun else { throw .alreadyResponded }
    guard isSent, count > 0 else { return false }
    if case .length = framing {
      guard UInt64(count) <= remaining else {
        exchange.responseState = .broken
        throw .lengthMismatch
      }
      remaining -= UInt64(count)
    }
    exchange.sentBodyBytes += UInt64(count)
    exchange.connection.server.metrics.sentBytes.add(UInt64(count))
    return true
  }

  /// Once something could not be sent, the response cannot become whole.
  private func sending(_ body: nonisolated(nonsending) () async throws -> Void) async throws {
    do {
      try await body()
    } catch {
      exchange.responseState = .broken
      throw error
    }
  }
}
