// Meshes over a network that breaks: what arrives on a stream is what was sent, in order, once.

import Base
import Crypto
import Mesh
import Reactor
import SimulatedWorld
import Testing

@Suite struct MeshOrderPropertyTests {
  @Test("nothing is delivered twice or out of order", arguments: 1...8 as ClosedRange<UInt64>)
  func order(seed: UInt64) throws {
    try SimulatedRuntime.withWorld(seed: seed) { world in
      let ledger = StreamLedger()
      let nodes = try (0..<3).map { try OrderNode(world, "m\($0)", ledger) }
      for node in nodes { await node.start(among: nodes) }
      try await world.sleep(for: .seconds(2))
      for node in nodes { node.sends(to: nodes, ledger) }
      for _ in 0..<25 {
        try await world.sleep(
          for: world.worldRandom.duration(in: .milliseconds(200) ... .seconds(4)))
        disturb(world)
      }
      world.net.heal()
      try await world.sleep(for: .seconds(60))
      #expect(ledger.failures.isEmpty, "seed \(seed): \(ledger.failures)")
      #expect(ledger.complete > 20 && ledger.cutShort > 0, "\(ledger.complete), \(ledger.cutShort)")
    }
  }

  /// Short cuts stall connections, long ones end them.
  private func disturb(_ world: SimulatedRuntime) {
    let place = world.worldRandom.below(3)
    let (first, second) = (world.hosts[place], world.hosts[(place + 1) % 3])
    switch world.worldRandom.below(4) {
    case 0: world.net.cut(from: first, to: second)
    case 1: world.net.reset(first, second)
    default: world.net.heal()
    }
  }
}

/// What was sent and what came.
final class StreamLedger: @unchecked Sendable {
  // Safe because only the world's one thread touches it.

  private var nextTag: UInt64 = 0
  private var begun: Set<UInt64> = []
  /// Streams whose answer confirms all their bytes, and those that were received in part.
  var complete = 0
  var cutShort = 0
  var failures: [String] = []

  func newTag() -> UInt64 {
    nextTag += 1
    return nextTag
  }

  /// A stream has come.
  func begin(_ tag: UInt64) {
    if !begun.insert(tag).inserted { failures.append("stream \(tag) came twice") }
  }

  /// Random bytes, in which the stream `tag` has a place of its own.
  private static let table = SeededRandom(seed: 2).bytes(64 << 10)

  /// What the stream `tag` has in a range of its first 30,000 bytes.
  static func bytes(_ tag: UInt64, _ range: Range<Int>) -> ArraySlice<UInt8> {
    let place = Int(tag &* 7 % 30_000)
    return table[place + range.lowerBound..<place + range.upperBound]
  }
}

/// A mesh on a host, which sends to the others all the time.
private final class OrderNode: Sendable {
  static let streamBytesMax = 30_000
  private static let cluster = ClusterID(random: SeededRandom(seed: 1))

  let host: SimulatedHost
  let mesh: NodeMesh
  private let delegate = SilentDelegate()

  init(_ world: SimulatedRuntime, _ name: String, _ ledger: StreamLedger) throws {
    let host = world.addHost(name)
    self.host = host
    let seed = host.random.bytes(Ed25519PrivateKey.keyBytes)
    let key = try #require(Ed25519PrivateKey(seed: seed))
    let endpoints = EndpointRegistry { registry in
      registry.stream("test/order") { try await Self.receive($0, ledger, host.random) }
    }
    mesh = try NodeMesh(
      NodeMesh.Options(bind: .ipv4(address: 0, port: 3901)),
      own: try #require(NodeID(key.publicKey)), seed: seed, endpoints: endpoints, database: nil,
      network: host.network, runtime: host, metrics: MetricsRegistry(), logger: .disabled)
  }

  func start(among nodes: [OrderNode]) async {
    for node in nodes {
      let address = HostAndPort(parsing: "\(node.host.addresses[0].host):3901")
      mesh.addresses.tell([address].compactMap(\.self), of: node.mesh.own)
    }
    host.start { [mesh, delegate] _ in
      mesh.start(delegate)
      mesh.update(cluster: Self.cluster, members: nodes.map(\.mesh.own))
    }
  }

  private static func receive(
    _ stream: MeshStream, _ ledger: StreamLedger, _ random: any RandomSource
  ) async throws {
    let tag = try #require(UInt64(bigEndianBytes: try await stream.readExactly(8)))
    ledger.begin(tag)
    var position = 0
    do {
      while true {
        let piece = try await stream.read(max: 1 + random.below(5000))
        if piece.isEmpty { break }
        let end = position + piece.count
        if end > streamBytesMax || piece[...] != StreamLedger.bytes(tag, position..<end) {
          ledger.failures.append("stream \(tag) is wrong behind byte \(position)")
          return
        }
        position = end
      }
    } catch {
      ledger.cutShort += 1
      throw error
    }
    try await stream.write(UInt64(position).bigEndianBytes, isEnd: true)
  }

  /// Sends streams, three at a time, to whoever is connected.
  func sends(to nodes: [OrderNode], _ ledger: StreamLedger) {
    let peers = nodes.map(\.mesh.own).filter { $0 != mesh.own }
    for _ in 0..<3 {
      host.spawn { [self] in
        for _ in 0..<30 {
          do {
            try await host.sleep(for: .milliseconds(host.random.below(1000)))
            try await sendOne(peers[host.random.below(peers.count)], ledger)
          } catch {}
        }
      }
    }
  }

  private func sendOne(_ peer: NodeID, _ ledger: StreamLedger) async throws {
    let tag = ledger.newTag()
    let lane: MeshLane = host.random.below(2) == 0 ? .control : .bulk
    let stream = try await mesh.open(
      "test/order", lane: lane, peer, first: tag.bigEndianBytes, isEnd: false,
      deadline: host.now + .seconds(30))
    let total = host.random.below(Self.streamBytesMax)
    var sent = 0
    while sent < total {
      let end = min(total, sent + 1 + host.random.below(4000))
      try await stream.write(Array(StreamLedger.bytes(tag, sent..<end)))
      sent = end
      try await host.sleep(for: .milliseconds(host.random.below(200)))
    }
    try await stream.finish()
    let answer = UInt64(bigEndianBytes: try await stream.readExactly(8))
    if answer != UInt64(total) { ledger.failures.append("stream \(tag) has lost bytes") }
    ledger.complete += 1
  }
}
