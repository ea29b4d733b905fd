import Base
import HTTP
import Reactor
import SimulatedWorld
import Testing

@Suite struct HTTPServerTests {
  @Test(arguments: UInt64(1)...10)
  func answersPipelinedRequestsInOrder(seed: UInt64) throws {
    let runtime = SimulatedRuntime(seed: seed)
    let server = SimulatedServer(runtime) { exchange in
      // Later requests are answered faster, if anything.
      let delay = 50 - 10 * (Int(exchange.request.path.dropFirst()) ?? 0)
      try await runtime.sleep(for: .milliseconds(max(0, delay)))
      try await echo(exchange)
    }
    try runtime.run {
      let client = server.connect()
      try await client.send(
        (0..<6).map { "PUT /\($0) HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n#\($0)" }.joined()
          + "POST /6 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n#\r\n1\r\n6\r\n0\r\n\r\n"
          + "GET /7 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
      for number in 0..<8 {
        let (head, body) = try await client.readResponse()
        #expect(head.status == 200)
        let sent = number < 7 ? "#\(number)" : ""
        #expect(body.hasSuffix(" /\(number) \(sent)"), "seed \(seed)")
        #expect(head.headers["connection"] == (number == 7 ? "close" : nil))
      }
      #expect(try await client.readToEnd() == "")
    }
  }

  /// More requests than a buffer holds, so that one lies across its end.
  @Test func manyPipelinedRequestsAreAllAnswered() throws {
    let runtime = SimulatedRuntime(seed: 11)
    let server = SimulatedServer(runtime) { try await echo($0) }
    var options = SimulatedPipeOptions()
    options.hasShortReads = false
    options.capacityBytes = 1 << 20
    let pipeOptions = options
    try runtime.run {
      let client = server.connect(pipeOptions)
      try await client.send(
        (1000..<5000).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
      for number in 1000..<5000 {
        let body = try await client.readResponse().body
        if body != "GET /\(number) " { Issue.record("\(body) for \(number)") }
      }
    }
  }

  @Test func aResponseSaysWhoWhenAndWhich() throws {
    let runtime = SimulatedRuntime(seed: 1)
    let notes = Notes()
    let server = SimulatedServer(runtime) { exchange in
      notes.lines.append(exchange.requestID)
      try await exchange.respond(
        200, headers: ["X": "1", "Content-Length": "99", "Connection": "x", "Date": "now"],
        body: [65])
    }
    try runtime.run {
      let client = server.connect()
      for _ in 0..<2 {
        try await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let (head, body) = try await client.readResponse()
        #expect(body == "A")
        #expect(head.headers.all("content-length") == ["1"])
        #expect(head.headers.all("date") == ["Mon, 21 Sep 2026 14:13:20 GMT"])
        #expect(head.headers["server"] == "grange")
        #expect(head.headers["x"] == "1")
        #expect(head.headers["x-request-id"] == notes.lines.last)
        #expect(head.headers["connection"] == nil)
      }
      #expect(notes.lines.allSatisfy { $0.utf8.count == 16 && UInt64($0, radix: 16) != nil })
      #expect(Set(notes.lines).count == 2)
    }
  }

  @Test(arguments: RequestParserTests.refused.indices)
  func refusesAndClosesWithoutServingWhatFollows(index: Int) throws {
    let (name, bytes, status) = RequestParserTests.refused[index]
    let runtime = SimulatedRuntime(seed: UInt64(index))
    let notes = Notes()
    var options = HTTPServer.Options()
    options.headMaxBytes = testLimits.headMaxBytes
    options.headerCountMax = testLimits.fieldCountMax
    let server = SimulatedServer(runtime, options: options) { exchange in
      notes.lines.append(exchange.request.target)
      try await echo(exchange)
    }
    let answer = try runtime.run {
      let client = server.connect()
      try await client.send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
      _ = try await client.readResponse()
      try await client.send(bytes + "x\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
      return try await client.readToEnd()
    }
    #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(name): \(answer)")
    #expect(answer.contains("connection: close\r\n"), "\(name)")
    #expect(answer.components(of: "HTTP/1.1 ") == 1, "\(name): answered more than once")
    #expect(notes.lines == ["/first"], "\(name)")
  }

  @Test func chunksAndTrailersGoBothWays() throws {
    let runtime = SimulatedRuntime(seed: 3)
    let server = SimulatedServer(runtime) { exchange in
      let body = try await exchange.body.collect(maxBytes: 100)
      let response = try await exchange.beginResponse(200, contentLength: nil)
      try await response.write([])
      try await response.write(body)
      try await response.write(Array("!".utf8))
      var trailers = HTTPHeaders()
      trailers.append("x-sum", exchange.body.trailers["x-sum"] ?? "")
      try await response.finish(trailers: trailers)
    }
    let answer = try runtime.run {
      let client = server.connect()
      try await client.send(
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
          + "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX-Sum: 42\r\n\r\n")
      return try await client.readToEnd()
    }
    #expect(answer.contains("\r\ntransfer-encoding: chunked\r\n"))
    #expect(!answer.contains("content-length"))
    #expect(answer.hasSuffix("\r\n\r\nb\r\nhello world\r\n1\r\n!\r\n0\r\nx-sum: 42\r\n\r\n"))
  }

  @Test func headGetsNoBody() throws {
    let runtime = SimulatedRuntime(seed: 4)
    let server = SimulatedServer(runtime) { exchange in
      switch exchange.request.path {
      case "/fixed": try await exchange.respond(200, body: Array("hello".utf8))
      case "/stream":
        let response = try await exchange.beginResponse(200, contentLength: 1 << 40)
        try await response.write([1, 2, 3])
        try await response.finish()
      default:
        let response = try await exchange.beginResponse(200, contentLength: nil)
        try await response.write([1, 2, 3])
        try await response.finish()
      }
    }
    try runtime.run {
      let client = server.connect()
      for (path, length) in [("/fixed", "5"), ("/stream", "\(1 << 40)"), ("/chunked", nil)] {
        try await client.send("HEAD \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
        let (head, _) = try await client.readResponse(answersHead: true)
        #expect(head.headers["content-length"] == length)
        #expect(head.headers["transfer-encoding"] == nil)
      }
      try await client.send("GET /fixed HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try await client.readResponse().body == "hello")
    }
  }

  @Test func statusesWithoutBodyHaveNoLength() throws {
    let runtime = SimulatedRuntime(seed: 5)
    let server = SimulatedServer(runtime) { exchange in
      try await exchange.respond(
        Int(exchange.request.path.dropFirst()) ?? 0, body: Array("not sent".utf8))
    }
    try runtime.run {
      let client = server.connect()
      for status in [204, 304, 204] {
        try await client.send("GET /\(status) HTTP/1.1\r\nHost: a\r\n\r\n")
        let (head, body) = try await client.readResponse()
        #expect(head.status == status)
        #expect(head.headers["content-length"] == nil)
        #expect(body == "")
      }
    }
  }

  @Test func speaksHTTP10() throws {
    let runtime = SimulatedRuntime(seed: 6)
    let server = SimulatedServer(runtime) { exchange in
      let response = try await exchange.beginResponse(
        200, contentLength: exchange.request.path == "/known" ? 5 : nil)
      try await response.write(Array("hello".utf8))
      try await response.finish()
    }
    try runtime.run {
      let plain = server.connect()
      try await plain.send("GET /known HTTP/1.0\r\n\r\nGET /known HTTP/1.0\r\n\r\n")
      let answer = try await plain.readToEnd()
      #expect(answer.contains("\r\nconnection: close\r\n"))
      #expect(answer.components(of: "HTTP/1.1 200") == 1)

      let keeping = server.connect()
      for _ in 0..<2 {
        try await keeping.send("GET /known HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        let (head, body) = try await keeping.readResponse()
        #expect(head.headers["connection"] == "keep-alive")
        #expect(body == "hello")
      }
      try await keeping.send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
      let stream = try await keeping.readToEnd()
      #expect(!stream.contains("chunked"))
      #expect(stream.contains("\r\nconnection: close\r\n"))
      #expect(stream.hasSuffix("\r\n\r\nhello"))
    }
  }

  @Test func aHandlerThatDoesNotAnswerIsAnsweredFor() throws {
    let runtime = SimulatedRuntime(seed: 7)
    let server = SimulatedServer(runtime) { _ in }
    try runtime.run {
      let client = server.connect()
      try await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try await client.readResponse().head.status == 500)
    }
  }

  @Test(arguments: ["chunked", "short", "long"])
  func aResponseThatIsNotWholeClosesTheConnection(kind: String) throws {
    let runtime = SimulatedRuntime(seed: 8)
    let notes = Notes()
    let server = SimulatedServer(runtime) { exchange in
      let response = try await exchange.beginResponse(
        200, contentLength: kind == "chunked" ? nil : 5)
      try await response.write(Array("abc".utf8))
      do {
        if kind == "short" { try await response.finish() }
        if kind == "long" { try await response.write(Array("def".utf8)) }
      } catch { notes.lines.append("\(error)") }
    }
    let answer = try runtime.run {
      let client = server.connect()
      try await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
      return try await client.readToEnd()
    }
    #expect(answer.hasSuffix(kind == "chunked" ? "\r\n3\r\nabc" : "\r\n\r\nabc"))
    #expect(notes.lines == (kind == "chunked" ? [] : ["lengthMismatch"]))
    #expect(server.metrics.render().contains("http_requests_aborted_total{server=\"http\"} 1"))
  }

  @Test func aSecondResponseIsAnError() throws {
    let runtime = SimulatedRuntime(seed: 9)
    let notes = Notes()
    let server = SimulatedServer(runtime) { exchange in
      try await exchange.respond(200)
      do { try await exchange.respond(500) } catch { notes.lines.append("\(error)") }
    }
    try runtime.run {
      let client = server.connect()
      try await client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
      #expect(try await client.readToEnd().components(of: "HTTP/1.1") == 1)
    }
    #expect(notes.lines == ["alreadyResponded"])
  }

  @Test func countsWhatItDoes() throws {
    let runtime = SimulatedRuntime(seed: 10)
    let server = SimulatedServer(runtime) { try await echo($0) }
    try runtime.run {
      let client = server.connect()
      try await client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
      _ = try await client.readResponse()
      try await client.send("nonsense\r\n")
      _ = try await client.readToEnd()
      try await runtime.sleep(for: .seconds(30))
    }
    let page = server.metrics.render()
    for line in [
      "http_connections{server=\"http\"} 0", "http_requests_in_flight{server=\"http\"} 0",
      "http_requests_total{server=\"http\",status=\"2xx\"} 1",
      "http_requests_rejected_total{server=\"http\"} 1",
      "http_received_bytes_total{server=\"http\"} 3", "http_sent_bytes_total{server=\"http\"} 9",
      "http_request_duration_seconds_count{server=\"http\"} 1",
    ] { #expect(page.contains(line + "\n"), "\(line) in \(page)") }
  }
}

extension String {
  /// How often `part` occurs.
  func components(of part: String) -> Int {
    let text = Array(utf8)
    let part = Array(part.utf8)
    return text.indices.count { text[$0...].starts(with: part) }
  }
}
