// Who may be on the other side of a connection between nodes: decided by its key alone.
//
// OpenSSL's verify callback is a C function and captures nothing, so the check hangs on the connection (ex_data), and
// the callback finds it there. It takes the place of OpenSSL's own verification: no authority, no name and no date is
// looked at. That the peer has the private half is what CertificateVerify proves (RFC 8446, section 4.4.3): OpenSSL
// checks it right after this, and a handshake ends only when both have passed.

private import COpenSSL

final class TLSPeerCheck {
  /// Says why a peer is refused; `nil` for one that may go on.
  typealias Refusal = (_ key: [UInt8], _ applicationProtocol: String) -> String?

  private let refusal: Refusal
  /// The key of the peer's certificate, when it may go on.
  private(set) var key: [UInt8]?
  /// Why it may not.
  private(set) var reason: String?

  init(_ refusal: @escaping Refusal) { self.refusal = refusal }

  /// Makes this the check of `ssl`, which must not outlive it and whose context had `install`.
  ///
  /// Returns `false` when memory is short.
  func attach(to ssl: OpaquePointer) -> Bool {
    SSL_set_ex_data(ssl, Self.slot, Unmanaged.passUnretained(self).toOpaque()) == 1
  }

  /// Has every connection of `context` checked so, on both sides.
  static func install(in context: OpaquePointer) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
    SSL_CTX_set_cert_verify_callback(
      context,
      { store, _ in
        guard let store,
          let ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()),
          let check = SSL_get_ex_data(OpaquePointer(ssl), TLSPeerCheck.slot)
        else { return 0 }
        let isGood = Unmanaged<TLSPeerCheck>.fromOpaque(check)
          ._withUnsafeGuaranteedRef { $0.examine(store, of: OpaquePointer(ssl)) }
        // What the peer is told: the alert bad_certificate.
        if !isGood { X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED) }
        return isGood ? 1 : 0
      }, nil)
  }

  /// SSL_get_ex_new_index, which the header spells as a macro.
  private static let slot = CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL, 0, nil, nil, nil, nil)

  private func examine(_ store: OpaquePointer, of ssl: OpaquePointer) -> Bool {
    guard OPENSSL_sk_num(X509_STORE_CTX_get0_untrusted(store)) == 1 else {
      reason = "the peer shows more than one certificate"
      return false
    }
    guard let certificate = X509_STORE_CTX_get0_cert(store), let key = Self.key(of: certificate)
    else {
      reason = "the peer's certificate has no Ed25519 key"
      return false
    }
    guard let applicationProtocol = TLSEngine.applicationProtocol(of: ssl) else {
      reason = "the peer agrees on no protocol"
      return false
    }
    reason = refusal(key, applicationProtocol)
    if reason == nil { self.key = key }
    return reason == nil
  }

  private static func key(of certificate: OpaquePointer) -> [UInt8]? {
    guard let key = X509_get0_pubkey(certificate), EVP_PKEY_is_a(key, "ED25519") == 1 else {
      return nil
    }
    var bytes = [UInt8](repeating: 0, count: NodeTLS.keyBytes)
    var count = bytes.count
    guard EVP_PKEY_get_raw_public_key(key, &bytes, &count) == 1, count == bytes.count else {
      return nil
    }
    return bytes
  }
}
