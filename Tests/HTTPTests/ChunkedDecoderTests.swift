import HTTP
import Testing

@Suite struct ChunkedDecoderTests {
  static let body = Array(
    "5\r\nhello\r\n00b;name=\"v;a\" ; x\r\n wide world\r\nA \t;y\r\n0123456789\r\n0\r\nX-Sum: abc=\r\nY: \r\n\r\nGET "
      .utf8)

  @Test func doesNotDependOnHowTheBytesArrive() throws {
    for input in 1...Self.body.count {
      for output in [1, 2, 3, 7, 64] {
        let decoded = try decodeChunks(Self.body, inputBytes: input, outputBytes: output).get()
        let (content, trailers, rest) = try #require(decoded)
        #expect(String(decoding: content, as: UTF8.self) == "hello wide world0123456789")
        #expect(trailers["x-sum"] == "abc=")
        #expect(trailers["y"] == "")
        #expect(trailers.count == 2)
        #expect(rest == 4, "consumed what follows the body")
      }
    }
  }

  static let refused = [
    "\r\n", ";\r\n", "g\r\n", "-1\r\n", "+1\r\n", "0x1\r\n", " 1\r\n", "1 \r\n", "1\n", "1\rx",
    "1\r\r\n",
    "1;a\u{00}\r\n", "1;a\nb\r\n", "1;a\rb\r\n", "1\r\nab", "1\r\na\n", "1\r\na\r\r", "1\r\na1\r\n",
    "1234567890123456\r\n", "ffffffffffffffff\r\n", "0000000000000001\r\n", "1 x\r\n", "é\r\n",
    "0\r\n x: 1\r\n\r\n", "0\r\nx : 1\r\n\r\n", "0\r\nx: 1\n\r\n", "0\r\n\n", "0\r\nx\r\n\r\n",
    "0\r\nContent-Length: x\r\n\r\n",
  ]

  @Test(arguments: refused)
  func refusesWhatIsNotChunks(text: String) {
    for input in [1, 2, 1000] {
      let result = decodeChunks(Array(text.utf8), inputBytes: input, outputBytes: 16)
      guard case .failure(let rejection) = result else {
        Issue.record("\(text.debugDescription) was accepted in pieces of \(input)")
        continue
      }
      #expect(rejection.status == 400)
    }
  }

  @Test func boundsExtensionsByTheDataTheyCameWith() {
    let endless = Array(("1;" + String(repeating: "a", count: 1 << 20)).utf8)
    #expect(throws: HTTPRejection.self) {
      try decodeChunks(endless, inputBytes: 4096, outputBytes: 16).get()
    }
    let chunk = "1;" + String(repeating: "a", count: 100) + "\r\nx\r\n"
    let many = Array(String(repeating: chunk, count: 1000).utf8)
    #expect(throws: HTTPRejection.self) {
      try decodeChunks(many, inputBytes: 4096, outputBytes: 16).get()
    }
    let fair =
      "40;" + String(repeating: "a", count: 60) + "\r\n" + String(repeating: "x", count: 64)
      + "\r\n"
    let usual = Array((String(repeating: fair, count: 1000) + "0\r\n\r\n").utf8)
    #expect(throws: Never.self) {
      try decodeChunks(usual, inputBytes: 4096, outputBytes: 4096).get()
    }
  }

  @Test func boundsTrailers() {
    for trailers in [
      String(repeating: "a", count: 9000), "X: " + String(repeating: "a", count: 9000) + "\r\n\r\n",
      String(repeating: "X: 1\r\n", count: 65) + "\r\n",
    ] {
      for input in [1, 100, 10_000] {
        guard
          case .failure(let rejection) = decodeChunks(
            Array(("0\r\n" + trailers).utf8), inputBytes: input, outputBytes: 16)
        else {
          Issue.record("accepted in pieces of \(input)")
          continue
        }
        #expect(rejection.status == 431)
      }
    }
  }
}
