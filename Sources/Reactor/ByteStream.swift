// A connection, whatever carries it: a TCP or Unix socket, TLS over one, or a pipe in the simulated world.

package import Base
private import Glibc

/// A two-way stream of bytes that one task reads and one task writes at a time.
///
/// A stream belongs to the task, and so to the loop, that uses it; it is not Sendable on purpose.
package protocol ByteStream: AnyObject {
  /// Reads at least one byte into `buffer` and returns how many; 0 at the peer's end of stream.
  ///
  /// Bytes that are there already win over a deadline that has passed.
  ///
  /// - Throws: `StreamError` when the connection failed or `deadline` passed, `CancellationError`.
  nonisolated(nonsending) func read(
    into buffer: UnsafeMutableRawBufferPointer, deadline: MonotonicInstant
  ) async throws -> Int

  /// Waits until `read` has something to return: bytes, the end, or a failure. May return early.
  ///
  /// A connection that waits for its next request waits here, so that it needs no buffer meanwhile.
  nonisolated(nonsending) func waitUntilReadable(deadline: MonotonicInstant) async throws

  /// Writes all of `bytes`.
  ///
  /// - Throws: `StreamError` when the connection failed or `deadline` passed, `CancellationError`. How much
  ///   was written is then unknown: only `close` remains.
  nonisolated(nonsending) func write(
    _ bytes: UnsafeRawBufferPointer, deadline: MonotonicInstant
  ) async throws

  /// Says that nothing more will be written (TCP: FIN; TLS: close_notify), and goes on reading.
  nonisolated(nonsending) func finishWriting(deadline: MonotonicInstant) async throws

  /// Whether memory is held for bytes that have come and that `read` cannot return yet, such as a part of a TLS
  /// record.
  var holdsPart: Bool { get }

  /// Has no more than about `bytes` of what was written wait where it cannot be taken back, as in the kernel, so
  /// that what is urgent is never stuck behind much that is not.
  func limitUnsent(toBytes bytes: Int)

  /// Closes the connection at once. May be called more than once; reads and writes under way fail.
  func close()

  /// As `close`, and throws away what was written and has not arrived: the other side hears of the end also when nothing
  /// of it is heard here (TCP: RST).
  func reset()

  /// The other side's address, IPv4 as such; `nil` where there is none, as of a Unix socket or a pipe.
  var peerAddress: SocketAddress? { get }

  /// The other side, for logs: `192.0.2.1:50000`, `[2001:db8::1]:50000`, or `unix`.
  var peerDescription: String { get }
}

extension ByteStream {
  package var holdsPart: Bool { false }

  package var peerAddress: SocketAddress? { nil }

  /// Reads `count` bytes, no more, and gives them to `body`: for what is small and comes before its reader knows more.
  ///
  /// - Throws: as `read`; `StreamError.disconnected` when the stream ends before; what `body` throws.
  package nonisolated(nonsending) func readExactly<Value>(
    _ count: Int, deadline: MonotonicInstant, _ body: (UnsafeRawBufferPointer) throws -> Value
  ) async throws -> Value {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(count, 1), alignment: 1)
    defer { buffer.deallocate() }
    var filled = 0
    while filled < count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<count])
      let read = try await read(into: rest, deadline: deadline)
      guard read > 0 else { throw StreamError.disconnected(errno: 0) }
      filled += read
    }
    return try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
  }

  /// Writes `bytes`, of which it makes a copy that lies still: for what is small.
  ///
  /// - Throws: as `write`.
  package nonisolated(nonsending) func write(
    _ bytes: [UInt8], deadline: MonotonicInstant
  ) async throws {
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(bytes.count, 1), alignment: 1)
    defer { buffer.deallocate() }
    buffer.copyBytes(from: bytes)
    try await write(
      UnsafeRawBufferPointer(rebasing: buffer[..<bytes.count]), deadline: deadline)
  }

  package func limitUnsent(toBytes bytes: Int) {}

  package func reset() { close() }
}

/// Why a stream no longer works.
package enum StreamError: Error, Equatable, Sendable {
  /// The deadline passed first.
  case timedOut
  /// The connection is closed or broken; `errno` says how, 0 when the peer or we closed it.
  case disconnected(errno: Int32)
  /// TLS refused: the reason as OpenSSL words it.
  case tls(reason: String)
  /// A name has no address: the reason as the resolver words it.
  case unresolved(host: String, reason: String)
}

extension StreamError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .timedOut: "no answer"
    case .disconnected(let code): code == 0 ? "closed" : String(cString: strerror(code))
    case .tls(let reason): reason
    case .unresolved(let host, let reason): "\(host) has no address: \(reason)"
    }
  }
}
