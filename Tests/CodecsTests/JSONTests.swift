import Base
import Codecs
import Testing

@Suite struct JSONTests {
  private func failure(_ text: String, _ limits: JSON.Limits = JSON.Limits()) -> JSONError.Reason? {
    do {
      _ = try JSON.parse(text, limits: limits)
      return nil
    } catch {
      return error.reason
    }
  }

  @Test func readsEveryKindOfValue() throws {
    let value = try JSON.parse(
      " {\"a\":[1,-0,2.5,1e2,null,true,false],\t\"b\" : {\"\":\"\\u00e9\\ud83e\\udd8a\\n\\/\"}}\r\n"
    )
    #expect(
      value == [
        "a": [1, 0, .number(2.5), .number(100), nil, true, false], "b": ["": "é🦊\n/"],
      ])
    #expect(value["a"]?[2]?.double == 2.5)
    #expect(value["b"]?["missing"] == nil)
  }

  @Test func keepsWholeNumbersWhole() throws {
    #expect(try JSON.parse("9223372036854775807") == .integer(.max))
    #expect(try JSON.parse("-9223372036854775808") == .integer(.min))
    #expect(try JSON.parse("9223372036854775808") == .number(9_223_372_036_854_775_808))
  }

  @Test(arguments: [
    "", " ", "{", "[", "[1,]", "{\"a\":1,}", "{a:1}", "[1 2]", "01", "-", "1.", ".5", "1e", "+1",
    "\"", "\"\\x\"", "\"\\u12\"", "\"\n\"", "tru", "nul", "NaN", "1 1", "'a'", "\u{FEFF}1",
    "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "[1]]", "{\"a\" 1}", "/**/1", "1e999",
  ])
  func refusesWhatIsNotJSON(text: String) {
    #expect(failure(text) != nil)
  }

  @Test func refusesDuplicateNamesByteForByte() throws {
    #expect(failure("{\"a\":1,\"\\u0061\":2}") == .duplicateName("a"))
    // Two spellings of é are two names.
    let value = try JSON.parse("{\"\\u00e9\":1,\"e\\u0301\":2}")
    #expect(value["e\u{301}"] == 2)
    #expect(value["\u{e9}"] == 1)
  }

  @Test func refusesWhatIsTooDeepOrTooLong() throws {
    let deep = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
    _ = try JSON.parse(deep)
    #expect(failure("[" + deep + "]") == .tooDeep)
    #expect(failure(String(repeating: "{\"a\":", count: 100_000)) == .tooDeep)
    #expect(failure("\"aaaaaaa\"", JSON.Limits(bytesMax: 8)) == .tooLong)
  }

  @Test func refusesTextThatIsNotUTF8() {
    #expect(throws: JSONError.self) { try JSON.parse([0x22, 0xFF, 0x22]) }
    #expect(throws: JSONError.self) { try JSON.parse([0x22, 0xED, 0xA0, 0x80, 0x22]) }
  }

  @Test func writesForProgramsAndForPeople() {
    let value: JSON = ["a": [1, .number(0.5), []], "b": ["c": "\"\\\n\u{1}\u{7F}é"], "d": [:]]
    #expect(
      value.serialize()
        == "{\"a\":[1,0.5,[]],\"b\":{\"c\":\"\\\"\\\\\\n\\u0001\\u007fé\"},\"d\":{}}")
    let pretty: JSON = ["a": [1, 2], "b": [:]]
    #expect(pretty.serialize(pretty: true) == "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}")
    #expect(JSON.number(.infinity).serialize() == "null")
  }
}

@Suite struct JSONPropertyTests {
  private func value(_ random: Seeded, depth: Int = 0) -> JSON {
    switch random.below(depth < 4 ? 8 : 6) {
    case 0: return .null
    case 1: return .bool(random.oneIn(2))
    case 2, 3: return .integer(Int64(bitPattern: random.next()) >> Int64(random.below(64)))
    case 4:
      let double = Double(bitPattern: random.next())
      return .number(double.isFinite ? double : 0.1)
    case 5: return .string(random.text(upTo: 20))
    case 6: return .array((0..<random.below(6)).map { _ in value(random, depth: depth + 1) })
    default:
      return .object(
        (0..<random.below(6)).map {
          JSON.Member("\($0)" + random.text(upTo: 5), value(random, depth: depth + 1))
        })
    }
  }

  @Test(arguments: 0..<200 as Range<UInt64>)
  func roundTrips(seed: UInt64) throws {
    let original = value(Seeded(seed))
    #expect(try JSON.parse(original.serialize()) == original)
    #expect(try JSON.parse(original.serialize(pretty: true)) == original)
  }

  /// A value or an error, and a value that is read back the same.
  @Test(arguments: 0..<200 as Range<UInt64>)
  func survivesMutatedTexts(seed: UInt64) throws {
    let random = Seeded(seed)
    let text = value(random).bytes()
    for _ in 0..<50 {
      let mutated = random.mutated(text, with: Array("{}[]\",:\\u0-+.eE1tfn".utf8))
      guard let read = try? JSON.parse(mutated) else { continue }
      #expect(try JSON.parse(read.bytes()) == read)
    }
  }
}
