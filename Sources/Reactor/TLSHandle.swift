// OpenSSL's context: what connections of one kind share, and what is the same for every kind.
//
// OpenSSL calls back into the objects that are kept here, so each connection's engine keeps its handle.

private import COpenSSL

/// An `SSL_CTX` and what its callbacks need.
final class TLSHandle: @unchecked Sendable {
  // Safe because it is not changed once its maker has loaded it, and OpenSSL locks what it counts inside.
  let pointer: OpaquePointer
  /// What the server's side chooses from.
  let protocols: TLSProtocols

  /// A context for both sides, without certificates.
  ///
  /// - Throws: `TLSContextError`.
  init(oldestVersion: Int32, protocols: [String]) throws {
    ERR_clear_error()
    guard let pointer = SSL_CTX_new(TLS_method()) else { throw TLSContextError.next("TLS") }
    self.pointer = pointer
    self.protocols = TLSProtocols(protocols)
    // SSL_CTX_set_min_proto_version.
    SSL_CTX_ctrl(pointer, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(oldestVersion), nil)
    // Buffers are freed between records, so that an idle connection has none.
    SSL_CTX_ctrl(pointer, SSL_CTRL_MODE, Int(SSL_MODE_RELEASE_BUFFERS), nil)
    // Tickets let clients resume; a cache in memory would only grow.
    SSL_CTX_ctrl(pointer, SSL_CTRL_SET_SESS_CACHE_MODE, Int(SSL_SESS_CACHE_OFF), nil)
    SSL_CTX_set_options(pointer, Self.noRenegotiation)
    // A key with a passphrase is an error, not a question on a terminal that a server does not have.
    SSL_CTX_set_default_passwd_cb(pointer) { _, _, _, _ in 0 }
    self.protocols.install(in: pointer)
  }

  deinit { SSL_CTX_free(pointer) }

  /// SSL_OP_NO_RENEGOTIATION, which the header spells as a macro: renegotiation has no use but attacks.
  private static let noRenegotiation: UInt64 = 1 << 30

  /// A new connection, on neither side yet.
  ///
  /// - Throws: `StreamError.tls` when memory is short.
  func makeEngine(peerCheck: TLSPeerCheck? = nil) throws -> (OpaquePointer, TLSEngine) {
    ERR_clear_error()
    guard let ssl = SSL_new(pointer),
      let engine = TLSEngine(ssl: ssl, of: self, peerCheck: peerCheck)
    else { throw StreamError.tls(reason: TLSContextError.nextReason()) }
    return (ssl, engine)
  }
}
