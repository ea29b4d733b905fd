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

  init(_ stream: any ByteStream, runtime: any Runtime, writeTimeout: Duration) {
    self.stream = stream
    self.runtime = runtime
    self.writeTimeout = writeTimeout
  }

  /// Waits for more bytes and adds them to `received`; 0 at the end of the stream.
  ///
  /// - Requires: `received` is not full, that is, less than a head's maximum is in it.
  func receive(deadline: MonotonicInstant) async throws -> Int {
    let count = try await stream.read(into: received.space(), deadline: deadline)
    received.append(count)
    return count
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
      try await write(UnsafeRawBufferPointer(rebasing: bytes[joined...]))
    }
  }

  /// Sends what is pending and then `bytes`, together if they are small, by copying.
  ///
  /// An array's bytes cannot be borrowed across a suspension; large bodies come as buffers.
  func send(_ bytes: [UInt8]) async throws {
    var start = 0
    while start < bytes.count {
      let end = min(bytes.count, start + max(0, pending.room))
      bytes.withUnsafeBytes { pending.append(UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
      start = end
      if start < bytes.count { try await flush() }
    }
    try await flush()
  }

  /// Writes in pieces, so that a slow peer is told from a stuck one.
  private func write(_ bytes: UnsafeRawBufferPointer) async throws {
    var start = 0
    while start < bytes.count {
      let end = min(bytes.count, start + Self.pieceBytes)
      do {
        try await stream.write(
          UnsafeRawBufferPointer(rebasing: bytes[start..<end]), deadline: runtime.now + writeTimeout
        )
      } catch {
        throw HTTPError.inMessage(error)
      }
      start = end
    }
  }

  /// With a timeout of 60 s a peer must take 2 KB/s, less than any connection that is of use.
  private static let pieceBytes = 128 << 10
}
