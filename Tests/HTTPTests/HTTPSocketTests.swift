// Server and client over real sockets.

import Base
import HTTP
import Reactor
import Testing

@Suite struct HTTPSocketTests {
  private struct Echo: HTTPHandler {
    func handle(_ exchange: HTTPExchange) async { try? await echo(exchange) }
  }

  @Test func serverAndClientAgreeOverTCP() throws {
    let group = EventLoopGroup(loopCount: 2, blockingThreads: 1)
    let code = group.run {
      do {
        let listener = try Listener.tcp(host: "127.0.0.1", port: 0)
        let server = HTTPServer(
          options: .init(), runtime: group, handler: Echo(), metrics: MetricsRegistry(),
          logger: .disabled)
        let serving = group.spawn {
          await listener.serve(on: group, limit: 100) { await server.serve($0, isTLS: false) }
        }
        let client = HTTPClient(group: group)
        let endpoint = HTTPEndpoint.tcp(
          host: "127.0.0.1", port: listener.localAddress.port ?? 0)
        let content = [UInt8](repeating: 65, count: 1 << 20)
        let tasks = group.loops.flatMap { loop in
          (0..<8).map { number in
            group.spawn(on: loop) {
              for _ in 0..<3 {
                do {
                  let response = try await client.request(
                    "PUT", endpoint, "/\(number)", body: .bytes(content))
                  let body = try await response.collect(maxBytes: content.count + 100)
                  #expect(body == Array("PUT /\(number) ".utf8) + content)
                } catch { Issue.record("\(error)") }
              }
            }
          }
        }
        for task in tasks { await task.value }
        listener.close()
        await server.shutdown(grace: .seconds(5))
        await serving.value
        return 0
      } catch {
        Issue.record("\(error)")
        return 1
      }
    }
    #expect(code == 0)
  }
}
