// TLS over any byte stream.
//
// Invariants:
//   1. Only the writing side (and the handshake, before either side begins) sends. So one task may read and another
//      write, as for every `ByteStream`, and the bytes of the two never mix on the way to the socket.
//   2. No buffer is held across a wait for the peer's next bytes.

package import Base

/// A connection that is encrypted and whose peer is who it says: on the client's side, between nodes on both.
///
/// Those between nodes come from `NodeTLS`.
package final class TLSStream: ByteStream {
  private let stream: any ByteStream
  private let engine: TLSEngine
  private let pool = BufferPool.shared

  /// The server's side of a new connection.
  ///
  /// - Throws: what `stream` throws; `StreamError.tls` when the client and we do not agree. `stream` is closed then.
  package static nonisolated(nonsending) func accept(
    _ stream: any ByteStream, context: TLSContext, deadline: MonotonicInstant
  ) async throws -> TLSStream {
    try await shakeHands(stream, deadline: deadline) { try context.makeServerEngine() }
  }

  /// The client's side of a new connection to the server that `serverName`, a host name or an address, stands for.
  ///
  /// - Throws: what `stream` throws; `StreamError.tls` when the server's certificate is refused, or it refuses us
  ///   (under TLS 1.3 that may come with the first read). `stream` is closed then.
  package static nonisolated(nonsending) func connect(
    _ stream: any ByteStream, context: TLSContext, serverName: String, deadline: MonotonicInstant
  ) async throws -> TLSStream {
    try await shakeHands(stream, deadline: deadline) {
      try context.makeClientEngine(serverName: serverName)
    }
  }

  static nonisolated(nonsending) func shakeHands(
    _ stream: any ByteStream, deadline: MonotonicInstant, makeEngine: () throws -> TLSEngine
  ) async throws -> TLSStream {
    do {
      let secured = TLSStream(stream, try makeEngine())
      try await secured.handshake(deadline: deadline)
      return secured
    } catch {
      stream.close()
      throw error
    }
  }

  private init(_ stream: any ByteStream, _ engine: TLSEngine) {
    self.stream = stream
    self.engine = engine
  }

  /// The version agreed on, such as `TLSv1.3`.
  package var version: String { engine.version }

  /// The protocol agreed on by ALPN; `nil` for none.
  package var applicationProtocol: String? { engine.applicationProtocol }

  /// The Ed25519 key that the other node has proven: 32 bytes; `nil` unless the connection came from `NodeTLS`.
  package var peerKey: [UInt8]? { engine.peerKey }

  /// `count` bytes that only the two ends of this connection can make, each the same (RFC 8446, section 7.5).
  ///
  /// - Throws: `StreamError.tls` when OpenSSL cannot.
  package func exportKeyingMaterial(label: String, context: [UInt8], count: Int) throws -> [UInt8] {
    guard let bytes = engine.exportKeyingMaterial(label: label, context: context, count: count)
    else { throw StreamError.tls(reason: TLSContextError.nextReason()) }
    return bytes
  }

  package func limitUnsent(toBytes bytes: Int) { stream.limitUnsent(toBytes: bytes) }

  package var peerAddress: SocketAddress? { stream.peerAddress }

  package var peerDescription: String { stream.peerDescription }

  private nonisolated(nonsending) func handshake(deadline: MonotonicInstant) async throws {
    while true {
      engine.transport.attachOutput(pool.take())
      let step = engine.handshake()
      releaseInput()
      do {
        try await flush(deadline: deadline)
      } catch {
        // An alert that cannot be sent is no news; the reason for it is.
        if case .failed = step {} else { throw error }
      }
      switch step {
      case .done: return
      case .wantsInput: try await fill(deadline: deadline)
      case .wantsOutput: continue
      case .ended: throw StreamError.disconnected(errno: 0)
      case .failed(let reason): throw StreamError.tls(reason: reason)
      }
    }
  }

  // MARK: Reading

  package nonisolated(nonsending) func read(
    into buffer: UnsafeMutableRawBufferPointer, deadline: MonotonicInstant
  ) async throws -> Int {
    if buffer.count == 0 { return 0 }
    try Task.checkCancellation()
    while true {
      let step = engine.read(into: buffer)
      releaseInput()
      switch step {
      case .done(let count): return count
      case .ended: return 0
      case .wantsInput: try await fill(deadline: deadline)
      case .wantsOutput:
        throw StreamError.tls(reason: "the peer asks for answers and does not read them")
      case .failed(let reason): throw StreamError.tls(reason: reason)
      }
    }
  }

  package nonisolated(nonsending) func waitUntilReadable(deadline: MonotonicInstant) async throws {
    if engine.isReadable { return }
    try await stream.waitUntilReadable(deadline: deadline)
  }

  package var holdsPart: Bool { engine.holdsPart }

  /// Reads from the socket for OpenSSL, which has nothing left to read.
  private nonisolated(nonsending) func fill(deadline: MonotonicInstant) async throws {
    try await stream.waitUntilReadable(deadline: deadline)
    let buffer = pool.take()
    let count: Int
    do {
      count = try await stream.read(into: buffer.bytes, deadline: deadline)
    } catch {
      pool.give(buffer)
      throw error
    }
    if count == 0 {
      // The end without close_notify: bytes may be missing (RFC 8446, section 6.1).
      pool.give(buffer)
      throw StreamError.disconnected(errno: 0)
    }
    engine.transport.supply(buffer, count: count)
  }

  private func releaseInput() {
    if let buffer = engine.transport.releaseInput() { pool.give(buffer) }
  }

  // MARK: Writing

  package nonisolated(nonsending) func write(
    _ bytes: UnsafeRawBufferPointer, deadline: MonotonicInstant
  ) async throws {
    var rest = bytes
    while rest.count > 0 {
      engine.transport.attachOutput(pool.take())
      var failure: String?
      while rest.count > 0, failure == nil, engine.transport.outputRoom >= TLSEngine.writeRoom {
        switch engine.write(rest) {
        case .done(let count): rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        case .failed(let reason): failure = reason
        case .ended, .wantsInput, .wantsOutput: failure = "the connection takes no more"
        }
      }
      try await flush(deadline: deadline)
      if let failure { throw StreamError.tls(reason: failure) }
    }
  }

  package nonisolated(nonsending) func finishWriting(deadline: MonotonicInstant) async throws {
    engine.transport.attachOutput(pool.take())
    engine.finishWriting()
    try await flush(deadline: deadline)
    try await stream.finishWriting(deadline: deadline)
  }

  /// Sends what OpenSSL has written.
  private nonisolated(nonsending) func flush(deadline: MonotonicInstant) async throws {
    while let (buffer, count) = engine.transport.detachOutput() {
      defer { pool.give(buffer) }
      if count > 0 {
        try await stream.write(
          UnsafeRawBufferPointer(rebasing: buffer.bytes.prefix(count)), deadline: deadline)
      }
      if engine.transport.hasBacklog { engine.transport.attachOutput(pool.take()) }
    }
  }

  package func close() { stream.close() }

  package func reset() { stream.reset() }
}
