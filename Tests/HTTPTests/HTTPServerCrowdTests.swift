// More connections, and more held for them, than the server has room for.

import Base
import HTTP
import Reactor
import SimulatedWorld
import Testing

@Suite struct HTTPServerCrowdTests {
  private static let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
  private static let half = "GET / HTTP/1.1\r\nHost: a\r\nX-A: "

  private func options(connectionsMax: Int = 100, heldBytesMax: Int = 32 << 20)
    -> HTTPServer.Options
  {
    var options = HTTPServer.Options()
    options.connectionsMax = connectionsMax
    options.heldBytesMax = heldBytesMax
    return options
  }

  @Test(arguments: UInt64(1)...10)
  func aNewcomerGetsThePlaceOfTheLongestIdle(seed: UInt64) throws {
    let runtime = SimulatedRuntime(seed: seed)
    let server = SimulatedServer(runtime, options: options(connectionsMax: 3)) {
      try await echo($0)
    }
    try runtime.run {
      var clients: [RawClient] = []
      for _ in 0..<3 {
        clients.append(server.connect())
        try await runtime.sleep(for: .seconds(1))
      }
      // The first has now waited the shortest.
      try await clients[0].send(Self.get)
      #expect(try await clients[0].readResponse().head.status == 200)
      let newcomer = server.connect()
      try await newcomer.send(Self.get)
      #expect(try await newcomer.readResponse().head.status == 200)
      #expect(try await clients[1].readToEnd() == "")
      for client in [clients[0], clients[2]] {
        try await client.send(Self.get)
        #expect(try await client.readResponse().head.status == 200)
      }
      #expect(
        server.metrics.render().contains("http_connections_crowded_out_total{server=\"http\"} 1"))
    }
  }

  @Test func aHandshakeThatDoesNotEndKeepsNobodyOut() throws {
    let runtime = SimulatedRuntime(seed: 1)
    let server = SimulatedServer(runtime, options: options(connectionsMax: 1)) {
      try await echo($0)
    }
    try runtime.run {
      let pipe = SimulatedPipe(runtime)
      let silent = runtime.spawn {
        await server.server.serve(pipe.second) { stream in
          try await stream.waitUntilReadable(deadline: .distantFuture)
          return stream
        }
      }
      try await runtime.sleep(for: .seconds(1))
      let client = server.connect()
      try await client.send(Self.get)
      #expect(try await client.readResponse().head.status == 200)
      await silent.value
    }
  }

  @Test func halvesOfHeadsHaveSoMuchMemoryAndNoMore() throws {
    let runtime = SimulatedRuntime(seed: 2)
    let room = options(heldBytesMax: 4 * BufferPool.bufferBytes + 8192)
    let server = SimulatedServer(runtime, options: room) { try await echo($0) }
    try runtime.run {
      let idle = server.connect()
      var clients: [RawClient] = []
      for _ in 0..<5 {
        clients.append(server.connect())
        try await clients[clients.count - 1].send(Self.half)
        try await runtime.sleep(for: .seconds(1))
      }
      #expect(try await clients[0].readToEnd() == "")
      for client in clients[2...] {
        try await client.send("b\r\n\r\n")
        #expect(try await client.readResponse().head.status == 200)
      }
      try await idle.send(Self.get)
      #expect(try await idle.readResponse().head.status == 200)
    }
  }

  @Test func answersThatAreNotReadHaveSoMuchMemoryAndNoMore() throws {
    let runtime = SimulatedRuntime(seed: 3)
    let server = SimulatedServer(runtime, options: options(heldBytesMax: 3 << 20)) { exchange in
      let size = exchange.request.path == "/large" ? 1 << 20 : 1
      try await exchange.respond(200, body: [UInt8](repeating: 65, count: size))
    }
    try runtime.run {
      var clients: [RawClient] = []
      for _ in 0..<6 {
        clients.append(server.connect())
        try await clients[clients.count - 1].send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        try await runtime.sleep(for: .seconds(1))
      }
      #expect(try await clients[0].readToEnd().utf8.count < 1 << 20)
      #expect(try await clients[5].readResponse().body.utf8.count == 1 << 20)
      let other = server.connect()
      try await other.send(Self.get)
      #expect(try await other.readResponse().head.status == 200)
      for client in clients { client.stream.close() }
    }
  }

  @Test func aBodyThatIsCollectedCounts() throws {
    let runtime = SimulatedRuntime(seed: 4)
    let server = SimulatedServer(runtime, options: options(heldBytesMax: 1 << 20)) {
      try await echo($0)
    }
    let body = String(repeating: "b", count: 400 << 10)
    try runtime.run {
      var clients: [RawClient] = []
      for _ in 0..<3 {
        clients.append(server.connect())
        try await clients[clients.count - 1].send(
          "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count + 1)\r\n\r\n\(body)")
        try await runtime.sleep(for: .seconds(1))
      }
      #expect(try await clients[0].readToEnd() == "")
      try await clients[2].send("b")
      #expect(try await clients[2].readResponse().head.status == 200)
      for client in clients { client.stream.close() }
    }
  }
}
