// A production node on a simulated host: what users run, reached as they reach it.

import Base
import Cluster
import Codecs
import Daemon
import Glibc
import HTTP
import Mesh
import Reactor
import SimulatedWorld

/// A node, through all its lives.
final class SimulatedNode: @unchecked Sendable {
  // Safe because only the world's one thread touches it.

  /// Where nodes listen for each other.
  static let port: UInt16 = 3901

  let host: SimulatedHost
  /// The token that it is started with.
  var token: String?
  /// More variables of its environment: settings, as an operator of a container gives them.
  var variables: [String: String] = [:]
  /// Whether the token was no good from the beginning.
  var hasBadToken = false
  /// What it announces as its public address.
  let publicAddress: String?
  /// Whether members elsewhere can dial it.
  let isReachable: Bool
  /// The node of the present life; `nil` before it has started.
  private(set) var running: RunningNode?
  /// Why it did not start.
  private(set) var failure: String?
  private(set) var lives = 0
  private(set) var deaths = 0
  /// Its key, once it has started.
  private(set) var id: NodeID?

  init(_ host: SimulatedHost, publicAddress: String? = nil, isReachable: Bool = true) {
    self.host = host
    self.publicAddress = publicAddress
    self.isReachable = isReachable
  }

  var name: String { host.name }
  var isStarting: Bool { host.state == .running && running == nil && failure == nil }
  var isRunning: Bool { host.state == .running && running != nil }

  // MARK: Lives

  func start() {
    guard host.state != .running || lives == 0 else { return }
    lives += 1
    failure = nil
    host.start { [self] _ in await live() }
  }

  private func live() async {
    do {
      let node = try production()
      let started = try await node.start()
      running = started
      id = started.cluster.own
    } catch { failure = "\(error)" }
  }

  func kill() {
    running = nil
    deaths += 1
    host.kill()
  }

  func cutPower() {
    running = nil
    deaths += 1
    host.cutPower()
  }

  private func production() throws -> Node {
    var variables = [
      "GRANGE_CONFIG": "/dev/null", "GRANGE_NODE_NAME": name, "GRANGE_ZONE": "home",
      // What is free on the machine of the test must not decide anything.
      "GRANGE_CAPACITY": "1G",
    ]
    variables["GRANGE_RPC_PUBLIC_ADDRESSES"] = publicAddress
    variables.merge(self.variables) { $1 }
    let loaded = try ConfigurationLoader.load(
      ConfigurationSources(dataFlag: host.folder, environment: variables))
    var platform = NodePlatform(runtime: host, network: host.network) { [host] in
      host.databaseOptions(path: $0)
    }
    platform.reserve = .bytes(0)
    platform.hasClockOfFiles = false
    platform.log = Self.log
    return Node(
      configuration: loaded, environment: variables, isQuickstart: false, joinToken: token,
      instructions: CommandInstructions(), platform: platform, announce: { _ in })
  }

  /// With `GRANGE_SIM_LOG=1` everything that nodes log.
  private static let log =
    getenv("GRANGE_SIM_LOG") == nil ? LogOutput.none : LogOutput(level: .debug, format: .plain)

  // MARK: Requests

  /// An answer to a request.
  struct Answer: Sendable {
    var status: Int
    var body: JSON
  }

  /// Sends a command to the node, on its host.
  ///
  /// - Throws: `HostDied`, `StreamError`, `HTTPError`.
  func admin(_ method: String, _ target: String, _ body: JSON? = nil) async throws -> Answer {
    let path = host.folder + "/meta/admin.sock"
    return try await request(method, .unix(path: path), .unix(path: path), target, body)
  }

  /// What the node says to an S3 client that has no key.
  func s3() async throws -> Int {
    let address = SocketAddress.ipv4(address: 0x7F00_0001, port: 3900)
    return try await request("GET", .tcp(host: "127.0.0.1", port: 3900), address, "/b/k", nil)
      .status
  }

  private func request(
    _ method: String, _ endpoint: HTTPEndpoint, _ address: SocketAddress, _ target: String,
    _ body: JSON?
  ) async throws -> Answer {
    try await host.run { [host] in
      var options = HTTPClient.Options()
      options.lane = { 0 }
      let client = HTTPClient(options: options, runtime: host) { _, deadline in
        try await host.network.connect(to: address, deadline: deadline)
      }
      let bytes = body.map { $0.bytes() } ?? []
      let response = try await client.request(method, endpoint, target, body: .bytes(bytes))
      let answer = try await response.collect(maxBytes: 1 << 20)
      client.close()
      return Answer(status: response.status, body: (try? JSON.parse(answer)) ?? .null)
    }
  }

  // MARK: What it believes

  /// Whether it takes itself for a member.
  var isMember: Bool { isRunning && running?.cluster.standing == .member }

  /// The members, as it sees them, ascending.
  var members: [NodeID] { (running?.cluster.members ?? []).map(\.node).sorted() }

  /// Whether it has a connection to `other`.
  func isConnected(to other: SimulatedNode) -> Bool {
    guard isRunning, let running, let id = other.id else { return false }
    return running.mesh.connected.contains(id)
  }
}
