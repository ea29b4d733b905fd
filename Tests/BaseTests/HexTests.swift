import Base
import Testing

@Suite struct HexTests {
  @Test func roundTripsEveryByte() {
    let bytes = (0...255).map { UInt8($0) }
    #expect(Hex.decode(Hex.encode(bytes)) == bytes)
    #expect(Hex.encode([0, 0x0F, 0xA0, 0xFF]) == "000fa0ff")
  }

  @Test(arguments: ["0", "0g", "é0", " 00", "0x00"])
  func refusesWhatIsNotPairsOfDigits(text: String) {
    #expect(Hex.decode(text) == nil)
  }
}
