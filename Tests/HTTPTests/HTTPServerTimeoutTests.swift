// What is slow, too many or has to stop, in virtual time.

import Base
import HTTP
import Reactor
import SimulatedWorld
import Testing

@Suite struct HTTPServerTimeoutTests {
  @Test func anIdleConnectionIsClosed() throws {
    let runtime = SimulatedRuntime(seed: 1)
    let server = SimulatedServer(runtime) { try await echo($0) }
    try runtime.run {
      let client = server.connect()
      try await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      _ = try await client.readResponse()
      let start = runtime.elapsed
      #expect(try await client.readToEnd() == "")
      let waited = runtime.elapsed - start
      #expect(waited > .seconds(119) && waited < .seconds(121))
    }
  }

  @Test func aHeadThatTakesTooLongIsAnswered408() throws {
    let runtime = SimulatedRuntime(seed: 2)
    let server = SimulatedServer(runtime) { try await echo($0) }
    try runtime.run {
      let client = server.connect()
      let sender = runtime.spawn {
        for byte in "GET / HTTP/1.1\r\nHost: aaaaaaaaaaaaaaaaaaaaaaaaa".utf8 {
          try? await client.send([byte])
          try? await runtime.sleep(for: .seconds(1))
        }
      }
      let answer = try await client.readToEnd()
      #expect(answer.hasPrefix("HTTP/1.1 408 "))
      #expect(runtime.elapsed > .seconds(19) && runtime.elapsed < .seconds(22))
      client.stream.close()
      await sender.value
    }
  }

  @Test func aBodyThatStallsTimesOut() throws {
    let runtime = SimulatedRuntime(seed: 3)
    let notes = Notes()
    let server = SimulatedServer(runtime) { exchange in
      do { try await echo(exchange) } catch {
        notes.lines.append("\(type(of: error)).\(error)")
        try await exchange.respond(400)
      }
    }
    try runtime.run {
      let client = server.connect()
      try await client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
      #expect(try await client.readToEnd().hasPrefix("HTTP/1.1 400 "))
      #expect(runtime.elapsed > .seconds(59) && runtime.elapsed < .seconds(65))
    }
    #expect(notes.lines == ["HTTPError.timedOut"])
  }

  @Test func aConnectionThatBreaksInABodyTruncatesIt() throws {
    let runtime = SimulatedRuntime(seed: 8)
    let notes = Notes()
    let server = SimulatedServer(runtime) { exchange in
      do { try await echo(exchange) } catch { notes.lines.append("\(type(of: error)).\(error)") }
    }
    try runtime.run {
      for framing in ["Content-Length: 5000", "Transfer-Encoding: chunked"] {
        var options = SimulatedPipeOptions()
        let head = "PUT / HTTP/1.1\r\nHost: a\r\n\(framing)\r\n\r\n"
        options.cutAfterBytes = head.utf8.count + 1
        let client = server.connect(options)
        try await client.send(head)
        try await runtime.sleep(for: .seconds(1))
        try await client.send("1")
        try await runtime.sleep(for: .seconds(1))
      }
    }
    #expect(notes.lines == ["HTTPError.truncated", "HTTPError.truncated"])
  }

  @Test func aBodyThatDripsTimesOut() throws {
    let runtime = SimulatedRuntime(seed: 4)
    let notes = Notes()
    let server = SimulatedServer(runtime) { exchange in
      do { try await echo(exchange) } catch {
        notes.lines.append("\(error) after \(runtime.elapsed.components.seconds / 10 * 10) s")
      }
    }
    try runtime.run {
      let client = server.connect()
      try await client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
      for _ in 0..<200 {
        do { try await client.send("a") } catch { break }
        try await runtime.sleep(for: .seconds(1))
      }
    }
    #expect(notes.lines == ["timedOut after 60 s"])
  }

  @Test func aBodyAboveTheLeastRateMayTakeLong() throws {
    let runtime = SimulatedRuntime(seed: 5)
    let server = SimulatedServer(runtime) { try await echo($0) }
    try runtime.run {
      let client = server.connect()
      let piece = [UInt8](repeating: 65, count: 10 << 10)
      try await client.send(
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: \(piece.count * 60)\r\n\r\n")
      for _ in 0..<60 {
        try await client.send(piece)
        try await runtime.sleep(for: .seconds(10))
      }
      #expect(try await client.readResponse().head.status == 200)
      #expect(runtime.elapsed >= .seconds(600))
    }
  }

  @Test func aClientThatDoesNotReadIsCutOff() throws {
    let runtime = SimulatedRuntime(seed: 6)
    let notes = Notes()
    let server = SimulatedServer(runtime) { exchange in
      do { try await exchange.respond(200, body: [UInt8](repeating: 65, count: 1 << 20)) } catch {
        notes.lines.append(
          "\(type(of: error)).\(error) after \(runtime.elapsed.components.seconds) s")
      }
    }
    try runtime.run {
      let client = server.connect()
      try await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      try await runtime.sleep(for: .seconds(100))
      #expect(server.metrics.render().contains("http_connections{server=\"http\"} 0"))
    }
    #expect(notes.lines == ["HTTPError.timedOut after 60 s"])
  }

  @Test func tooManyConnectionsAreTold() throws {
    let runtime = SimulatedRuntime(seed: 7)
    var options = HTTPServer.Options()
    options.connectionsMax = 2
    let server = SimulatedServer(runtime, options: options) { exchange in
      try await runtime.sleep(for: .seconds(2))
      try await echo(exchange)
    }
    try runtime.run {
      // Both have a request under way, which is not ended for anybody.
      let clients = [server.connect(), server.connect()]
      for client in clients { try await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n") }
      try await runtime.sleep(for: .seconds(1))
      let answer = try await server.connect().readToEnd()
      #expect(answer.hasPrefix("HTTP/1.1 503 "))
      for client in clients { #expect(try await client.readResponse().head.status == 200) }
      let next = server.connect()
      try await next.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try await next.readResponse().head.status == 200)
    }
  }

  @Test(arguments: UInt64(1)...10)
  func aShutdownClosesIdleConnectionsAndLetsRunningExchangesFinish(seed: UInt64) throws {
    let runtime = SimulatedRuntime(seed: seed)
    let server = SimulatedServer(runtime) { exchange in
      try await runtime.sleep(for: .seconds(3))
      try await echo(exchange)
    }
    try runtime.run {
      let idle = server.connect()
      let busy = server.connect()
      try await busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
      try await runtime.sleep(for: .seconds(1))
      let start = runtime.elapsed
      let stopping = runtime.spawn { await server.server.shutdown(grace: .seconds(10)) }
      #expect(try await idle.readToEnd() == "")
      #expect(runtime.elapsed - start < .seconds(1))
      let answer = try await busy.readToEnd()
      #expect(answer.components(of: "HTTP/1.1 200") == 1, "seed \(seed)")
      #expect(answer.contains("\r\nconnection: close\r\n"))
      busy.stream.close()
      await stopping.value
      #expect(runtime.elapsed - start < .seconds(5))
      #expect(try await server.connect().readToEnd().hasPrefix("HTTP/1.1 503 "))
    }
  }

  /// Its head said that the connection persists; the connection closes nevertheless, without waiting.
  @Test func aResponseUnderWayDuringAShutdownIsTheLast() throws {
    let runtime = SimulatedRuntime(seed: 10)
    let server = SimulatedServer(runtime) { exchange in
      let response = try await exchange.beginResponse(200, contentLength: 2)
      try await response.write([65])
      try await runtime.sleep(for: .seconds(2))
      try await response.write([66])
      try await response.finish()
    }
    try runtime.run {
      let client = server.connect()
      try await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      try await runtime.sleep(for: .seconds(1))
      await server.server.shutdown(grace: .seconds(10))
      #expect(runtime.elapsed < .seconds(3))
      let answer = try await client.readToEnd()
      #expect(answer.hasSuffix("AB"))
      #expect(!answer.contains("connection: close"))
    }
  }

  @Test func aShutdownCutsOffWhatOutlastsTheGrace() throws {
    let runtime = SimulatedRuntime(seed: 8)
    let notes = Notes()
    let server = SimulatedServer(runtime) { exchange in
      do { try await runtime.sleep(for: .seconds(1000)) } catch {
        notes.lines.append("\(type(of: error))")
      }
    }
    try runtime.run {
      let client = server.connect()
      try await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      try await runtime.sleep(for: .seconds(1))
      let start = runtime.elapsed
      await server.server.shutdown(grace: .seconds(5))
      let waited = runtime.elapsed - start
      #expect(waited >= .seconds(5) && waited <= .seconds(6))
    }
    #expect(notes.lines == ["CancellationError"])
  }

  @Test func aShutdownSaysWhetherAHandlerStillRuns() throws {
    for (work, isQuiet) in [(Duration.seconds(100), false), (.milliseconds(5500), true)] {
      let runtime = SimulatedRuntime(seed: 11)
      let server = SimulatedServer(runtime) { _ in
        // A call that blocks is not cut short.
        await runtime.spawn { try? await runtime.sleep(for: work) }.value
      }
      try runtime.run {
        let client = server.connect()
        try await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        try await runtime.sleep(for: .milliseconds(100))
        #expect(await server.server.shutdown(grace: .seconds(5)) == isQuiet)
        #expect(runtime.elapsed < .seconds(7))
      }
    }
  }

  @Test func cancellingTheServingTaskEndsTheConnection() throws {
    let runtime = SimulatedRuntime(seed: 9)
    let server = SimulatedServer(runtime) { try await echo($0) }
    let pipe = SimulatedPipe(runtime)
    try runtime.run {
      let serving = runtime.spawn { await server.server.serve(pipe.second, isTLS: false) }
      try await runtime.sleep(for: .seconds(1))
      serving.cancel()
      await serving.value
      #expect(runtime.elapsed < .seconds(2))
    }
  }
}
