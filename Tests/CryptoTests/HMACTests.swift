import Base
import Crypto
import Testing

@Suite struct HMACTests {
  /// RFC 4231, test cases 1, 2 and 6 (a key longer than a block).
  @Test(arguments: [
    (
      [UInt8](repeating: 0x0B, count: 20), "Hi There",
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    ),
    (
      Array("Jefe".utf8), "what do ya want for nothing?",
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    ),
    (
      [UInt8](repeating: 0xAA, count: 131),
      "Test Using Larger Than Block-Size Key - Hash Key First",
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
    ),
  ])
  func matchesRFC4231(key: [UInt8], message: String, code: String) {
    let message = Array(message.utf8)
    #expect(Hex.encode(HMAC.sha256(key: key, message)) == code)
    let kept = HMACKey(key)
    #expect(Hex.encode(kept.sign(message)) == code)
    #expect(Hex.encode(kept.sign(message)) == code)
    #expect(kept.isValid(kept.sign(message), for: message))
    #expect(!kept.isValid(kept.sign(message), for: message + [0]))
  }

  /// The value is that of any HMAC: an empty key is a block of zeros.
  @Test func takesAnEmptyKeyAfterAnother() {
    _ = HMAC.sha256(key: [1, 2, 3], [])
    #expect(
      Hex.encode(HMAC.sha256(key: [], []))
        == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
  }
}

@Suite struct KeyedHashTests {
  private let key = (0..<32).map { UInt8($0) }

  @Test func refusesKeysOfAnotherLength() {
    #expect(KeyedHash(key: Array(key.dropLast())) == nil)
    #expect(KeyedHash(key: key + [0]) == nil)
  }

  @Test func dependsOnTheKeyAndOnWhereThePartsMeet() throws {
    let hash = try #require(KeyedHash(key: key))
    let other = try #require(KeyedHash(key: key.reversed()))
    #expect(hash.hash([1, 2], [3]) == hash.hash([1, 2], [3]))
    #expect(hash.hash([1, 2], [3]) != hash.hash([1], [2, 3]))
    #expect(hash.hash([1, 2], [3]) != other.hash([1, 2], [3]))
  }

  /// Golden: two nodes must agree.
  ///
  /// Checked with Python: hashlib.blake2b(b'\0'*7 + b'\2' + b'\1\2\3',
  /// digest_size=16, key=bytes(range(32))).
  @Test func hasTheseBytes() throws {
    let hash = try #require(KeyedHash(key: key)).hash([1, 2], [3])
    #expect(hash.0 == 0x269E_3505_3E1C_85B9)
    #expect(hash.1 == 0xDCD7_3E0A_EE87_07BE)
  }
}

@Suite struct ConstantTimeTests {
  @Test func comparesBytesAndLengths() {
    #expect(constantTimeEquals([], []))
    #expect(constantTimeEquals([1, 2], [1, 2]))
    #expect(!constantTimeEquals([1, 2], [1, 3]))
    #expect(!constantTimeEquals([1, 2], [1, 2, 3]))
    #expect(constantTimeEquals("é", "é"))
    #expect(!constantTimeEquals("a", "b"))
  }
}
