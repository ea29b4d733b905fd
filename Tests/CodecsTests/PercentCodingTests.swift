import Base
import Codecs
import Testing

@Suite struct PercentCodingTests {
  @Test func escapesAllButTheUnreserved() {
    #expect(PercentCoding.encode("a-Z_0.9~") == "a-Z_0.9~")
    #expect(PercentCoding.encode("a b/c+d%é") == "a%20b%2Fc%2Bd%25%C3%A9")
    #expect(PercentCoding.encode("a b/c", allowed: .unreservedAndSlash) == "a%20b/c")
    #expect(PercentCoding.encode([0, 0xFF]) == "%00%FF")
  }

  @Test(arguments: ["%", "%4", "%G0", "%0G", "a%", "%%41", "%é1"])
  func refusesBrokenEscapes(text: String) {
    #expect(PercentCoding.decode(Array(text.utf8)) == nil)
  }

  @Test func readsPlusAsASpaceOnlyWhenAsked() {
    #expect(PercentCoding.decode(Array("a+b%2B".utf8)) == Array("a+b+".utf8))
    #expect(PercentCoding.decode(Array("a+b%2B".utf8), plusIsSpace: true) == Array("a b+".utf8))
  }

  @Test(arguments: 0..<100 as Range<UInt64>)
  func roundTrips(seed: UInt64) {
    let random = Seeded(seed)
    let bytes = random.bytes(random.below(200))
    #expect(PercentCoding.decode(Array(PercentCoding.encode(bytes).utf8)) == bytes)
    let slashes = PercentCoding.encode(bytes, allowed: .unreservedAndSlash)
    #expect(PercentCoding.decode(Array(slashes.utf8)) == bytes)
    var appended = Array("=".utf8)
    PercentCoding.append(bytes, to: &appended, allowed: .unreservedAndSlash)
    #expect(appended == Array(("=" + slashes).utf8))
  }
}

@Suite struct FormCodingTests {
  private func parse(_ text: String) -> [FormField]? { FormCoding.parse(Array(text.utf8)) }

  @Test func splitsFieldsAndKeepsTheirOrder() {
    #expect(parse("") == [])
    #expect(parse("uploads") == [FormField("uploads", "")])
    #expect(
      parse("a=1&b=&&a=2=3") == [FormField("a", "1"), FormField("b", ""), FormField("a", "2=3")])
    #expect(parse("pre%66ix=a%20b+c%2F") == [FormField("prefix", "a b c/")])
    #expect(parse("=x") == [FormField("", "x")])
  }

  @Test func refusesBrokenEscapesAndTooManyFields() {
    #expect(parse("a=%zz") == nil)
    #expect(parse("%=1") == nil)
    #expect(FormCoding.parse(Array("a&b&c".utf8), countMax: 2) == nil)
  }

  @Test func saysWhetherAValueIsText() {
    #expect(parse("a=%FF")?.first?.text == nil)
    #expect(parse("a=%C3%A9")?.first?.text == "é")
    #expect(parse("max-keys=1")?.first?.isNamed("max-keys") == true)
  }

  @Test(arguments: 0..<50 as Range<UInt64>)
  func roundTrips(seed: UInt64) {
    let random = Seeded(seed)
    let fields = (0..<random.below(9)).map { _ in
      FormField(name: random.bytes(1 + random.below(9)), value: random.bytes(random.below(30)))
    }
    #expect(parse(FormCoding.serialize(fields)) == fields)
  }
}
