import Base
import Codecs
import Testing

@Suite struct TOMLTests {
  /// The value of `x` in a document of one line.
  private func value(_ text: String) throws -> TOMLValue.Kind? {
    try TOML.parse("x = " + text)["x"]?.kind
  }

  private func failure(_ text: String) -> TOMLError? {
    do {
      _ = try TOML.parse(text)
      return nil
    } catch {
      return error
    }
  }

  private func table(_ value: TOMLValue?) -> TOMLTable? {
    guard case .table(let table)? = value?.kind else { return nil }
    return table
  }

  @Test func readsStrings() throws {
    #expect(try value(#""a\tb\u00E9\U0001F98A\"\\""#) == .string("a\tbé🦊\"\\"))
    #expect(try value(#"'C:\data\'"#) == .string(#"C:\data\"#))
    #expect(try value("\"\"\"\na\\\n   b\n  c\\\\\"\"\"") == .string("ab\n  c\\"))
    #expect(try value("\"\"\"a\"\"\"\"\"") == .string("a\"\""))
    #expect(try value("'''a'''''") == .string("a''"))
    #expect(try value("\"\"") == .string(""))
    #expect(try value("\"\"\"\"\"\"") == .string(""))
  }

  @Test func readsNumbers() throws {
    #expect(try value("+99") == .integer(99))
    #expect(try value("-1_000") == .integer(-1000))
    #expect(try value("-0") == .integer(0))
    #expect(try value("0xDEAD_beef") == .integer(0xDEAD_BEEF))
    #expect(try value("0o17") == .integer(15))
    #expect(try value("0b101") == .integer(5))
    #expect(try value("-9223372036854775808") == .integer(.min))
    #expect(try value("6.626e-34") == .float(6.626e-34))
    #expect(try value("5e+22") == .float(5e22))
    #expect(try value("-inf") == .float(-.infinity))
    #expect(try value("1_0.0_1") == .float(10.01))
  }

  @Test func readsDatesAndTimes() throws {
    let day = TOMLDateTime.Day(year: 1979, month: 5, day: 27)
    let time = TOMLDateTime.Time(hour: 7, minute: 32, second: 0, nanosecond: 999_999_000)
    #expect(try value("1979-05-27") == .dateTime(TOMLDateTime(day: day)))
    // No time, though a colon stands where that of a time would.
    #expect(try value("1979-05-27 \n\":\" = 1") == .dateTime(TOMLDateTime(day: day)))
    #expect(try value("07:32:00.999999") == .dateTime(TOMLDateTime(time: time)))
    #expect(
      try value("1979-05-27T07:32:00.999999") == .dateTime(TOMLDateTime(day: day, time: time)))
    #expect(
      try value("1979-05-27 07:32:00.999999Z")
        == .dateTime(TOMLDateTime(day: day, time: time, offsetMinutes: 0)))
    #expect(
      try value("1979-05-27t07:32:00.9999990004-07:30")
        == .dateTime(TOMLDateTime(day: day, time: time, offsetMinutes: -450)))
  }

  @Test(arguments: [
    "", "yes", "01", "1__0", "_1", "1_", "0x", "0xg", "+0x1", "1.", ".1", "1.e2", "1e", "0b2",
    "9223372036854775808", "1979-02-29", "1979-05-27T25:00:00Z", "07:32",
    "1979-05-27T07:32:00+24:00",
    "\"a", "'a", "\"a\\q\"", "\"\\ud800\"", "\"\\uD8\"", "\"\"\"a", "'''a", "[1", "[1 2]", "[,]",
    "{",
    "{a=1,}", "{a=1 b=2}", "{a=1,\nb=2}", "{a=1,a=2}", "{a.b=1,a=2}", "1 2", "\"a\" b",
    "\"\u{7F}\"",
    "\"a\rb\"", "{a={},a.b=1}", "[{a=1},{a=1,a=2}]",
  ])
  func refusesValuesThatAreNone(text: String) {
    #expect(failure("x = " + text) != nil)
  }

  @Test func ordersTablesAsTheDocumentDoes() throws {
    let root = try TOML.parse(
      """
      title = "x"
      a.b.c = 1
      a.b.d = 2   # the same table
      [server]
      "quoted key".'literal' = true
      ports = [
        1, # one
        2,
      ]
      [[disks]]
      path = "/a"
      [disks.limits]
      max = 1
      [[disks]]
      path = "/b"
      [server.deep]
      inline = { x = 1, y.z = [ {}, { w = "v" } ] }
      """)
    #expect(root.entries.map(\.key) == ["title", "a", "server", "disks"])
    #expect(table(table(root["a"])?["b"])?.entries.map(\.key) == ["c", "d"])
    #expect(table(root["server"])?.entries.map(\.key) == ["quoted key", "ports", "deep"])
    guard case .array(let disks)? = root["disks"]?.kind else {
      Issue.record("disks is no array")
      return
    }
    #expect(disks.map { table($0)?["path"]?.kind } == [.string("/a"), .string("/b")])
    #expect(table(table(disks.first)?["limits"])?["max"]?.line == 13)
    #expect(disks.map(\.line) == [10, 14])
  }

  /// Pairs that no document may hold, in the words of TOML's own page about tables.
  @Test(arguments: [
    "a = 1\na = 2", "a = 1\na.b = 2", "a.b = 1\n[a]", "[a]\n[a]", "[a]\nb = 1\n[a.b]", "[[a]]\n[a]",
    "[a]\n[[a]]", "a = []\n[[a]]", "a = {}\n[a.b]", "a = {b = 1}\na.c = 2",
    "[a.b.c]\nz=9\n[a]\nb.c.t=1",
    "[a]\nb.c = 1\n[a.b]", "[fruit]\napple.color = 1\n[fruit.apple]", "[a.b]\n[a]\nb = 1", "[]",
    "[a.]",
    "[a]]", "[[a]", "[a] b = 1", "a", "= 1", "a = 1 b = 2", "a.b", "\"\"\"a\"\"\" = 1", "a..b = 1",
  ])
  func refusesContradictions(text: String) {
    #expect(failure(text) != nil)
  }

  @Test(arguments: [
    "[a.b]\n[a]\nc = 1", "[fruit]\napple.color = 1\n[fruit.apple.taste]\nx = 1",
    "a.b = 1\na.c = {d = 1}\na.e = 2",
    "\"\" = 1", "3.14 = 1", "[ a . \"b\" ]", "a = 1 # comment", "\u{FEFF}a = 1", "a = 1\r\n",
    "[[a]]\n[[a.b]]\n[[a.b]]",
  ])
  func readsWhatLooksLikeAContradictionAndIsNone(text: String) {
    #expect(failure(text) == nil)
  }

  @Test func saysWhereAndWhat() {
    #expect(
      failure("a = 1\nb = [\"é\", yes]\n")
        == TOMLError(line: 2, column: 11, message: "this is no value; a text needs quotes"))
    #expect(
      failure("[s3]\nbind \"x\"")
        == TOMLError(line: 2, column: 6, message: "expected '=' after the key, found '\"'"))
    #expect(failure("a = [\n1,\n").map { [$0.line, $0.column] } == [3, 1])
    #expect(failure("x = 1\n\nx = 2")?.description == "line 3, column 1: 'x' is already defined")
    #expect(
      failure("p = \"C:\\data\"")?.message
        == "unknown escape; a backslash in a path is written '\\\\', or the string in single quotes"
    )
  }

  @Test func saysWhichLineIsNotUTF8() {
    #expect(throws: TOMLError(line: 2, column: 1, message: "this line is not valid UTF-8")) {
      try TOML.parse(Array("a = 1\nb = \"".utf8) + [0xFF, 0x22])
    }
  }

  @Test func boundsDepth() {
    #expect(failure("x = " + String(repeating: "[", count: 100_000))?.message == "too many levels")
    #expect(
      failure("x = " + String(repeating: "{a=", count: 100_000))?.message == "too many levels")
    #expect(
      failure(String(repeating: "a.", count: 100_000) + "a = 1")?.message == "too many levels")
  }
}

@Suite struct TOMLPropertyTests {
  private func string(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\" + String(scalar)
      case _ where scalar.value < 0x20 || scalar.value == 0x7F:
        result += "\\u00" + Hex.encode([UInt8(scalar.value)])
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  /// A random value and a text for it.
  private func value(_ random: Seeded, depth: Int) -> (TOMLValue.Kind, String) {
    switch random.below(depth < 3 ? 7 : 5) {
    case 0:
      let text = random.text(upTo: 12)
      return (.string(text), string(text))
    case 1:
      let number = Int64(bitPattern: random.next()) >> Int64(random.below(64))
      return (.integer(number), String(number))
    case 2:
      let number = Double(Int32(truncatingIfNeeded: random.next())) / 8
      return (.float(number), "\(number)")
    case 3: return random.oneIn(2) ? (.boolean(true), "true") : (.boolean(false), "false")
    case 4:
      let day = TOMLDateTime.Day(year: 1000 + random.below(9000), month: 11, day: 21)
      return (.dateTime(TOMLDateTime(day: day)), "\(day.year)-11-21")
    case 5:
      let elements = (0..<random.below(5)).map { _ in value(random, depth: depth + 1) }
      let separator = random.oneIn(2) ? ", " : ",\n  # comment\n  "
      return (
        .array(elements.map { TOMLValue($0.0, line: 0) }),
        "[" + elements.map(\.1).joined(separator: separator) + "]"
      )
    default:
      let members = (0..<random.below(4)).map {
        (key: "k\($0)" + random.text(upTo: 3), value: value(random, depth: depth + 1))
      }
      let entries = members.map {
        TOMLTable.Entry(key: $0.key, value: TOMLValue($0.value.0, line: 0))
      }
      return (
        .table(TOMLTable(entries: entries)),
        "{" + members.map { string($0.key) + "=" + $0.value.1 }.joined(separator: ",") + "}"
      )
    }
  }

  /// A document of sections, and its table.
  private func document(_ random: Seeded) -> (TOMLTable, String) {
    var table = TOMLTable()
    var text = ""
    for section in 0..<random.below(4) {
      var inner = TOMLTable()
      text += "[s\(section)]\n"
      for key in 0..<random.below(5) {
        let (kind, written) = value(random, depth: 0)
        inner.entries.append(.init(key: "k\(key)", value: TOMLValue(kind, line: 0)))
        text += "k\(key) = \(written)\r\n"
      }
      table.entries.append(.init(key: "s\(section)", value: TOMLValue(.table(inner), line: 0)))
    }
    return (table, text)
  }

  private func withoutLines(_ table: TOMLTable) -> TOMLTable {
    TOMLTable(
      entries: table.entries.map {
        TOMLTable.Entry(key: $0.key, value: withoutLines($0.value))
      })
  }

  private func withoutLines(_ value: TOMLValue) -> TOMLValue {
    switch value.kind {
    case .array(let elements): TOMLValue(.array(elements.map { withoutLines($0) }), line: 0)
    case .table(let table): TOMLValue(.table(withoutLines(table)), line: 0)
    default: TOMLValue(value.kind, line: 0)
    }
  }

  @Test(arguments: 0..<200 as Range<UInt64>)
  func readsWhatWasMeant(seed: UInt64) throws {
    let (table, text) = document(Seeded(seed))
    #expect(withoutLines(try TOML.parse(text)) == table)
  }

  @Test(arguments: 0..<200 as Range<UInt64>)
  func survivesMutatedDocuments(seed: UInt64) {
    let random = Seeded(seed)
    let (_, text) = document(random)
    for _ in 0..<50 {
      let mutated = random.mutated(
        Array(text.utf8), with: Array("[]{}=,.\"'\\\n\r #_-+:eTZ019".utf8))
      do {
        _ = try TOML.parse(mutated)
      } catch {
        #expect(error.line >= 1 && error.column >= 1)
      }
    }
  }
}
