// One TLS connection's state: bytes in, bytes out, no I/O.
//
// OpenSSL keeps its errors in a queue of the thread, and `SSL_get_error` looks at it. So each call here clears the
// queue, calls, and asks, all without a suspension: another connection may run on the thread at the next one.

private import COpenSSL

final class TLSEngine {
  /// What a call came to.
  enum Step {
    /// Done; for reads and writes, with this many bytes.
    case done(Int)
    /// OpenSSL needs bytes from the peer first.
    case wantsInput
    /// OpenSSL has more to send than the output takes.
    case wantsOutput
    /// The peer said that it sends no more.
    case ended
    /// The connection is broken; why.
    case failed(String)
  }

  let transport = TLSTransport()
  private let ssl: OpaquePointer
  /// Kept for what OpenSSL calls back into.
  private let handle: TLSHandle
  private let peerCheck: TLSPeerCheck?
  private var isBroken = false

  /// What one record holds at most (RFC 8446, section 5.1).
  private static let recordBytesMax = 16 * 1024
  /// What a record may be larger than its content: header, explicit nonce, MAC, padding of the oldest suites.
  private static let recordOverheadMax = 1024

  /// The room in the output that a write needs, so that OpenSSL never holds half a record: the reading side could
  /// not answer a key update then.
  static let writeRoom = recordBytesMax + recordOverheadMax

  /// Takes over `ssl`, a connection of `handle`, to which no BIO has been given; `nil` when memory is short.
  init?(ssl: OpaquePointer, of handle: TLSHandle, peerCheck: TLSPeerCheck?) {
    self.ssl = ssl
    self.handle = handle
    self.peerCheck = peerCheck
    // `deinit` runs too when this returns nil.
    if let peerCheck, !peerCheck.attach(to: ssl) { return nil }
    guard let bio = transport.makeBIO() else { return nil }
    SSL_set_bio(ssl, bio, bio)
  }

  deinit { SSL_free(ssl) }

  /// The protocol's version as OpenSSL names it, such as `TLSv1.3`.
  var version: String { String(cString: SSL_get_version(ssl)) }

  /// The protocol that ALPN chose, such as `http/1.1`; `nil` when it chose none.
  var applicationProtocol: String? { Self.applicationProtocol(of: ssl) }

  /// As `applicationProtocol`, also in the middle of the handshake.
  static func applicationProtocol(of ssl: OpaquePointer) -> String? {
    var name: UnsafePointer<UInt8>?
    var length: UInt32 = 0
    SSL_get0_alpn_selected(ssl, &name, &length)
    guard let name, length > 0 else { return nil }
    return String(decoding: UnsafeBufferPointer(start: name, count: Int(length)), as: UTF8.self)
  }

  /// The key that the peer has proven, when connections of this kind are checked by key.
  var peerKey: [UInt8]? { peerCheck?.key }

  /// Bytes that only the two ends of this connection can make (RFC 8446, section 7.5).
  func exportKeyingMaterial(label: String, context: [UInt8], count: Int) -> [UInt8]? {
    ERR_clear_error()
    var bytes = [UInt8](repeating: 0, count: count)
    let isDone = SSL_export_keying_material(
      ssl, &bytes, count, label, label.utf8.count, context, context.count, 1)
    return isDone == 1 ? bytes : nil
  }

  /// Whether `read` has bytes to work on.
  var isReadable: Bool { transport.hasInput || SSL_pending(ssl) > 0 }

  /// Whether OpenSSL keeps a part of a record.
  var holdsPart: Bool { SSL_has_pending(ssl) == 1 }

  func handshake() -> Step {
    guard !isBroken else { return .failed("the connection failed before") }
    ERR_clear_error()
    return step(after: SSL_do_handshake(ssl))
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) -> Step {
    guard !isBroken else { return .failed("the connection failed before") }
    ERR_clear_error()
    let count = Int32(clamping: buffer.count)
    return step(after: SSL_read(ssl, buffer.baseAddress, count))
  }

  /// Encrypts one record's worth of `bytes`, which must not be empty, into the output, which must have `writeRoom`.
  func write(_ bytes: UnsafeRawBufferPointer) -> Step {
    guard !isBroken else { return .failed("the connection failed before") }
    ERR_clear_error()
    let count = Int32(min(bytes.count, Self.recordBytesMax))
    return step(after: SSL_write(ssl, bytes.baseAddress, count))
  }

  /// Writes close_notify into the output.
  func finishWriting() {
    guard !isBroken else { return }
    ERR_clear_error()
    SSL_shutdown(ssl)
  }

  private func step(after result: Int32) -> Step {
    if result > 0 { return .done(Int(result)) }
    switch SSL_get_error(ssl, result) {
    case SSL_ERROR_WANT_READ: return .wantsInput
    case SSL_ERROR_WANT_WRITE: return .wantsOutput
    case SSL_ERROR_ZERO_RETURN: return .ended
    default:
      isBroken = true
      return .failed(reason())
    }
  }

  private func reason() -> String {
    if let peerCheck {
      if let reason = peerCheck.reason { return reason }
      let alert = Int32(truncatingIfNeeded: ERR_peek_error() & UInt(ERR_REASON_MASK))
      if alert == SSL_R_SSLV3_ALERT_BAD_CERTIFICATE { return NodeTLS.keyRefused }
    }
    let verification = SSL_get_verify_result(ssl)
    if verification != Int(X509_V_OK) {
      return "the certificate is refused: "
        + String(cString: X509_verify_cert_error_string(verification))
    }
    return TLSContextError.nextReason()
  }
}
