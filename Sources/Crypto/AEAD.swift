// Authenticated encryption with associated data (RFC 5116): what is sealed can be neither read nor changed
// without the key.
//
// A nonce must never be used twice under one key; whoever seals decides how (a counter, or a random one
// under a key that seals few messages). A sealed message is the ciphertext followed by the 16-byte tag.

private import COpenSSL

/// A key for sealing and opening.
package final class AEADKey: Sendable {
  /// The cipher.
  ///
  /// Both have keys of 32 bytes, nonces of 12 and tags of 16.
  package enum Algorithm: Sendable, CaseIterable {
    /// AES-256 in Galois/Counter mode (NIST SP 800-38D): fastest where the CPU has AES instructions.
    case aes256GCM
    /// ChaCha20 and Poly1305 (RFC 8439): fastest elsewhere.
    case chaCha20Poly1305
  }

  package static let keyBytes = 32
  package static let nonceBytes = 12
  package static let tagBytes = 16

  private let algorithm: Algorithm
  private let key: [UInt8]

  /// A key of 32 bytes; `nil` for any other length.
  package init?(_ algorithm: Algorithm, key: [UInt8]) {
    guard key.count == Self.keyBytes else { return nil }
    self.algorithm = algorithm
    self.key = key
  }

  /// Encrypts `plaintext` and authenticates it together with `associated`, which is not stored.
  ///
  /// Requires a nonce of 12 bytes that this key never sealed with before.
  package func seal(
    _ plaintext: [UInt8], nonce: [UInt8], associated: [UInt8] = []
  ) -> [UInt8] {
    precondition(nonce.count == Self.nonceBytes && plaintext.count < Int(Int32.max))
    let context = required(EVP_CIPHER_CTX_new())
    defer { EVP_CIPHER_CTX_free(context) }
    check(EVP_EncryptInit_ex2(context, FetchedCiphers.pointer(algorithm), key, nonce, nil))
    var written: Int32 = 0
    check(EVP_EncryptUpdate(context, nil, &written, associated, Int32(associated.count)))
    return [UInt8](unsafeUninitializedCapacity: plaintext.count + Self.tagBytes) { buffer, count in
      let start = required(buffer.baseAddress)
      check(EVP_EncryptUpdate(context, start, &written, plaintext, Int32(plaintext.count)))
      check(EVP_EncryptFinal_ex(context, start + plaintext.count, &written))
      check(
        EVP_CIPHER_CTX_ctrl(
          context, EVP_CTRL_AEAD_GET_TAG, Int32(Self.tagBytes), start + plaintext.count))
      count = plaintext.count + Self.tagBytes
    }
  }

  /// The plaintext of `sealed`; `nil` when it was not sealed so under this key, nonce and associated data.
  package func open(_ sealed: [UInt8], nonce: [UInt8], associated: [UInt8] = []) -> [UInt8]? {
    guard nonce.count == Self.nonceBytes, sealed.count >= Self.tagBytes,
      sealed.count < Int(Int32.max), associated.count < Int(Int32.max)
    else { return nil }
    let context = required(EVP_CIPHER_CTX_new())
    defer { EVP_CIPHER_CTX_free(context) }
    check(EVP_DecryptInit_ex2(context, FetchedCiphers.pointer(algorithm), key, nonce, nil))
    let length = sealed.count - Self.tagBytes
    var tag = Array(sealed[length...])
    check(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(Self.tagBytes), &tag))
    var written: Int32 = 0
    check(EVP_DecryptUpdate(context, nil, &written, associated, Int32(associated.count)))
    // One byte more than needed, as libcrypto takes a nil output for associated data.
    var plaintext = [UInt8](repeating: 0, count: length + 1)
    check(EVP_DecryptUpdate(context, &plaintext, &written, sealed, Int32(length)))
    var rest: UInt8 = 0
    guard EVP_DecryptFinal_ex(context, &rest, &written) == 1 else {
      ERR_clear_error()
      return nil
    }
    plaintext.removeLast()
    return plaintext
  }
}

/// The ciphers, fetched at first use and kept for the life of the process.
private enum FetchedCiphers {
  // Safe because an EVP_CIPHER is immutable and its reference count atomic; these are never freed.
  nonisolated(unsafe) private static let aes = required(EVP_CIPHER_fetch(nil, "AES-256-GCM", nil))
  // Safe because of the same.
  nonisolated(unsafe) private static let chaCha = required(
    EVP_CIPHER_fetch(nil, "ChaCha20-Poly1305", nil))

  static func pointer(_ algorithm: AEADKey.Algorithm) -> OpaquePointer {
    switch algorithm {
    case .aes256GCM: aes
    case .chaCha20Poly1305: chaCha
    }
  }
}
