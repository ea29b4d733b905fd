import Crypto
import Testing

@Suite struct Base64Tests {
  /// RFC 4648, section 10.
  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
    ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
  ])
  func matchesRFC4648(plain: String, coded: String) {
    #expect(Base64.encode(Array(plain.utf8)) == coded)
    #expect(Base64.decode(coded) == Array(plain.utf8))
  }

  @Test func roundTripsEveryByteAtEveryPlace() {
    for byte in 0...255 {
      for place in 0..<3 {
        var bytes: [UInt8] = [0x5A, 0xA5, 0xFF]
        bytes[place] = UInt8(byte)
        #expect(Base64.decode(Base64.encode(bytes)) == bytes)
      }
    }
  }

  @Test(arguments: [
    "Z", "Zg", "Zg=", "Zh==", "Zm9=", "====", "Z===", "=Zg=", "Zg==Zg==", "Zm9v\n", " Zm9v", "Zm-v",
    "Zmé=",
  ])
  func refusesEveryOtherForm(text: String) {
    #expect(Base64.decode(text) == nil)
  }
}
