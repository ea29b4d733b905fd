// Request bodies: when they are asked for, how they are slowed down, and what becomes of unread ones.

import Base
import HTTP
import Reactor
import SimulatedWorld
import Testing

@Suite struct HTTPServerBodyTests {
  @Test func continueIsSentOnTheFirstRead() throws {
    let runtime = SimulatedRuntime(seed: 1)
    let notes = Notes()
    let server = SimulatedServer(runtime) { exchange in
      try await runtime.sleep(for: .seconds(1))
      notes.lines.append("reads at \(runtime.elapsed >= .seconds(1))")
      try await echo(exchange)
    }
    try runtime.run {
      let client = server.connect()
      try await client.send(
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
      #expect(try await client.read(for: .milliseconds(900)) == "")
      #expect(try await client.read(through: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
      try await client.send("hello")
      #expect(try await client.readResponse().body == "PUT / hello")
      try await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try await client.readResponse().body == "GET / ")
    }
  }

  @Test(arguments: [200, 403])
  func continueIsSentThoughThereIsNoBody(status: Int) throws {
    let runtime = SimulatedRuntime(seed: 2)
    let server = SimulatedServer(runtime) { try await $0.respond(status) }
    let answer = try runtime.run {
      let client = server.connect()
      try await client.send(
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nExpect: 100-continue\r\n"
          + "Connection: close\r\n\r\n")
      return try await client.readToEnd()
    }
    #expect(answer.hasPrefix("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 \(status) "))
  }

  @Test func aRefusedExpectationGetsTheFinalStatusAloneAndTheConnectionCloses() throws {
    let runtime = SimulatedRuntime(seed: 2)
    let server = SimulatedServer(runtime) { try await $0.respond(403) }
    let answer = try runtime.run {
      let client = server.connect()
      try await client.send(
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
      return try await client.readToEnd()
    }
    #expect(answer.hasPrefix("HTTP/1.1 403 "))
    #expect(answer.contains("\r\nconnection: close\r\n"))
  }

  @Test func aClientThatDoesNotWaitGetsNoContinue() throws {
    let runtime = SimulatedRuntime(seed: 3)
    let server = SimulatedServer(runtime) { exchange in
      try await runtime.sleep(for: .seconds(1))
      try await echo(exchange)
    }
    var options = SimulatedPipeOptions()
    options.hasShortReads = false
    let pipeOptions = options
    try runtime.run {
      let client = server.connect(pipeOptions)
      try await client.send(
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello")
      #expect(try await client.readResponse().head.status == 200)
    }
  }

  @Test func aSmallUnreadBodyIsReadOver() throws {
    let runtime = SimulatedRuntime(seed: 4)
    let server = SimulatedServer(runtime) { try await $0.respond(403) }
    try runtime.run {
      let client = server.connect()
      try await client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n")
      #expect(try await client.readResponse().head.status == 403)
      try await client.send([UInt8](repeating: 65, count: 30_000))
      try await client.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
      #expect(try await client.readResponse().head.headers["connection"] == nil)
      try await client.send("3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try await client.readResponse().head.status == 403)
    }
  }

  @Test(arguments: [true, false])
  func aLargeUnreadBodyClosesTheConnectionAndTheClientSeesWhy(isChunked: Bool) throws {
    let runtime = SimulatedRuntime(seed: 5)
    let server = SimulatedServer(runtime) { try await $0.respond(403) }
    try runtime.run {
      let client = server.connect()
      try await client.send(
        "PUT / HTTP/1.1\r\nHost: a\r\n"
          + (isChunked
            ? "Transfer-Encoding: chunked\r\n\r\n1000000\r\n" : "Content-Length: 16777216\r\n\r\n"))
      let sender = runtime.spawn {
        // Fails once the server no longer reads on.
        try? await client.send([UInt8](repeating: 65, count: 2 << 20))
      }
      let answer = try await client.readToEnd()
      #expect(answer.hasPrefix("HTTP/1.1 403 "))
      #expect(isChunked || answer.contains("\r\nconnection: close\r\n"))
      await sender.value
      client.stream.close()
      try await runtime.sleep(for: .seconds(20))
      #expect(server.metrics.render().contains("http_connections{server=\"http\"} 0"))
    }
  }

  /// A client that sends all of its body before it reads must get to the answer.
  @Test func aClosingConnectionIsReadForAWhile() throws {
    let runtime = SimulatedRuntime(seed: 11)
    let server = SimulatedServer(runtime) { try await $0.respond(403) }
    try runtime.run {
      let client = server.connect()
      try await client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
      for _ in 0..<10 {
        try await runtime.sleep(for: .milliseconds(500))
        try await client.send([UInt8](repeating: 65, count: 100_000))
      }
      #expect(try await client.readToEnd().hasPrefix("HTTP/1.1 403 "))
    }
  }

  @Test func aTruncatedBodyIsAnError() throws {
    let runtime = SimulatedRuntime(seed: 6)
    let notes = Notes()
    let server = SimulatedServer(runtime) { exchange in
      do { _ = try await exchange.body.collect(maxBytes: 100) } catch {
        notes.lines.append("\(error)")
        try await exchange.respond(400)
      }
    }
    for head in ["Content-Length: 5\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n5\r\nabc"] {
      let answer = try runtime.run {
        let client = server.connect()
        try await client.send("PUT / HTTP/1.1\r\nHost: a\r\n\(head)")
        try await client.finish()
        return try await client.readToEnd()
      }
      #expect(answer.contains("\r\nconnection: close\r\n"))
    }
    #expect(notes.lines == ["truncated", "truncated"])
  }

  @Test(arguments: ["z\r\n", "1\r\nab\r\n", "1\nx\r\n", "1;\u{00}\r\n"])
  func aMalformedChunkIsAnErrorAndNothingBehindItIsServed(chunk: String) throws {
    let runtime = SimulatedRuntime(seed: 7)
    let notes = Notes()
    let server = SimulatedServer(runtime) { exchange in
      notes.lines.append(exchange.request.path)
      do { try await echo(exchange) } catch HTTPError.malformed(let rejection) {
        try await exchange.respond(rejection.status)
      }
    }
    let answer = try runtime.run {
      let client = server.connect()
      try await client.send(
        "PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(chunk)0\r\n\r\n"
          + "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
      return try await client.readToEnd()
    }
    #expect(answer.hasPrefix("HTTP/1.1 400 "))
    #expect(answer.contains("\r\nconnection: close\r\n"))
    #expect(notes.lines == ["/a"])
  }

  /// Whether it comes in one piece or in many, and whether anything follows.
  @Test(arguments: [1, 2, 7, 1000])
  func theEndOfAChunkedBodyIsSeenWithoutWaitingForMore(pieceBytes: Int) throws {
    let runtime = SimulatedRuntime(seed: 10)
    let server = SimulatedServer(runtime) { try await echo($0) }
    try runtime.run {
      let start = runtime.now
      let client = server.connect()
      let request = Array(
        "PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
          .utf8)
      for start in stride(from: 0, to: request.count, by: pieceBytes) {
        try await client.send(Array(request[start..<min(start + pieceBytes, request.count)]))
      }
      let response = try await client.readResponse()
      #expect(response.head.status == 200)
      #expect(runtime.now - start < .seconds(10))
    }
  }

  @Test func collectStopsAtItsMaximum() throws {
    let runtime = SimulatedRuntime(seed: 8)
    let notes = Notes()
    let server = SimulatedServer(runtime) { exchange in
      do { _ = try await exchange.body.collect(maxBytes: 4) } catch {
        notes.lines.append("\(error)")
        try await exchange.respond(413)
      }
    }
    try runtime.run {
      let client = server.connect()
      for head in [
        "Content-Length: 5\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
      ] {
        try await client.send("PUT / HTTP/1.1\r\nHost: a\r\n\(head)")
        #expect(try await client.readResponse().head.status == 413)
      }
    }
    #expect(notes.lines == ["bodyTooLarge(maxBytes: 4)", "bodyTooLarge(maxBytes: 4)"])
  }

  /// The server takes no more than its buffer and the pipe hold beyond what the handler has read.
  @Test(arguments: [true, false])
  func aSlowHandlerSlowsTheClient(isChunked: Bool) throws {
    let runtime = SimulatedRuntime(seed: 9)
    let notes = Notes()
    let total = 2 << 20
    let server = SimulatedServer(runtime) { exchange in
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 8192, alignment: 1)
      defer { buffer.deallocate() }
      var read = 0
      while true {
        try await runtime.sleep(for: .milliseconds(10))
        let count = try await exchange.body.read(into: buffer)
        if count == 0 { break }
        read += count
        notes.largest = max(notes.largest, notes.count - read)
      }
      try await exchange.respond(200, body: Array("\(read)".utf8))
    }
    try runtime.run {
      let client = server.connect()
      try await client.send(
        "PUT / HTTP/1.1\r\nHost: a\r\n"
          + (isChunked ? "Transfer-Encoding: chunked\r\n\r\n" : "Content-Length: \(total)\r\n\r\n"))
      let piece = [UInt8](repeating: 65, count: 16 << 10)
      for _ in 0..<(total / piece.count) {
        if isChunked { try await client.send("4000\r\n") }
        try await client.send(piece)
        if isChunked { try await client.send("\r\n") }
        notes.count += piece.count
      }
      if isChunked { try await client.send("0\r\n\r\n") }
      #expect(try await client.readResponse().body == "\(total)")
    }
    #expect(notes.largest < 160 << 10)
  }

  /// The handler is let go on only as the client reads.
  @Test(arguments: [true, false])
  func aSlowClientSlowsTheHandler(isChunked: Bool) throws {
    let runtime = SimulatedRuntime(seed: 10)
    let notes = Notes()
    let total = 2 << 20
    let piece = 256 << 10
    let server = SimulatedServer(runtime) { exchange in
      let response = try await exchange.beginResponse(
        200, contentLength: isChunked ? nil : UInt64(total))
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: piece, alignment: 1)
      defer { buffer.deallocate() }
      for _ in 0..<(total / piece) {
        try await response.write(UnsafeRawBufferPointer(buffer))
        notes.count += piece
      }
      try await response.finish()
    }
    try runtime.run {
      let client = server.connect()
      try await client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 8192, alignment: 1)
      defer { buffer.deallocate() }
      var read = 0
      while true {
        try await runtime.sleep(for: .milliseconds(10))
        let count = try await client.stream.read(into: buffer, deadline: .distantFuture)
        if count == 0 { break }
        read += count
        notes.largest = max(notes.largest, notes.count - read)
      }
      #expect(read > total)
      #expect(notes.count == total)
    }
    #expect(notes.largest < 80 << 10)
  }
}
