import Base
import Testing

@Suite struct HexTests {
  @Test func roundTripsEveryByte() {
    let bytes = (0...255).map { UInt8($0) }
    #expect(Hex.decode(Hex.encode(bytes)) == bytes)
    #expect(Hex.encode([0, 0x0F, 0xA0, 0xFF]) == "000fa0ff")
    #expect(Hex.decode("0aAfF9") == [0x0A, 0xAF, 0xF9])
    #expect(Hex.decode("") == [])
  }

  @Test(arguments: ["0", "0g", "é0", " 00", "0x00", "/0", "0:", "@0", "0G", "0`", "{0"])
  func refusesWhatIsNotPairsOfDigits(text: String) {
    #expect(Hex.decode(text) == nil)
  }
}
