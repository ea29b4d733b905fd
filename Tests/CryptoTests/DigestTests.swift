import Base
import Crypto
import Testing

@Suite struct DigestTests {
  /// RFC 1321 (A.5), RFC 3174 and FIPS 180 ("abc"), RFC 7693 (appendix A).
  @Test func matchesThePublishedDigestsOfAbc() {
    let abc = Array("abc".utf8)
    #expect(Hex.encode(Digests.md5(abc)) == "900150983cd24fb0d6963f7d28e17f72")
    #expect(Hex.encode(Digests.sha1(abc)) == "a9993e364706816aba3e25717850c26c9cd0d89d")
    #expect(
      Hex.encode(Digests.sha256(abc))
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      Hex.encode(Digests.digest(abc, .blake2b512))
        == "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
        + "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923")
  }

  @Test func matchesThePublishedDigestsOfNothing() {
    #expect(Hex.encode(Digests.md5([])) == "d41d8cd98f00b204e9800998ecf8427e")
    #expect(
      Hex.encode(Digests.sha256([]))
        == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  }

  @Test(arguments: DigestAlgorithm.allCases)
  func piecesAndReuseChangeNothing(algorithm: DigestAlgorithm) {
    let message = (0..<1000).map { UInt8(truncatingIfNeeded: $0 * 7) }
    let whole = Digests.digest(message, algorithm)
    #expect(whole.count == algorithm.outputBytes)
    let digest = Digest(algorithm)
    for _ in 0..<2 {
      digest.update(message[..<3])
      digest.update(message[3..<700])
      digest.update([])
      digest.update(message[700...])
      #expect(digest.finish() == whole)
    }
  }

  @Test func aCopyGoesItsOwnWay() {
    let digest = Digest(.sha256)
    digest.update(Array("a".utf8))
    let copy = digest.copy()
    digest.update(Array("bc".utf8))
    copy.update(Array("x".utf8))
    #expect(digest.finish() == Digests.sha256(Array("abc".utf8)))
    #expect(copy.finish() == Digests.sha256(Array("ax".utf8)))
  }

  @Test func aBlockHashIsTheFirstHalfOfBLAKE2b() {
    let block = Array("abc".utf8)
    let hash = block.withUnsafeBytes { Digests.blockHash($0) }
    #expect(hash.bytes == Array(Digests.digest(block, .blake2b512).prefix(32)))
    let digest = Digest(.blake2b512)
    digest.update(block)
    #expect(Digests.blockHash(finishing: digest) == hash)
  }
}
