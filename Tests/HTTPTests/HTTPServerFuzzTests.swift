// Random bytes on whole connections: whatever a client sends, the server answers with whole responses,
// closes, and has nothing left.

import Base
import HTTP
import Reactor
import SimulatedWorld
import Testing

@Suite struct HTTPServerFuzzTests {
  private static let samples = [
    "GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
    "PUT /b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "PUT /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx: y\r\n\r\n",
    "PUT /d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
    "HEAD /e HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
  ]

  private func conversation(_ random: SeededRandom) -> [UInt8] {
    var bytes: [UInt8] = []
    for _ in 0...random.below(5) { bytes += Array(Self.samples[random.below(5)].utf8) }
    for _ in 0..<random.below(4) {
      let position = random.below(bytes.count)
      switch random.below(3) {
      case 0: bytes[position] = UInt8(truncatingIfNeeded: random.next())
      case 1: bytes.remove(at: position)
      default: bytes.insert(Array("\r\n :;0".utf8)[random.below(6)], at: position)
      }
    }
    return bytes
  }

  @Test(arguments: UInt64(1)...200)
  func everyConversationEnds(seed: UInt64) throws {
    let runtime = SimulatedRuntime(seed: seed)
    let random = SeededRandom(seed: seed)
    let server = SimulatedServer(runtime) { exchange in
      switch random.below(4) {
      case 0: try await exchange.respond(403)
      case 1:
        let response = try await exchange.beginResponse(200, contentLength: nil)
        try await response.write(Array(exchange.request.target.utf8))
        try await response.finish()
      default: try await echo(exchange)
      }
    }
    let bytes = conversation(random)
    var pipe = SimulatedPipeOptions()
    if random.below(4) == 0 { pipe.cutAfterBytes = 1 + random.below(bytes.count + 500) }
    let options = pipe
    let answer = try runtime.run {
      let client = server.connect(options)
      let sender = runtime.spawn {
        try? await client.send(bytes)
        try? await client.finish()
      }
      let answer = (try? await client.readToEnd()) ?? "cut"
      client.stream.close()
      await sender.value
      await server.server.shutdown(grace: .seconds(100))
      return answer
    }
    #expect(answer.isEmpty || answer == "cut" || answer.hasPrefix("HTTP/1.1 "), "seed \(seed)")
    let page = server.metrics.render()
    #expect(page.contains("http_connections{server=\"http\"} 0"), "seed \(seed)")
    #expect(page.contains("http_requests_in_flight{server=\"http\"} 0"), "seed \(seed)")
  }
}
