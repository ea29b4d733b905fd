// The body of a request, as a handler reads it.

import Reactor

/// The body of a request, read as it arrives.
package final class HTTPBody {
  /// Its length; 0 without a body, `nil` when it is chunked.
  package let contentLength: UInt64?

  private let messages: MessageStream
  private let reader: BodyReader
  /// Whether the client waits for `100 Continue`.
  private var owesContinue: Bool
  /// Whether the handler has returned.
  private var hasEnded = false
  /// Whether a `100 Continue` may be sent: not behind a final response.
  var mayStillContinue = true

  init(
    _ messages: MessageStream, framing: BodyFraming, expectsContinue: Bool, pace: BodyPace
  ) {
    self.messages = messages
    reader = BodyReader(messages, framing: framing, pace: pace)
    owesContinue = expectsContinue
    contentLength =
      switch framing {
      case .none: 0
      case .length(let count): count
      case .chunked, .untilClose: nil
      }
  }

  /// The fields behind a chunked body, once `read` has returned 0.
  package var trailers: HTTPHeaders { reader.trailers }

  /// How many bytes have been read.
  package var receivedBytes: UInt64 { reader.receivedBytes }

  /// Whether all of it has been read.
  package var isFinished: Bool { reader.isFinished }

  /// Reads at least one byte into `buffer` and returns how many; 0 at the end.
  ///
  /// The first call answers an `Expect: 100-continue`.
  /// - Throws: `HTTPError`, `StreamError`, `CancellationError`: the body is lost, and with it the connection; a
  ///   response may still be sent.
  package func read(into buffer: UnsafeMutableRawBufferPointer) async throws -> Int {
    guard !hasEnded else { throw HTTPError.closed }
    if owesContinue, contentLength != 0 { try await sendContinue() }
    return try await reader.read(into: buffer)
  }

  /// Reads all of it.
  ///
  /// - Throws: `HTTPError.bodyTooLarge` when it is longer than `maxBytes`, and as `read`.
  package func collect(maxBytes: Int) async throws -> [UInt8] {
    if let contentLength, contentLength > UInt64(clamping: maxBytes) {
      throw HTTPError.bodyTooLarge(maxBytes: maxBytes)
    }
    defer { keptBytes = 0 }
    return try await collectBody(expected: contentLength, maxBytes: maxBytes) { buffer in
      let count = try await read(into: buffer)
      keptBytes += count
      return count
    }
  }

  /// How much of it its reader keeps in memory while it reads on.
  ///
  /// It counts against the server's `heldBytesMax` while the client is waited for.
  package var keptBytes: Int {
    get { messages.otherHeldBytes }
    set { messages.otherHeldBytes = newValue }
  }

  private func sendContinue() async throws {
    owesContinue = false
    // A client that has begun to send does not wait any more (RFC 9110, section 10.1.1).
    guard mayStillContinue, messages.received.isEmpty else { return }
    messages.pending.append(Self.continueLine)
    try await messages.flush()
  }

  private static let continueLine: StaticString = "HTTP/1.1 100 Continue\r\n\r\n"

  /// Answers a client that waits to be asked for nothing, in front of the response.
  ///
  /// Clients must not expect anything of an empty body (RFC 9110, section 10.1.1), and need no 100 if they do. But
  /// botocore before 1.44, which many programs bring along, takes a final status in its place for that of its
  /// next request as well, and then waits a minute for the rest.
  func continueIfEmpty() {
    guard owesContinue, contentLength == 0 else { return }
    owesContinue = false
    messages.pending.append(Self.continueLine)
  }

  /// Whether what is unread keeps the connection from being used again: the client was never told to send it, it
  /// is too much to read for nothing, or its end cannot be found.
  func cannotBeDrained(maxBytes: UInt64) -> Bool {
    (owesContinue && !isFinished) || reader.isBroken || reader.remainingMin > maxBytes
  }

  /// No more reads by the handler.
  func end() { hasEnded = true }

  /// Reads and drops up to `maxBytes` of the rest; `false` when that was not all.
  func drain(maxBytes: UInt64) async -> Bool {
    guard !cannotBeDrained(maxBytes: maxBytes) else { return false }
    let buffer = BufferPool.shared.take()
    keptBytes = BufferPool.bufferBytes
    defer {
      keptBytes = 0
      BufferPool.shared.give(buffer)
    }
    let limit = reader.receivedBytes &+ maxBytes
    do {
      while try await reader.read(into: buffer.bytes) > 0 {
        if reader.receivedBytes > limit { return false }
      }
      return true
    } catch {
      return false
    }
  }
}

/// Reads a body to its end into one array.
func collectBody(
  expected: UInt64?, maxBytes: Int,
  read: nonisolated(nonsending) (UnsafeMutableRawBufferPointer) async throws -> Int
) async throws -> [UInt8] {
  // Grows with what has arrived, not with what was announced.
  let piece = UnsafeMutableRawBufferPointer.allocate(
    byteCount: Int(min(expected ?? collectPieceBytes, collectPieceBytes)) + 1, alignment: 16)
  defer { piece.deallocate() }
  var bytes: [UInt8] = []
  while true {
    let count = try await read(piece)
    if count == 0 { return bytes }
    guard bytes.count + count <= maxBytes else { throw HTTPError.bodyTooLarge(maxBytes: maxBytes) }
    bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: piece[..<count]))
  }
}

/// Large enough that the copy dominates the calls.
private let collectPieceBytes: UInt64 = 64 << 10
