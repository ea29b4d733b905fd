import HTTP
import Testing

@Suite struct HTTPHeadersTests {
  private func wire(_ headers: HTTPHeaders) -> String {
    headers.withFieldLines { String(decoding: $0, as: UTF8.self) }
  }

  @Test func namesAreComparedWithoutCase() {
    let headers: HTTPHeaders = ["Content-Type": "text/plain", "x-a": "1", "X-A": "2"]
    #expect(headers["content-type"] == "text/plain")
    #expect(headers.all("x-A") == ["1", "2"])
    #expect(headers["content-typ"] == nil)
    #expect(headers.map(\.name) == ["content-type", "x-a", "x-a"])
    var visited: [String] = []
    headers.visitFields { name, value in
      visited.append(
        "\(String(decoding: name, as: UTF8.self))=\(String(decoding: value, as: UTF8.self))")
    }
    #expect(visited == ["content-type=text/plain", "x-a=1", "x-a=2"])
  }

  @Test func changesKeepTheOrderOfTheRest() {
    var headers: HTTPHeaders = ["a": "1", "b": "2", "A": "3", "c": ""]
    headers.set("a", "4")
    #expect(wire(headers) == "b: 2\r\nc: \r\na: 4\r\n")
    headers.remove("B")
    headers.remove("missing")
    #expect(wire(headers) == "c: \r\na: 4\r\n")
    #expect(headers["a"] == "4")
  }

  @Test(arguments: ["1\r\nSet-Cookie: x", "\r\n\r\nbody", "a\u{00}b", " \t a \r", "\n"])
  func noValueBreaksOutOfItsLine(value: String) {
    var headers = HTTPHeaders()
    headers.append("x", value)
    headers.append("y", "2")
    let lines = wire(headers)
    #expect(lines.utf8.filter { $0 == 10 }.count == 2)
    #expect(lines.utf8.filter { $0 == 13 }.count == 2)
    #expect(!lines.utf8.contains(0))
    #expect(headers["y"] == "2")
    #expect(headers["x"]?.utf8.first != 32)
    #expect(headers["x"]?.utf8.last != 32)
  }

  @Test(arguments: ["", "a b", "a:", "a\r\nb", "é", "a\u{00}"])
  func aNameThatIsNoTokenIsNotAdded(name: String) {
    var headers = HTTPHeaders()
    let isAdded = headers.append(name, "1")
    #expect(!isAdded)
    #expect(headers.isEmpty)
    #expect(wire(headers).isEmpty)
  }

  @Test func anyBytesOfAValueAreKept() {
    var headers = HTTPHeaders()
    headers.append("x", valueBytes: [0xE9, 0x20, 0xFF, 0x09, 0x41])
    #expect(headers.withValue("X") { Array($0) } == [0xE9, 0x20, 0xFF, 0x09, 0x41])
    #expect(headers["x"] == "\u{FFFD} \u{FFFD}\tA")
  }

  @Test func listsTokens() {
    let headers: HTTPHeaders = ["connection": "keep-alive , Close", "te": "trailers"]
    #expect(headers.lists("close", in: "Connection"))
    #expect(!headers.lists("keep", in: "connection"))
    #expect(!headers.lists("close", in: "te"))
  }

  @Test func characterClassesAreThoseOfTheGrammar() {
    let tokens = Set(
      "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
    let hosts = Set(
      "-._~!$&'()*+;=%:[]0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
    for byte in UInt8.min...UInt8.max {
      #expect(isTokenCharacter(byte) == tokens.contains(byte))
      #expect(isHostCharacter(byte) == hosts.contains(byte))
    }
  }
}
