import HTTP
import Testing

@Suite struct ResponseParserTests {
  private func parse(_ text: String, answersHead: Bool = false) throws -> ParsedResponse? {
    var parser = ResponseParser(limits: testLimits, answersHead: answersHead)
    return try Array(text.utf8).withUnsafeBytes { try parser.parse($0) }
  }

  @Test func readsAResponse() throws {
    let response = try #require(
      try parse("HTTP/1.1 206 Partial Content\r\nContent-Length: 7\r\nETag: \"a\"\r\n\r\nabc"))
    #expect(response.head.status == 206)
    #expect(response.head.headers["etag"] == "\"a\"")
    #expect(response.framing == .length(7))
    #expect(response.persists)
  }

  @Test(arguments: [
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", BodyFraming.chunked, true),
    ("HTTP/1.1 200\r\n\r\n", .untilClose, false),
    ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", .length(1), false),
    ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n", .length(1), true),
    ("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", .none, true),
    ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", .none, true),
    ("HTTP/1.1 100 Continue\r\n\r\n", .none, true),
    ("HTTP/1.1 200 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n", .length(0), false),
  ])
  func framesTheBody(text: String, framing: BodyFraming, persists: Bool) throws {
    let response = try #require(try parse(text))
    #expect(response.framing == framing)
    #expect(response.persists == persists)
    #expect(try parse(text, answersHead: true)?.framing == BodyFraming.none)
  }

  @Test(arguments: [
    "HTTP/1.1 200 OK\nContent-Length: 1\r\n\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n",
    "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n",
    "HTTP/1.1 099 X\r\n\r\n",
    "HTTP/1.1 600 X\r\n\r\n", "HTTP/1.1 200 a\u{00}b\r\n\r\n", "ICY 200 OK\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX : 1\r\n\r\n", "HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\n\r\n",
  ])
  func refusesWhatHasTwoReadings(text: String) {
    #expect(throws: HTTPRejection.self) { try parse(text) }
  }
}
