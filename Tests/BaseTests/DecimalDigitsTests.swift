import Base
import Testing

@Suite struct DecimalDigitsTests {
  @Test(arguments: [("0", 0), ("7", 7), ("007", 7), ("9223372036854775807", Int.max)])
  func readsDigits(text: String, value: Int) { #expect(Int(digits: text.utf8) == value) }

  @Test(arguments: [
    "", "+1", "-1", "-0", " 1", "1 ", "1.", "1_0", "0x1", "a", "/", ":", "\u{0}1", "\u{0661}",
    "9223372036854775808", "92233720368547758070",
  ])
  func refusesAnythingElse(text: String) { #expect(Int(digits: text.utf8) == nil) }

  @Test func everyTypeHasItsOwnEnd() {
    #expect(UInt8(digits: "255".utf8) == 255)
    #expect(UInt8(digits: "256".utf8) == nil)
    #expect(UInt8(digits: "260".utf8) == nil)
    #expect(Int8(digits: "127".utf8) == 127)
    #expect(Int8(digits: "128".utf8) == nil)
    #expect(UInt64(digits: "18446744073709551615".utf8) == .max)
    #expect(UInt64(digits: "18446744073709551616".utf8) == nil)
  }
}
