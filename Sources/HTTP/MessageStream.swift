// A byte stream with the two buffers that messages need.
//
// Invariants:
//   1. Bytes are sent in the order in which `send` and the send buffer took them.
//   2. No read or write waits longer than its timeout.
//   3. Between messages neither buffer is borrowed.

import Base
import Reactor

/// A connection, as parsers and writers of messages see it, for one task at a time.
package final class MessageStream {
  let stream: any ByteStream
  let runtime: any Runtime
  /// What the peer has sent and nobody has used.
  package let received = ReceiveBuffer()
  /// What is to be sent together with what comes next.
  package let pending = SendBuffer()
  private let writeTimeout: Duration
  /// Notes when the peer is waited for, and what is held meanwhile; `nil` for a client's connections.
  private let entry: ConnectionEntry?
  /// What the reader of a body, or who sends one, holds besides the two buffers.
  var otherHeldBytes = 0

  init(
    _ stream: any ByteStream, runtime: any Runtime, writeTimeout: Duration,
    entry: ConnectionEntry? = nil
  ) {
    self.stream = stream
    self.runtime = runtime
    self.writeTimeout = writeTimeout
    self.entry = entry
  }

  /// Waits for more bytes and adds them to `received`; 0 at the end of the stream.
  ///
  /// - Requires: `received` is not full, that is, less than a head's maximum is in it.
  func receive(since start: MonotonicInstant? = nil, deadline: MonotonicInstant) async throws -> Int
  {
    let space = received.space()
    beginWait(since: start)
    defer { entry?.endWait() }
    let count = try await stream.read(into: space, deadline: deadline)
    received.append(count)
    return count
  }

  /// Adds what has arrived to `received`, without a wait.
  ///
  /// - Throws: `StreamError.timedOut` when that is nothing, and as `receive`.
  func receiveWhatIsThere() async throws {
    // A deadline that has passed: a read that waits would hold the buffer meanwhile.
    let passed = MonotonicInstant(nanoseconds: 0)
    let space = UnsafeMutableRawBufferPointer(
      rebasing: received.space().prefix(Self.firstBytesMax))
    received.append(try await stream.read(into: space, deadline: passed))
  }

  /// How much is taken with the beginning of a message.
  ///
  /// A head and a small body. What comes behind it of a larger body is better read to where it belongs; and as long as
  /// the handler waits for something else, memory that was never touched costs nothing.
  private static let firstBytesMax = 16 << 10

  /// Waits for the peer's next bytes and puts them into `buffer`, which it is not charged for.
  func read(
    into buffer: UnsafeMutableRawBufferPointer, since start: MonotonicInstant,
    deadline: MonotonicInstant
  ) async throws -> Int {
    beginWait(since: start)
    defer { entry?.endWait() }
    return try await stream.read(into: buffer, deadline: deadline)
  }

  private func beginWait(since start: MonotonicInstant?) {
    guard let entry else { return }
    let buffers = (received.holdsBuffer ? BufferPool.bufferBytes : 0) + pending.heldBytes
    entry.beginWait(since: start ?? runtime.now, holding: buffers + otherHeldBytes)
  }

  /// Sends what is pending.
  func flush() async throws {
    guard pending.count > 0 else { return }
    try await write(pending.bytes)
    pending.clear()
  }

  /// Sends what is pending and then `bytes`, together if they are small.
  func send(_ bytes: UnsafeRawBufferPointer) async throws {
    guard pending.count > 0 else { return try await write(bytes) }
    let joined = min(bytes.count, max(0, pending.room))
    pending.append(UnsafeRawBufferPointer(rebasing: bytes[..<joined]))
    try await flush()
    if joined < bytes.count {
      // What a slow peer holds then is the caller's memory alone.
      received.release()
      try await write(UnsafeRawBufferPointer(rebasing: bytes[joined...]))
    }
  }

  /// Sends what is pending and then `bytes`, together if they are small, by copying.
  ///
  /// An array's bytes cannot be borrowed across a suspension; large bodies come as buffers.
  func send(_ bytes: [UInt8]) async throws {
    otherHeldBytes += bytes.count
    defer { otherHeldBytes -= bytes.count }
    var start = 0
    while start < bytes.count {
      let end = min(bytes.count, start + max(0, pending.room))
      bytes.withUnsafeBytes { pending.append(UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
      start = end
      guard start < bytes.count else { break }
      // What a slow peer holds then is the caller's array and one buffer.
      received.release()
      try await flush()
    }
    try await flush()
  }

  /// Writes in pieces, so that a slow peer is told from a stuck one.
  private func write(_ bytes: UnsafeRawBufferPointer) async throws {
    var start = 0
    while start < bytes.count {
      let end = min(bytes.count, start + Self.pieceBytes)
      let now = runtime.now
      beginWait(since: now)
      defer { entry?.endWait() }
      do {
        try await stream.write(
          UnsafeRawBufferPointer(rebasing: bytes[start..<end]), deadline: now + writeTimeout)
      } catch {
        throw HTTPError.inMessage(error)
      }
      start = end
    }
  }

  /// With a timeout of 60 s a peer must take 2 KB/s, less than any connection that is of use.
  private static let pieceBytes = 128 << 10
}
