import Base
import Crypto
import Testing

@Suite struct AEADTests {
  /// RFC 8439, section 2.8.2.
  @Test func matchesRFC8439() throws {
    let key = try #require(
      AEADKey(.chaCha20Poly1305, key: (0x80...0x9F).map { UInt8($0) }))
    let plaintext = Array(
      ("Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
        + "future, sunscreen would be it.").utf8)
    let nonce = try #require(Hex.decode("070000004041424344454647"))
    let associated = try #require(Hex.decode("50515253c0c1c2c3c4c5c6c7"))
    let sealed = key.seal(plaintext, nonce: nonce, associated: associated)
    #expect(Hex.encode(sealed.prefix(16)) == "d31a8d34648e60db7b86afbc53ef7ec2")
    #expect(Hex.encode(sealed.suffix(16)) == "1ae10b594f09e26a7e902ecbd0600691")
    #expect(key.open(sealed, nonce: nonce, associated: associated) == plaintext)
  }

  /// The GCM specification's test case 14 (McGrew and Viega): AES-256, zero key, one zero block.
  @Test func matchesTheGCMSpecification() throws {
    let key = try #require(AEADKey(.aes256GCM, key: [UInt8](repeating: 0, count: 32)))
    let sealed = key.seal(
      [UInt8](repeating: 0, count: 16), nonce: [UInt8](repeating: 0, count: 12))
    #expect(
      Hex.encode(sealed)
        == "cea7403d4d606b6e074ec5d3baf39d18" + "d0d1c8a799996bf0265b98b5d48ab919")
  }

  @Test(arguments: AEADKey.Algorithm.allCases, [0, 1, 16, 1000])
  func opensOnlyWhatWasSealed(algorithm: AEADKey.Algorithm, count: Int) throws {
    let key = try #require(AEADKey(algorithm, key: (0..<32).map { UInt8($0) }))
    let nonce = [UInt8](repeating: 7, count: 12)
    let plaintext = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
    let sealed = key.seal(plaintext, nonce: nonce, associated: [1])
    #expect(key.open(sealed, nonce: nonce, associated: [1]) == plaintext)
    #expect(key.open(sealed, nonce: nonce, associated: [2]) == nil)
    #expect(key.open(sealed, nonce: [UInt8](repeating: 8, count: 12), associated: [1]) == nil)
    #expect(key.open(Array(sealed.dropLast()), nonce: nonce, associated: [1]) == nil)
    #expect(key.open([], nonce: nonce, associated: [1]) == nil)
    #expect(key.open(sealed, nonce: [], associated: [1]) == nil)
    var changed = sealed
    changed[count / 2] ^= 1
    #expect(key.open(changed, nonce: nonce, associated: [1]) == nil)
  }

  @Test func refusesKeysOfAnotherLength() {
    #expect(AEADKey(.aes256GCM, key: [UInt8](repeating: 0, count: 16)) == nil)
  }
}
