// Meshes over real sockets of this machine.

import Base
import Codecs
import Crypto
import Mesh
import Reactor
import Synchronization
import Testing

@Suite(.serialized, .timeLimit(.minutes(1))) struct MeshSocketTests {
  @Test func threeNodesConnectAndAskEachOther() throws {
    try LiveMesh.run(3) { nodes in
      try await nodes.untilConnected()
      for node in nodes.all {
        for other in nodes.all where other.own != node.own {
          let answer: Text = try await node.mesh.call(
            LiveMesh.greet, other.own, Text("hello"), deadline: node.mesh.in(.seconds(5)))
          #expect(
            answer.text == "hello \(node.own.hex.prefix(4)), here is \(other.own.hex.prefix(4))")
        }
      }
    }
  }

  @Test func largeBodiesComeThroughWhole() throws {
    try LiveMesh.run(2) { nodes in
      try await nodes.untilConnected()
      let body = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      let mesh = nodes.all[0].mesh
      let stream = try await mesh.open(
        "test/echo", lane: .bulk, nodes.all[1].own, first: [], isEnd: false,
        deadline: mesh.in(.seconds(20)))
      async let writing: Void = stream.write(body, isEnd: true)
      var received: [UInt8] = []
      while true {
        let piece = try await stream.read(max: 100_000)
        if piece.isEmpty { break }
        received += piece
      }
      try await writing
      #expect(received == body)
    }
  }

  @Test func aNodeThatStopsIsMissed() throws {
    try LiveMesh.run(3) { nodes in
      try await nodes.untilConnected()
      await nodes.all[2].mesh.stop()
      try await nodes.until { nodes.all[0].mesh.connected == [nodes.all[1].own] }
    }
  }

  @Test func unknownEndpointsAndFailuresAreErrorsOfTheirOwn() throws {
    try LiveMesh.run(2) { nodes in
      try await nodes.untilConnected()
      let (mesh, other) = (nodes.all[0].mesh, nodes.all[1].own)
      let unknown = MeshEndpoint<Text, Text>("test/unknown", bytesMax: 100)
      await #expect(
        throws: MeshError.reset(.unknownEndpoint, "the endpoint test/unknown is unknown here")
      ) {
        _ = try await mesh.call(unknown, other, Text("?"), deadline: mesh.in(.seconds(5)))
      }
      await #expect(throws: MeshError.reset(.failed, "Refused()")) {
        _ = try await mesh.call(
          LiveMesh.fail, other, Text("?"), deadline: mesh.in(.seconds(5)))
      }
      await #expect(throws: MeshError.reset(.timedOut, "")) {
        _ = try await mesh.call(
          LiveMesh.hang, other, Text("?"), deadline: mesh.in(.milliseconds(50)))
      }
      // The connection is as it was.
      let answer: Text = try await mesh.call(
        LiveMesh.greet, other, Text("hi"), deadline: mesh.in(.seconds(5)))
      #expect(answer.text.hasPrefix("hi"))
    }
  }
}

struct Text: MeshMessage, Equatable {
  var text: String

  init(_ text: String) { self.text = text }
  func write(to writer: inout BinaryWriter) { writer.string(text) }
  init(_ reader: inout BinaryReader) throws(BinaryError) { text = try reader.string(max: 1000) }
}

struct Refused: Error {}

extension NodeMesh {
  /// A deadline from now on.
  func `in`(_ duration: Duration) -> MonotonicInstant { SystemClock.now + duration }
}

/// Nodes that know each other, on loopback.
final class LiveMesh: Sendable {
  struct Member: Sendable {
    let own: NodeID
    let mesh: NodeMesh
  }

  static let greet = MeshEndpoint<Text, Text>("test/greet", bytesMax: 1000)
  static let fail = MeshEndpoint<Text, Text>("test/fail", bytesMax: 1000)
  static let hang = MeshEndpoint<Text, Text>("test/hang", bytesMax: 1000)

  let all: [Member]
  let group: EventLoopGroup

  private init(_ count: Int, _ group: EventLoopGroup) throws {
    self.group = group
    all = try (0..<count).map { _ in
      let seed = SystemRandom.shared.bytes(32)
      let key = try #require(Ed25519PrivateKey(seed: seed))
      let own = try #require(NodeID(key.publicKey))
      let endpoints = EndpointRegistry { registry in
        registry.answer(Self.greet) { peer, request in
          Text("\(request.text) \(peer.hex.prefix(4)), here is \(own.hex.prefix(4))")
        }
        registry.answer(Self.fail) { _, _ in throw Refused() }
        registry.answer(Self.hang) { _, request in
          try await group.sleep(for: .seconds(30))
          return request
        }
        registry.stream("test/echo") { stream in
          while true {
            let piece = try await stream.read(max: 50_000)
            try await stream.write(piece, isEnd: piece.isEmpty)
            if piece.isEmpty { return }
          }
        }
      }
      var options = NodeMesh.Options(bind: .ipv4(address: 0x7F00_0001, port: 0))
      options.uploadLimit = nil
      let mesh = try NodeMesh(
        options, own: own, seed: seed, endpoints: endpoints, database: nil,
        network: SocketNetwork(group), runtime: group, metrics: MetricsRegistry(), logger: .disabled
      )
      return Member(own: own, mesh: mesh)
    }
  }

  static func run(_ count: Int, _ body: @escaping @Sendable (LiveMesh) async throws -> Void) throws
  {
    let group = EventLoopGroup(loopCount: 2, blockingThreads: 1)
    let failure = Mutex<(any Error)?>(nil)
    _ = group.run {
      do {
        let nodes = try LiveMesh(count, group)
        nodes.start()
        do { try await body(nodes) } catch { failure.withLock { $0 = error } }
        for member in nodes.all { await member.mesh.stop() }
      } catch {
        failure.withLock { $0 = error }
      }
      return 0
    }
    if let error = failure.withLock({ $0 }) { throw error }
  }

  private func start() {
    let cluster = ClusterID(random: SystemRandom.shared)
    for member in all {
      member.mesh.start(SilentDelegate())
      for other in all where other.own != member.own {
        let address = other.mesh.localAddress
        member.mesh.addresses.tell(
          [HostAndPort(host: address.host, port: address.port ?? 0)], of: other.own)
      }
      member.mesh.update(cluster: cluster, members: all.map(\.own))
    }
  }

  func until(_ condition: @Sendable () -> Bool) async throws {
    let deadline = SystemClock.now + .seconds(10)
    while !condition() {
      guard SystemClock.now < deadline else { throw NotInTime() }
      try await group.sleep(for: .milliseconds(10))
    }
  }

  func untilConnected() async throws {
    try await until { [all] in
      all.allSatisfy { member in
        member.mesh.connected.count == all.count - 1
          && all.allSatisfy { $0.own == member.own || member.mesh.hasBulk($0.own) }
      }
    }
  }

  struct NotInTime: Error {}
}
