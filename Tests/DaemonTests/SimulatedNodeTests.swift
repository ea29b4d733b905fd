import APICommon
import AdminAPI
import Base
import Codecs
import Daemon
import HTTP
import Reactor
import SimulatedWorld
import Testing

/// The node that users run, in the simulated world.
@Suite("Node in the simulated world")
struct SimulatedNodeTests {
  private static let keyID = "GK0123456789abcdef01234567"
  private static let secret = "a-secret-of-its-own"

  /// A machine with one node.
  private final class World: Sendable {
    let runtime: SimulatedRuntime
    let client: HTTPClient
    private let host: SimulatedHost

    init(seed: UInt64) {
      let runtime = SimulatedRuntime(seed: seed)
      let host = runtime.addHost("node")
      self.runtime = runtime
      self.host = host
      var options = HTTPClient.Options()
      options.lane = { 0 }
      client = HTTPClient(options: options, runtime: runtime) { endpoint, deadline in
        let address: SocketAddress? =
          switch endpoint {
          case .tcp(let host, let port), .tls(let host, let port):
            SocketAddress(ip: host, port: port)
          case .unix(let path): .unix(path: path)
          }
        return try await host.network.connect(to: try #require(address), deadline: deadline)
      }
    }

    deinit { runtime.takeApart() }

    var adminSocket: HTTPEndpoint { .unix(path: host.folder + "/meta/admin.sock") }

    func start() async throws -> RunningNode {
      let variables = [
        "GRANGE_CONFIG": "/dev/null", "GRANGE_S3_BIND": "127.0.0.1:3900",
        "GRANGE_LOG_LEVEL": "error", "GRANGE_DEFAULT_ACCESS_KEY": keyID,
        "GRANGE_DEFAULT_SECRET_KEY": secret, "GRANGE_DEFAULT_BUCKET": "first",
      ]
      let loaded = try ConfigurationLoader.load(
        ConfigurationSources(dataFlag: host.folder, environment: variables))
      var platform = NodePlatform(runtime: host, network: host.network) { [host] in
        host.databaseOptions(path: $0)
      }
      platform.reserve = .bytes(0)
      platform.hasClockOfFiles = false
      let node = Node(
        configuration: loaded, environment: variables, isQuickstart: false,
        instructions: CommandInstructions(), platform: platform, announce: { _ in })
      return try await host.run { try await node.start() }
    }

    /// Sends a signed request.
    func s3(
      _ method: String, _ target: String, _ body: [UInt8] = []
    ) async throws -> (status: Int, body: [UInt8]) {
      var headers: HTTPHeaders = ["Host": "127.0.0.1:3900"]
      RequestSigner(accessKeyID: keyID, secret: secret, region: "grange").sign(
        method: method, target: try RequestTarget(HTTPRequestHead(method: method, target: target)),
        headers: &headers, at: runtime.wallNow)
      let response = try await client.request(
        method, .tcp(host: "127.0.0.1", port: 3900), target, headers: headers, body: .bytes(body))
      return (response.status, try await response.collect(maxBytes: 64 << 20))
    }

    func admin(_ target: String) async throws -> JSON {
      let response = try await client.request("GET", adminSocket, target)
      #expect(response.status == 200)
      return try JSON.parse(try await response.collect(maxBytes: 1 << 20))
    }
  }

  /// Objects come back, also after a restart; returns what the runtime did.
  private func life(seed: UInt64) throws -> UInt64 {
    let world = World(seed: seed)
    try world.runtime.run {
      let small = Array("hello".utf8)
      // Three blocks and a part of one.
      let large = world.runtime.worldRandom.bytes(3_500_000)
      let first = try await world.start()
      #expect(try await world.s3("PUT", "/first/small", small).status == 200)
      #expect(try await world.s3("PUT", "/first/large", large).status == 200)
      #expect(try await world.s3("GET", "/first/small").body == small)
      let status = try await world.admin("/v2/GetClusterStatus")
      #expect(status["nodes"]?[0]?["isUp"] == true)
      #expect(try await world.admin("/v2/ListBuckets").array?.count == 1)
      await first.stop(grace: .seconds(1))
      await #expect(throws: StreamError.self) { try await world.s3("GET", "/first/small") }

      let second = try await world.start()
      #expect(try await world.s3("GET", "/first/small").body == small)
      #expect(try await world.s3("GET", "/first/large").body == large)
      #expect(try await world.s3("GET", "/first/none").status == 404)
      await second.stop(grace: .seconds(1))
    }
    return world.runtime.fingerprint
  }

  @Test("serves S3 and commands, stops, and starts again on its folder")
  func serves() throws {
    for seed: UInt64 in 1...3 { _ = try life(seed: seed) }
  }

  @Test("does the same steps again with the same seed")
  func replays() throws {
    #expect(try life(seed: 4) == life(seed: 4))
  }
}
