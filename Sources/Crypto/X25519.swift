// X25519 key agreement (RFC 7748): two sides that know each other's public keys come to one secret.

private import COpenSSL

/// A key that agrees.
package final class X25519PrivateKey: @unchecked Sendable {
  // Safe because an EVP_PKEY is not changed once made, and each agreement has its own context.

  /// The length of a private key, of a public key and of a shared secret.
  package static let keyBytes = 32

  /// The public half: 32 bytes.
  package let publicKey: [UInt8]
  private let key: OpaquePointer

  /// The key with these bytes; `nil` unless there are 32.
  ///
  /// Any 32 random bytes are a key.
  package init?(_ bytes: [UInt8]) {
    guard bytes.count == Self.keyBytes else { return nil }
    key = required(EVP_PKEY_new_raw_private_key_ex(nil, "X25519", nil, bytes, bytes.count))
    publicKey = rawPublicKey(key)
  }

  deinit { EVP_PKEY_free(key) }

  /// The secret shared with the owner of `peer`: 32 bytes that are to be hashed before use as a key.
  ///
  /// `nil` when `peer` is no public key, or one of the few that would make the secret known to everybody.
  package func agree(with peer: [UInt8]) -> [UInt8]? {
    guard peer.count == Self.keyBytes,
      let peerKey = EVP_PKEY_new_raw_public_key_ex(nil, "X25519", nil, peer, peer.count)
    else { return nil }
    defer {
      EVP_PKEY_free(peerKey)
      ERR_clear_error()
    }
    let context = required(EVP_PKEY_CTX_new_from_pkey(nil, key, nil))
    defer { EVP_PKEY_CTX_free(context) }
    check(EVP_PKEY_derive_init(context))
    var secret = [UInt8](repeating: 0, count: Self.keyBytes)
    var length = secret.count
    guard EVP_PKEY_derive_set_peer(context, peerKey) == 1,
      EVP_PKEY_derive(context, &secret, &length) == 1, length == Self.keyBytes
    else { return nil }
    return secret
  }
}
