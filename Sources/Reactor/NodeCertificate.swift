// The certificate that carries a node's key, made anew in each process: it says nothing but the key.
//
// TLS libraries want an X.509 certificate, so here is the least of one: self-signed, the same serial, name and dates
// for every node. Peers look at the key alone; nobody checks the dates, as a joiner's clock may say 1970.

private import COpenSSL

/// A node's key and its certificate.
final class NodeCertificate {
  /// The node's public key: 32 bytes.
  let publicKey: [UInt8]
  private let key: OpaquePointer
  private let certificate: OpaquePointer

  /// - Throws: `TLSContextError` when `seed` has not 32 bytes, or memory is short.
  init(seed: [UInt8]) throws {
    ERR_clear_error()
    guard seed.count == NodeTLS.keyBytes,
      let key = EVP_PKEY_new_raw_private_key_ex(nil, "ED25519", nil, seed, seed.count)
    else { throw TLSContextError(subject: "the node's key", reason: "it is no Ed25519 key") }
    guard let certificate = X509_new() else {
      EVP_PKEY_free(key)
      throw TLSContextError.next("the node's certificate")
    }
    self.key = key
    self.certificate = certificate
    var bytes = [UInt8](repeating: 0, count: NodeTLS.keyBytes)
    var count = bytes.count
    let hasBytes = EVP_PKEY_get_raw_public_key(key, &bytes, &count) == 1
    publicKey = bytes
    guard hasBytes, fill(), X509_sign(certificate, key, nil) > 0 else {
      throw TLSContextError.next("the node's certificate")
    }
  }

  deinit {
    X509_free(certificate)
    EVP_PKEY_free(key)
  }

  private func fill() -> Bool {
    let name = X509_get_subject_name(certificate)
    // X509v3 is counted from 0; MBSTRING_ASC is a macro. The last date is the one that RFC 5280, section 4.1.2.5, gives
    // to what never ends.
    return X509_set_version(certificate, 2) == 1
      && ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1
      && ASN1_TIME_set_string(X509_getm_notBefore(certificate), "700101000000Z") == 1
      && ASN1_TIME_set_string(X509_getm_notAfter(certificate), "99991231235959Z") == 1
      && X509_NAME_add_entry_by_txt(name, "CN", 0x1001, "grange", -1, -1, 0) == 1
      && X509_set_issuer_name(certificate, name) == 1
      && X509_set_pubkey(certificate, key) == 1
  }

  /// Has connections of `context` show it.
  ///
  /// - Throws: `TLSContextError`.
  func use(in context: OpaquePointer) throws {
    ERR_clear_error()
    guard SSL_CTX_use_certificate(context, certificate) == 1,
      SSL_CTX_use_PrivateKey(context, key) == 1
    else { throw TLSContextError.next("the node's certificate") }
  }
}
