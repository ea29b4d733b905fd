import Base
import Crypto
import Testing

@Suite struct Ed25519Tests {
  /// RFC 8032, section 7.1, test 2.
  @Test func matchesRFC8032() throws {
    let seed = try #require(
      Hex.decode("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
    let key = try #require(Ed25519PrivateKey(seed: seed))
    #expect(
      Hex.encode(key.publicKey)
        == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    let signature = key.sign([0x72])
    #expect(
      Hex.encode(signature)
        == "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")
    #expect(Ed25519.isValid(signature: signature, of: [0x72], publicKey: key.publicKey))
  }

  @Test func refusesEveryOtherSignature() throws {
    let key = try #require(Ed25519PrivateKey(seed: (0..<32).map { UInt8($0) }))
    let other = try #require(Ed25519PrivateKey(seed: (1..<33).map { UInt8($0) }))
    let signature = key.sign([1, 2, 3])
    #expect(!Ed25519.isValid(signature: signature, of: [1, 2], publicKey: key.publicKey))
    #expect(!Ed25519.isValid(signature: signature, of: [1, 2, 3], publicKey: other.publicKey))
    #expect(!Ed25519.isValid(signature: [], of: [1, 2, 3], publicKey: key.publicKey))
    #expect(!Ed25519.isValid(signature: signature, of: [1, 2, 3], publicKey: []))
    let none = [UInt8](repeating: 0xFF, count: 32)
    #expect(!Ed25519.isValid(signature: signature, of: [1, 2, 3], publicKey: none))
    #expect(Ed25519PrivateKey(seed: [1]) == nil)
  }
}

@Suite struct X25519Tests {
  /// RFC 7748, section 6.1.
  @Test func matchesRFC7748() throws {
    let alice = try #require(
      X25519PrivateKey(bytes("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")))
    let bob = try #require(
      X25519PrivateKey(bytes("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")))
    #expect(
      Hex.encode(alice.publicKey)
        == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    #expect(
      Hex.encode(bob.publicKey)
        == "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
    let secret = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
    #expect(alice.agree(with: bob.publicKey).map { Hex.encode($0) } == secret)
    #expect(bob.agree(with: alice.publicKey).map { Hex.encode($0) } == secret)
  }

  @Test func refusesKeysThatMakeTheSecretKnown() throws {
    let key = try #require(X25519PrivateKey((0..<32).map { UInt8($0) }))
    #expect(key.agree(with: [UInt8](repeating: 0, count: 32)) == nil)
    #expect(key.agree(with: [1]) == nil)
    #expect(X25519PrivateKey([]) == nil)
  }

  private func bytes(_ hex: String) -> [UInt8] { Hex.decode(hex) ?? [] }
}
