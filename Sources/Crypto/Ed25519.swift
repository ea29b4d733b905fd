// Ed25519 signatures (RFC 8032). A node's ID is its public key.

private import COpenSSL

/// A key that signs.
package final class Ed25519PrivateKey: @unchecked Sendable {
  // Safe because an EVP_PKEY is not changed once made, and each signature has its own context.

  /// The length of a private key's seed and of a public key.
  package static let keyBytes = 32
  /// The length of a signature.
  package static let signatureBytes = 64

  /// The secret that the key is made from.
  package let seed: [UInt8]
  /// The public half: 32 bytes.
  package let publicKey: [UInt8]
  private let key: OpaquePointer

  /// The key made from `seed`; `nil` unless it has 32 bytes.
  ///
  /// Any 32 random bytes are a key.
  package init?(seed: [UInt8]) {
    guard seed.count == Self.keyBytes else { return nil }
    key = required(EVP_PKEY_new_raw_private_key_ex(nil, "ED25519", nil, seed, seed.count))
    self.seed = seed
    publicKey = rawPublicKey(key)
  }

  deinit { EVP_PKEY_free(key) }

  /// The signature of `message`: 64 bytes, always the same ones.
  package func sign(_ message: [UInt8]) -> [UInt8] {
    let context = required(EVP_MD_CTX_new())
    defer { EVP_MD_CTX_free(context) }
    check(EVP_DigestSignInit(context, nil, nil, nil, key))
    var signature = [UInt8](repeating: 0, count: Self.signatureBytes)
    var length = signature.count
    check(EVP_DigestSign(context, &signature, &length, message, message.count))
    return signature
  }
}

/// Verification with public keys, which come from anywhere.
package enum Ed25519 {
  /// Whether `signature` is one of `message` by the owner of `publicKey`; false also for keys and
  /// signatures that are none.
  package static func isValid(
    signature: [UInt8], of message: [UInt8], publicKey: [UInt8]
  ) -> Bool {
    guard signature.count == Ed25519PrivateKey.signatureBytes,
      publicKey.count == Ed25519PrivateKey.keyBytes,
      let key = EVP_PKEY_new_raw_public_key_ex(nil, "ED25519", nil, publicKey, publicKey.count)
    else { return false }
    defer {
      EVP_PKEY_free(key)
      ERR_clear_error()
    }
    let context = required(EVP_MD_CTX_new())
    defer { EVP_MD_CTX_free(context) }
    return EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1
      && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
  }
}

/// The 32 bytes of the public half of an Ed25519 or X25519 key.
func rawPublicKey(_ key: OpaquePointer) -> [UInt8] {
  var length = 32
  return [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
    check(EVP_PKEY_get_raw_public_key(key, buffer.baseAddress, &length))
    count = length
  }
}
