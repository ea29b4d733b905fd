// The secret of an invite, the key that it makes, and the proof that a joiner has it.

package import Base
package import Crypto

/// 16 random bytes, which travel in the token alone.
package struct InviteSecret: Sendable {
  /// 128 bits: nobody guesses them, and a token stays short.
  package static let byteCount = 16

  package let bytes: [UInt8]

  /// `nil` unless there are 16 bytes.
  package init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == Self.byteCount else { return nil }
    self.bytes = Array(bytes)
  }

  /// A new one.
  package init(random: some RandomSource) { bytes = random.bytes(Self.byteCount) }

  /// The key whose public half the invite names.
  ///
  /// Its seed is the first 32 bytes of the BLAKE2b-512 of "grange invite key", NUL, and the secret.
  package var key: Ed25519PrivateKey {
    let seed = Digests.digest(Array("grange invite key\0".utf8) + bytes, .blake2b512)
    guard let key = Ed25519PrivateKey(seed: Array(seed[..<Ed25519PrivateKey.keyBytes])) else {
      preconditionFailure("a digest is longer than a seed")
    }
    return key
  }

  /// Whether both are the same, in a time that tells nothing.
  package func equals(_ other: InviteSecret) -> Bool { constantTimeEquals(bytes, other.bytes) }
}

/// What a joiner signs with the invite's key.
package enum JoinProof {
  /// The length of the exporter value that each side takes from the TLS session.
  package static let exporterBytes = 32

  /// The proof that whoever holds `secret` wants `joiner` to be admitted, in this TLS session only.
  ///
  /// - Parameter exporter: What TLS exports of this session: a man in the middle has another one on each side.
  /// - Requires: `exporter` has `exporterBytes` bytes.
  package static func sign(
    exporter: [UInt8], invite: InviteID, joiner: NodeID, with secret: InviteSecret
  ) -> [UInt8] {
    precondition(exporter.count == exporterBytes)
    return secret.key.sign(message(exporter, invite, joiner))
  }

  /// Whether `signature` is that proof, by the key of which an invite names the public half.
  package static func isValid(
    _ signature: [UInt8], exporter: [UInt8], invite: InviteID, joiner: NodeID, publicKey: [UInt8]
  ) -> Bool {
    exporter.count == exporterBytes
      && Ed25519.isValid(
        signature: signature, of: message(exporter, invite, joiner), publicKey: publicKey)
  }

  private static func message(
    _ exporter: [UInt8], _ invite: InviteID, _ joiner: NodeID
  ) -> [UInt8] {
    Array("grange join proof\0".utf8) + exporter + invite.bytes + joiner.bytes
  }
}
