// A TLS client that does what ours never do: an old version, no certificate, another's, tickets.

package import Base
private import COpenSSL
package import Reactor

/// The client's side of one connection, straight over OpenSSL.
package final class TestTLSClient: @unchecked Sendable {
  // Safe because the one task that made it uses it.

  /// What it shows to a server that asks.
  package enum Identity: Sendable {
    case nothing
    /// A certificate from files.
    case files(TLSCertificateFiles)
    /// A self-signed certificate of an Ed25519 key.
    case key(seed: [UInt8])
    /// A certificate of the Ed25519 key `publicKey`, with signatures by that of `seed`.
    case stolen(publicKey: [UInt8], seed: [UInt8])
    /// As `key`, with the certificate shown twice.
    case chain(seed: [UInt8])
  }

  package struct Failed: Error, CustomStringConvertible { package let description: String }

  private let context: OpaquePointer
  private let ssl: OpaquePointer
  private let incoming: OpaquePointer
  private let outgoing: OpaquePointer

  /// - Parameter protocols: The names that it offers (ALPN), none when empty.
  package init(
    _ identity: Identity, protocols: [String], isTLS12: Bool = false, resuming: Session? = nil
  ) throws {
    guard let context = SSL_CTX_new(TLS_client_method()), let ssl = SSL_new(context),
      let incoming = BIO_new(BIO_s_mem()), let outgoing = BIO_new(BIO_s_mem())
    else { throw Failed(description: "no memory") }
    (self.context, self.ssl, self.incoming, self.outgoing) = (context, ssl, incoming, outgoing)
    SSL_set_bio(ssl, incoming, outgoing)
    SSL_set_connect_state(ssl)
    let list = protocols.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
    if !list.isEmpty { SSL_set_alpn_protos(ssl, list, UInt32(list.count)) }
    if isTLS12 { SSL_ctrl(ssl, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(TLS1_2_VERSION), nil) }
    if let resuming { SSL_set_session(ssl, resuming.pointer) }
    try show(identity)
  }

  deinit {
    SSL_free(ssl)
    SSL_CTX_free(context)
  }

  private func show(_ identity: Identity) throws {
    switch identity {
    case .nothing: return
    case .files(let files):
      guard SSL_use_certificate_file(ssl, files.certificate, SSL_FILETYPE_PEM) == 1,
        SSL_use_PrivateKey_file(ssl, files.key, SSL_FILETYPE_PEM) == 1
      else { throw Failed(description: "the files cannot be used") }
    case .key(let seed): try show(seed)
    case .stolen(let publicKey, let seed):
      try show(seed)
      // Our own certificate first, as OpenSSL compares it with the key; then, as it is the same object, the other's.
      let key = EVP_PKEY_new_raw_public_key_ex(nil, "ED25519", nil, publicKey, publicKey.count)
      defer { EVP_PKEY_free(key) }
      guard X509_set_pubkey(SSL_get_certificate(ssl), key) == 1,
        X509_sign(SSL_get_certificate(ssl), SSL_get_privatekey(ssl), nil) > 0
      else { throw Failed(description: "the key cannot be used") }
    case .chain(let seed):
      try show(seed)
      // SSL_add1_chain_cert
      SSL_ctrl(ssl, SSL_CTRL_CHAIN_CERT, 1, UnsafeMutableRawPointer(SSL_get_certificate(ssl)))
    }
  }

  private func show(_ seed: [UInt8]) throws {
    guard let key = EVP_PKEY_new_raw_private_key_ex(nil, "ED25519", nil, seed, seed.count),
      let certificate = X509_new()
    else { throw Failed(description: "no such key") }
    defer {
      X509_free(certificate)
      EVP_PKEY_free(key)
    }
    X509_set_version(certificate, 2)
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0)
    X509_gmtime_adj(X509_getm_notAfter(certificate), 0)
    guard X509_set_pubkey(certificate, key) == 1, X509_sign(certificate, key, nil) > 0,
      SSL_use_certificate(ssl, certificate) == 1, SSL_use_PrivateKey(ssl, key) == 1
    else { throw Failed(description: "the key cannot be used") }
  }

  // MARK: Talking

  /// - Throws: `Failed` with OpenSSL's words; what `stream` throws.
  package nonisolated(nonsending) func handshake(
    over stream: any ByteStream, deadline: MonotonicInstant
  ) async throws {
    _ = try await drive(stream, deadline) { SSL_do_handshake($0) }
  }

  /// Reads at most 1000 bytes.
  package nonisolated(nonsending) func read(
    over stream: any ByteStream, deadline: MonotonicInstant
  ) async throws -> [UInt8] {
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1000, alignment: 1)
    defer { room.deallocate() }
    let count = try await drive(stream, deadline) { SSL_read($0, room.baseAddress, 1000) }
    return Array(room.prefix(Int(count)))
  }

  /// Writes one byte.
  package nonisolated(nonsending) func write(
    over stream: any ByteStream, deadline: MonotonicInstant
  ) async throws {
    _ = try await drive(stream, deadline) { SSL_write($0, [1], 1) }
  }

  private nonisolated(nonsending) func drive(
    _ stream: any ByteStream, _ deadline: MonotonicInstant, _ call: (OpaquePointer) -> Int32
  ) async throws -> Int32 {
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 32_768, alignment: 1)
    defer { room.deallocate() }
    while true {
      ERR_clear_error()
      let result = call(ssl)
      let error = SSL_get_error(ssl, result)
      let reason = ERR_reason_error_string(ERR_peek_error()).map { String(cString: $0) }
      let count = BIO_read(outgoing, room.baseAddress, Int32(room.count))
      if count > 0 {
        try await stream.write(.init(rebasing: room.prefix(Int(count))), deadline: deadline)
      }
      if result > 0 { return result }
      guard error == SSL_ERROR_WANT_READ else { throw Failed(description: reason ?? "\(error)") }
      let arrived = try await stream.read(into: room, deadline: deadline)
      if arrived == 0 { throw Failed(description: "the end") }
      BIO_write(incoming, room.baseAddress, Int32(arrived))
    }
  }

  // MARK: Sessions

  package final class Session: @unchecked Sendable {
    // Safe because OpenSSL counts references to it under a lock.
    fileprivate let pointer: OpaquePointer
    fileprivate init(_ pointer: OpaquePointer) { self.pointer = pointer }
    deinit { SSL_SESSION_free(pointer) }

    /// Whether a later connection may go on with it.
    package var isResumable: Bool { SSL_SESSION_is_resumable(pointer) == 1 }
  }

  /// What a later connection would go on with.
  package var session: Session? { SSL_get1_session(ssl).map(Session.init) }
}
