import Base
import HTTP
import Testing

@Suite struct RequestParserTests {
  /// Requests that leave room for two readings, or none, and what they are answered with.
  static let refused: [(name: String, bytes: String, status: Int)] = [
    ("obs-fold", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", 400),
    ("fold by a tab", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\t2\r\n\r\n", 400),
    ("white space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    ("two Content-Length", post("Content-Length: 1\r\nContent-Length: 2"), 400),
    ("two equal Content-Length", post("Content-Length: 1\r\nContent-Length: 1"), 400),
    ("list in Content-Length", post("Content-Length: 1, 1"), 400),
    ("signed Content-Length", post("Content-Length: +1"), 400),
    ("negative Content-Length", post("Content-Length: -1"), 400),
    ("hexadecimal Content-Length", post("Content-Length: 0x1"), 400),
    ("empty Content-Length", post("Content-Length:"), 400),
    ("space in Content-Length", post("Content-Length: 1 0"), 400),
    ("Content-Length above 2^64", post("Content-Length: 18446744073709551617"), 400),
    (
      "Content-Length of 40 digits",
      post("Content-Length: 1000000000000000000000000000000000000000"), 400
    ),
    ("length and chunked", post("Content-Length: 1\r\nTransfer-Encoding: chunked"), 400),
    ("chunked and length", post("Transfer-Encoding: chunked\r\nContent-Length: 1"), 400),
    ("length and unknown coding", post("Content-Length: 1\r\nTransfer-Encoding: gzip"), 400),
    ("chunked twice", post("Transfer-Encoding: chunked, chunked"), 400),
    (
      "chunked in two fields", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), 400
    ),
    ("chunked not last", post("Transfer-Encoding: chunked, gzip"), 400),
    ("empty Transfer-Encoding", post("Transfer-Encoding:"), 400),
    ("quoted coding", post("Transfer-Encoding: \"chunked\""), 400),
    ("vertical tab before the coding", post("Transfer-Encoding: \u{0B}chunked"), 400),
    ("unknown coding", post("Transfer-Encoding: gzip"), 501),
    ("coding before chunked", post("Transfer-Encoding: gzip, chunked"), 501),
    ("coding that contains chunked", post("Transfer-Encoding: xchunked"), 501),
    ("identity", post("Transfer-Encoding: identity"), 501),
    ("chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("space before the colon", post("Content-Length : 1"), 400),
    ("tab before the colon", post("Transfer-Encoding\t: chunked"), 400),
    ("no colon", post("Content-Length"), 400),
    ("empty field name", post(": 1"), 400),
    ("control character in a name", post("Conten\u{01}t-Length: 1"), 400),
    ("parenthesis in a name", post("X(Y): 1"), 400),
    ("non-ASCII name", post("Contént: 1"), 400),
    ("bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
    ("bare LF after a field", "GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n", 400),
    ("bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400),
    ("bare CR in a value", post("X: 1\rContent-Length: 5"), 400),
    ("bare CR before CR LF", post("X: 1\r"), 400),
    ("bare CR in the target", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("NUL in a value", post("X: a\u{00}b"), 400),
    ("NUL in the target", "GET /\u{00} HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("DEL in a value", post("X: a\u{7F}b"), 400),
    ("escape in a value", post("X: \u{1B}[2J"), 400),
    ("no Host", "GET / HTTP/1.1\r\nX: 1\r\n\r\n", 400),
    ("two Host", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("two equal Host", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    ("two Host in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    ("two names in Host", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    ("user in Host", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
    ("path in Host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    ("HTTP/0.9", "GET /\r\nHost: a\r\n\r\n", 400),
    ("two spaces before the target", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("two spaces before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("space after the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    ("tab in the request line", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("fragment", "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("non-ASCII target", "GET /é HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("relative target", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("asterisk to GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("other scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("URI with a user", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("URI without host", "GET http:///b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("URI with another host", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("URI with another port", "GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("URI with a longer host", "GET http://a.b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("URI beside an empty Host", "GET http://a/ HTTP/1.1\r\nHost:\r\n\r\n", 400),
    ("URI without Host", "GET http://a/ HTTP/1.0\r\n\r\n", 400),
    ("lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    ("version of two digits", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400),
    ("no version number", "GET / HTTP/x.1\r\nHost: a\r\n\r\n", 400),
    ("HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    ("preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("TLS handshake", "\u{16}\u{03}\u{01}", 400),
    ("CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 501),
    ("endless method", String(repeating: "A", count: 40) + " / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    ("two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("bare LF first", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("endless target", "GET /" + String(repeating: "a", count: 5000), 414),
    ("endless field", "GET / HTTP/1.1\r\nX: " + String(repeating: "a", count: 5000), 431),
    (
      "long head",
      "GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "a", count: 4096) + "\r\n\r\n", 431
    ),
    ("many fields", post((0..<40).map { "X-\($0): 1" }.joined(separator: "\r\n")), 431),
  ]

  private static func post(_ fields: String) -> String {
    "POST / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n"
  }

  @Test(arguments: refused.indices)
  func refusesWhatHasTwoReadings(index: Int) {
    let (name, bytes, status) = Self.refused[index]
    #expect(parseRequest(Array(bytes.utf8)) == .rejected(status), "\(name)")
  }

  static let accepted = [
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "PUT /b/k%20?x-id=PutObject HTTP/1.1\r\nhost:localhost:3900\r\nContent-Length:  5\t\r\nExpect: 100-Continue\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: [::1]:3900\r\nTransfer-Encoding: Chunked\r\nConnection: close\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
    "GET http://a.example/b?c HTTP/1.1\r\nHost: A.example\r\nx: \u{E9}\r\nempty:\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost:\r\nConnection: x, , close\r\n\r\n",
    "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
  ]

  @Test(arguments: accepted + refused.map(\.bytes))
  func doesNotDependOnHowTheBytesArrive(text: String) {
    let bytes = Array(text.utf8)
    let whole = parseRequest(bytes)
    let step = max(1, bytes.count / 300)
    for cut in stride(from: 0, through: bytes.count, by: step) {
      #expect(parseRequest(bytes, cuts: [cut]) == whole, "cut at \(cut)")
    }
    #expect(parseRequest(bytes, cuts: Array(0...bytes.count)) == whole)
  }

  @Test(arguments: accepted)
  func leavesWhatFollowsTheHead(text: String) {
    let more = Array((text + "GET /next HTTP/1.1\r\n").utf8)
    #expect(parseRequest(more) == parseRequest(Array(text.utf8)))
  }

  @Test func readsARequest() throws {
    let request = try #require(try parsedRequest(Self.accepted[2]))
    #expect(request.head.method == "PUT")
    #expect(request.head.target == "/b/k%20?x-id=PutObject")
    #expect(request.head.path == "/b/k%20")
    #expect(request.head.query == "x-id=PutObject")
    #expect(request.head.host == "localhost:3900")
    #expect(request.head.headers["content-length"] == "5")
    #expect(request.framing == .length(5))
    #expect(request.expectsContinue)
    #expect(request.persists)
    #expect(request.byteCount == Self.accepted[2].utf8.count)
  }

  @Test func readsTheFormThatProxiesUse() throws {
    let request = try #require(try parsedRequest(Self.accepted[6]))
    #expect(request.head.path == "/b")
    #expect(request.head.query == "c")
    #expect(request.head.host == "A.example")
    #expect(request.head.headers.withValue("x") { Array($0) } == [0xC3, 0xA9])
    #expect(request.head.headers["empty"] == "")
    let bare = try #require(
      try parsedRequest("GET http://a?q HTTP/1.1\r\nHost: a\r\n\r\n"))
    #expect(bare.head.path == "/")
    #expect(bare.head.query == "q")
  }

  @Test func keepsConnectionsAsTheVersionSays() throws {
    let persists = try Self.accepted.map { try parsedRequest($0)?.persists }
    #expect(persists == [true, true, true, false, false, true, true, false, true])
  }
}
