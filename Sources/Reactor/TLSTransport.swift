// What OpenSSL reads from and writes to, in place of a socket.
//
// OpenSSL asks a BIO for bytes. Its own memory BIO copies, grows and keeps what it grew to, for every connection;
// this one reads straight from the buffer that the socket filled, and writes into the buffer that the socket will
// send. Both are borrowed from the pool, and between two requests a connection has neither.
//
// Invariants:
//   1. `output` is attached only while the writing side (or the handshake) runs OpenSSL, and holds nothing once it
//      is detached. What the reading side makes OpenSSL say meanwhile (an answer to a key update, an alert) goes to
//      `backlog`, and out with the next write: after everything written before it, ahead of everything after.
//   2. `backlog` is bounded. A peer that makes us answer and never lets us write is cut off.

private import COpenSSL

final class TLSTransport {
  private var input: PooledBuffer?
  private var inputStart = 0
  private var inputEnd = 0
  private var output: PooledBuffer?
  private(set) var outputCount = 0
  private var backlog: [UInt8] = []

  /// An answer to a key update is about 30 bytes; nobody needs a hundred of them before he reads one.
  private static let backlogBytesMax = 4096

  // MARK: Input

  /// Whether bytes from the socket wait for OpenSSL.
  var hasInput: Bool { inputStart < inputEnd }

  /// Gives OpenSSL the first `count` bytes of `buffer`.
  func supply(_ buffer: PooledBuffer, count: Int) {
    input = buffer
    inputStart = 0
    inputEnd = count
  }

  /// Takes the input buffer back once OpenSSL has read all of it.
  func releaseInput() -> PooledBuffer? {
    guard !hasInput else { return nil }
    defer { input = nil }
    return input
  }

  fileprivate func read(into target: UnsafeMutablePointer<CChar>, _ count: Int) -> Int {
    guard let input else { return 0 }
    let taken = min(count, inputEnd - inputStart)
    UnsafeMutableRawPointer(target).copyMemory(
      from: UnsafeRawPointer(input.bytes.baseAddress.unsafelyUnwrapped + inputStart),
      byteCount: taken)
    inputStart += taken
    return taken
  }

  // MARK: Output

  /// How many bytes `output` can still take.
  var outputRoom: Int { BufferPool.bufferBytes - outputCount }

  /// Whether there is something to send that is in no output buffer.
  var hasBacklog: Bool { !backlog.isEmpty }

  /// Lets OpenSSL write into `buffer`, behind what waited for one.
  func attachOutput(_ buffer: PooledBuffer) {
    buffer.bytes.copyBytes(from: backlog)
    outputCount = backlog.count
    backlog = []
    output = buffer
  }

  /// Takes the output buffer back; its first `outputCount` bytes, as it was before, are to be sent.
  func detachOutput() -> (buffer: PooledBuffer, count: Int)? {
    defer {
      output = nil
      outputCount = 0
    }
    return output.map { ($0, outputCount) }
  }

  fileprivate func write(_ source: UnsafePointer<CChar>, _ count: Int) -> Int {
    guard let output else {
      guard backlog.count + count <= Self.backlogBytesMax else { return 0 }
      backlog.append(contentsOf: UnsafeRawBufferPointer(start: source, count: count))
      return count
    }
    let taken = min(count, outputRoom)
    (output.bytes.baseAddress.unsafelyUnwrapped + outputCount).copyMemory(
      from: source, byteCount: taken)
    outputCount += taken
    return taken
  }

  // MARK: BIO

  /// A BIO over this object, which must outlive it.
  func makeBIO() -> OpaquePointer? {
    guard let bio = BIO_new(Self.method.pointer) else { return nil }
    BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
    return bio
  }

  private struct Method: @unchecked Sendable {
    // Safe because a BIO_METHOD is not changed after it is made.
    let pointer: OpaquePointer?
  }

  private static let method: Method = {
    // BIO_TYPE_SOURCE_SINK, which the header spells as a macro.
    let method = BIO_meth_new(BIO_get_new_index() | 0x0400, "grange stream")
    BIO_meth_set_create(method) { bio in
      BIO_set_init(bio, 1)
      return 1
    }
    BIO_meth_set_read(method) { bio, target, count in
      guard let bio, let target, let data = BIO_get_data(bio), count > 0 else { return -1 }
      BIO_clear_flags(bio, retryFlags)
      let taken = Unmanaged<TLSTransport>.fromOpaque(data)
        ._withUnsafeGuaranteedRef { $0.read(into: target, Int(count)) }
      if taken == 0 { BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY) }
      return taken == 0 ? -1 : Int32(taken)
    }
    BIO_meth_set_write(method) { bio, source, count in
      guard let bio, let source, let data = BIO_get_data(bio), count > 0 else { return -1 }
      BIO_clear_flags(bio, retryFlags)
      let taken = Unmanaged<TLSTransport>.fromOpaque(data)
        ._withUnsafeGuaranteedRef { $0.write(source, Int(count)) }
      if taken == 0 { BIO_set_flags(bio, BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY) }
      return taken == 0 ? -1 : Int32(taken)
    }
    BIO_meth_set_ctrl(method) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
    return Method(pointer: method)
  }()
}

/// BIO_FLAGS_RWS and BIO_FLAGS_SHOULD_RETRY.
private let retryFlags =
  BIO_FLAGS_READ | BIO_FLAGS_WRITE | BIO_FLAGS_IO_SPECIAL | BIO_FLAGS_SHOULD_RETRY
