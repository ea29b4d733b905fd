import Base
import HTTP
import Reactor
import SimulatedWorld
import Testing

@Suite struct HTTPClientTests {
  private let endpoint = HTTPEndpoint.tcp(host: "store.example", port: 3900)

  /// A client whose connections are served by `server`; each is noted in `notes.count`.
  private func client(
    _ server: SimulatedServer, notes: Notes = Notes(), options: HTTPClient.Options = .init()
  ) -> HTTPClient {
    HTTPClient(options: options, runtime: server.runtime) { _, _ in
      notes.count += 1
      return server.connect().stream
    }
  }

  /// A client whose connections are answered by a script: what to send for each read of some bytes, and
  /// after the last one the connection closes.
  private func scripted(
    _ runtime: SimulatedRuntime, notes: Notes = Notes(), _ scripts: [[String]]
  ) -> HTTPClient {
    HTTPClient(runtime: runtime) { _, _ in
      let script = scripts[min(notes.count, scripts.count - 1)]
      notes.count += 1
      let pipe = SimulatedPipe(runtime)
      let raw = RawClient(runtime: runtime, stream: pipe.second)
      runtime.spawn {
        for answer in script {
          guard let request = try? await raw.read(through: "\r\n\r\n"), !request.isEmpty else {
            break
          }
          notes.lines.append(String(request.prefix { $0 != "\r\n" }))
          try? await raw.send(answer)
        }
        raw.stream.close()
      }
      return pipe.first
    }
  }

  private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

  @Test(arguments: UInt64(1)...5)
  func usesOneConnectionForOneRequestAfterTheOther(seed: UInt64) throws {
    let runtime = SimulatedRuntime(seed: seed)
    let server = SimulatedServer(runtime) { try await echo($0) }
    let notes = Notes()
    let client = client(server, notes: notes)
    try runtime.run {
      for number in 0..<5 {
        let response = try await client.request(
          "PUT", endpoint, "/\(number)", body: .bytes(Array("x\(number)".utf8)))
        #expect(response.status == 200)
        let body = try await response.collect(maxBytes: 100)
        #expect(String(decoding: body, as: UTF8.self) == "PUT /\(number) x\(number)")
      }
      #expect(notes.count == 1, "seed \(seed)")
      let head = try await client.request("HEAD", endpoint, "/")
      #expect(head.headers["content-length"] == "7")
      #expect(try await head.collect(maxBytes: 100) == [])
      _ = try await client.request("GET", endpoint, "/").collect(maxBytes: 100)
      #expect(notes.count == 1, "seed \(seed)")
      client.close()
    }
  }

  @Test func streamsBodiesBothWays() throws {
    let runtime = SimulatedRuntime(seed: 2)
    let server = SimulatedServer(runtime) { exchange in
      let response = try await exchange.beginResponse(
        200, contentLength: exchange.body.contentLength)
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 5000, alignment: 1)
      defer { buffer.deallocate() }
      while true {
        let count = try await exchange.body.read(into: buffer)
        if count == 0 { break }
        try await response.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      }
      var trailers = HTTPHeaders()
      trailers.append("x-sum", "1")
      try await response.finish(trailers: trailers)
    }
    let client = client(server)
    let content = (0..<40_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    try runtime.run {
      for length in [UInt64(content.count), nil] {
        let position = Notes()
        let response = try await client.request(
          "PUT", endpoint, "/",
          body: .stream(length: length) { buffer in
            let count = min(buffer.count, 3000, content.count - position.count)
            buffer.copyBytes(from: content[position.count..<position.count + count])
            position.count += count
            return count
          })
        #expect(response.contentLength == length)
        #expect(try await response.collect(maxBytes: 1 << 20) == content)
        #expect(response.trailers["x-sum"] == (length == nil ? "1" : nil))
      }
    }
  }

  @Test func asksAgainWhenAnIdleConnectionHadBeenClosed() throws {
    let runtime = SimulatedRuntime(seed: 3)
    let notes = Notes()
    let client = scripted(runtime, notes: notes, [[Self.ok], [Self.ok]])
    try runtime.run {
      for _ in 0..<2 {
        let response = try await client.request("GET", endpoint, "/")
        #expect(try await response.collect(maxBytes: 10).count == 2)
        try await runtime.sleep(for: .seconds(1))
      }
      #expect(notes.count == 2)
    }
  }

  @Test func doesNotRepeatWhatMayHaveHappened() throws {
    let runtime = SimulatedRuntime(seed: 4)
    let notes = Notes()
    let client = scripted(runtime, notes: notes, [[Self.ok], [Self.ok]])
    try runtime.run {
      _ = try await client.request("GET", endpoint, "/").collect(maxBytes: 10)
      try await runtime.sleep(for: .seconds(1))
      await #expect(throws: (any Error).self) { try await client.request("POST", endpoint, "/") }
      #expect(notes.count == 1)
    }
  }

  @Test func doesNotRepeatOnANewConnection() throws {
    let runtime = SimulatedRuntime(seed: 5)
    let notes = Notes()
    let client = scripted(runtime, notes: notes, [[""]])
    try runtime.run {
      await #expect(throws: HTTPError.truncated) { try await client.request("GET", endpoint, "/") }
      #expect(notes.count == 1)
    }
  }

  @Test func readsOverInterimResponses() throws {
    let runtime = SimulatedRuntime(seed: 6)
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    let client = scripted(runtime, [[interim + Self.ok]])
    try runtime.run {
      let response = try await client.request("GET", endpoint, "/")
      #expect(response.status == 200)
    }
  }

  @Test func boundsInterimResponses() throws {
    let runtime = SimulatedRuntime(seed: 7)
    let client = scripted(
      runtime, [[String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 100) + Self.ok]])
    try runtime.run {
      await #expect(throws: HTTPError.self) { try await client.request("GET", endpoint, "/") }
      #expect(runtime.elapsed < .seconds(1))
    }
  }

  @Test func aBodyThatEndsWithTheConnectionIsRead() throws {
    let runtime = SimulatedRuntime(seed: 8)
    let client = scripted(runtime, [["HTTP/1.0 200 OK\r\n\r\nall of it"]])
    try runtime.run {
      let body = try await client.request("GET", endpoint, "/").collect(maxBytes: 100)
      #expect(String(decoding: body, as: UTF8.self) == "all of it")
    }
  }

  @Test(arguments: [
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
  ])
  func aTruncatedBodyIsAnError(answer: String) throws {
    let runtime = SimulatedRuntime(seed: 9)
    let client = scripted(runtime, [[answer]])
    try runtime.run {
      let response = try await client.request("GET", endpoint, "/")
      await #expect(throws: HTTPError.truncated) { try await response.collect(maxBytes: 100) }
    }
  }

  @Test func bytesBehindAResponseCloseTheConnection() throws {
    let runtime = SimulatedRuntime(seed: 10)
    let notes = Notes()
    let client = scripted(runtime, notes: notes, [[Self.ok + Self.ok, Self.ok]])
    try runtime.run {
      for _ in 0..<2 {
        let response = try await client.request("GET", endpoint, "/")
        try await runtime.sleep(for: .seconds(1))
        _ = try await response.collect(maxBytes: 10)
      }
      #expect(notes.count == 2)
    }
  }

  @Test func anUnreadResponseClosesItsConnection() throws {
    let runtime = SimulatedRuntime(seed: 11)
    let server = SimulatedServer(runtime) {
      try await $0.respond(200, body: [UInt8](repeating: 65, count: 100_000))
    }
    let notes = Notes()
    let client = client(server, notes: notes)
    try runtime.run {
      _ = try await client.request("GET", endpoint, "/")
      try await runtime.sleep(for: .seconds(1))
      #expect(server.metrics.render().contains("http_connections{server=\"http\"} 0"))
      _ = try await client.request("GET", endpoint, "/").collect(maxBytes: 100_000)
      #expect(notes.count == 2)
    }
  }

  @Test func timesOutWhenNothingIsAnswered() throws {
    let runtime = SimulatedRuntime(seed: 12)
    let server = SimulatedServer(runtime) { _ in try await runtime.sleep(for: .seconds(1000)) }
    let client = client(server)
    try runtime.run {
      await #expect(throws: StreamError.timedOut) {
        try await client.request("GET", endpoint, "/")
      }
      #expect(runtime.elapsed > .seconds(59) && runtime.elapsed < .seconds(62))
    }
  }

  @Test func seesTheAnswerOfAServerThatRefusesALargeBody() throws {
    let runtime = SimulatedRuntime(seed: 13)
    let server = SimulatedServer(runtime) { try await $0.respond(413) }
    let notes = Notes()
    let client = client(server, notes: notes)
    try runtime.run {
      let response = try await client.request(
        "PUT", endpoint, "/",
        body: .stream(length: 1 << 30) { buffer in
          // A client's disk: slow enough for the server to give up first.
          try await runtime.sleep(for: .seconds(1))
          return buffer.count
        })
      #expect(response.status == 413)
      _ = try await response.collect(maxBytes: 100)
    }
  }

  @Test func keepsFewIdleConnectionsAndNotForLong() throws {
    let runtime = SimulatedRuntime(seed: 14)
    let server = SimulatedServer(runtime) { exchange in
      try await runtime.sleep(for: .milliseconds(100))
      try await echo(exchange)
    }
    var options = HTTPClient.Options()
    options.idleConnectionsMax = 2
    let notes = Notes()
    let client = client(server, notes: notes, options: options)
    try runtime.run {
      let tasks = (0..<5).map { _ in
        runtime.spawn { _ = try? await client.request("GET", endpoint, "/").collect(maxBytes: 10) }
      }
      for task in tasks { await task.value }
      #expect(notes.count == 5)
      try await runtime.sleep(for: .seconds(1))
      #expect(server.metrics.render().contains("http_connections{server=\"http\"} 2"))
      try await runtime.sleep(for: .seconds(40))
      _ = try await client.request("GET", endpoint, "/").collect(maxBytes: 10)
      #expect(notes.count == 6)
    }
  }

  @Test(arguments: [
    ("GET", "/a b"), ("GET", "/\r\nx: y"), ("G T", "/"), ("", "/"), ("GET", ""), ("GET\r\n", "/"),
  ])
  func sendsNothingThatIsNotOneRequest(method: String, target: String) throws {
    let runtime = SimulatedRuntime(seed: 15)
    let notes = Notes()
    let client = scripted(runtime, notes: notes, [[Self.ok]])
    try runtime.run {
      await #expect(throws: HTTPError.self) {
        try await client.request(method, endpoint, target)
      }
      #expect(notes.count == 0)
    }
  }

  @Test func namesTheHost() {
    #expect(HTTPEndpoint.tcp(host: "::1", port: 3900).authority == "[::1]:3900")
    #expect(HTTPEndpoint.tcp(host: "a", port: 80).authority == "a")
    #expect(HTTPEndpoint.tls(host: "a", port: 443).authority == "a")
    #expect(HTTPEndpoint.tls(host: "a", port: 80).authority == "a:80")
    #expect(HTTPEndpoint.unix(path: "/x").authority == "localhost")
  }
}
