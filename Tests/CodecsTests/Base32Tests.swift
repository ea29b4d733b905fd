// Base 32 against the vectors of RFC 4648, section 10, without their padding.

import Base
import Codecs
import Testing

@Suite struct Base32Tests {
  @Test(arguments: [
    ("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"),
    ("fooba", "MZXW6YTB"), ("foobar", "MZXW6YTBOI"),
  ])
  func vectors(plain: String, encoded: String) throws {
    #expect(Base32.encode(Array(plain.utf8)) == encoded)
    #expect(try Base32.decode(encoded) == Array(plain.utf8))
    #expect(try Base32.decode(encoded.lowercased()) == Array(plain.utf8))
    #expect(Base32.characterCount(plain.utf8.count) == encoded.utf8.count)
  }

  @Test func everySequenceOfBytesHasOneForm() throws {
    let random = Seeded(5)
    for count in 0..<200 {
      let bytes = random.bytes(count)
      #expect(try Base32.decode(Base32.encode(bytes)) == bytes)
    }
    #expect(throws: Base32.Failure.leftoverBits) { try Base32.decode("MZ") }
    #expect(throws: Base32.Failure.badCount) { try Base32.decode("M") }
    #expect(throws: Base32.Failure.badCount) { try Base32.decode("AAA") }
    #expect(throws: Base32.Failure.badCount) { try Base32.decode("AAAAAA") }
    #expect(throws: Base32.Failure.badCharacter(at: 2)) { try Base32.decode("MY======") }
    #expect(throws: Base32.Failure.badCharacter(at: 0)) { try Base32.decode("1") }
    #expect(throws: Base32.Failure.badCharacter(at: 1)) { try Base32.decode("Aé") }
  }
}
