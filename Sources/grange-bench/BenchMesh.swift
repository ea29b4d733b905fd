// Nodes to measure the mesh with: they answer questions with the same, take blocks and give some.

import Base
import Codecs
import Crypto
import Mesh
import Reactor

enum BenchMesh {
  static let blockBytes = 1 << 20
  static let questionBytes = 100

  private static let question = MeshEndpoint<BenchMessage, BenchMessage>(
    "bench/question", bytesMax: 1024)

  /// A node that is not started: with a key of its own, on a free port of loopback, without a limit, unless told otherwise.
  static func make(
    _ group: EventLoopGroup, seed: [UInt8] = SystemRandom.shared.bytes(NodeTLS.keyBytes),
    bind: SocketAddress = .ipv4(address: 0x7F00_0001, port: 0), uploadLimit: Int? = nil
  ) throws -> NodeMesh {
    let endpoints = EndpointRegistry { registry in
      registry.answer(question) { _, message in message }
      registry.stream("bench/sink") { stream in
        let buffer = PooledMemory(blockBytes)
        while try await stream.read(into: buffer.bytes) > 0 {}
        try await stream.finish()
      }
      registry.stream("bench/source") { stream in
        try await stream.write([UInt8](repeating: 7, count: blockBytes), isEnd: true)
      }
    }
    return try NodeMesh(
      NodeMesh.Options(bind: bind, uploadLimit: uploadLimit), own: try id(seed: seed), seed: seed,
      endpoints: endpoints, database: nil, network: SocketNetwork(group), runtime: group,
      metrics: MetricsRegistry(), logger: .disabled)
  }

  /// The ID of the node whose key has this seed.
  static func id(seed: [UInt8]) throws -> NodeID {
    guard let key = Ed25519PrivateKey(seed: seed), let own = NodeID(key.publicKey) else {
      throw StreamError.tls(reason: "no key")
    }
    return own
  }

  /// Starts a node of a cluster that all nodes here are of.
  static func start(_ mesh: NodeMesh, members: [NodeID]) {
    mesh.start(SilentDelegate())
    mesh.update(cluster: ClusterID([UInt8](repeating: 7, count: 32)), members: members)
  }

  static nonisolated(nonsending) func waitForBulk(
    _ mesh: NodeMesh, _ node: NodeID, _ group: EventLoopGroup
  ) async throws {
    while !mesh.hasBulk(node) { try await group.sleep(for: .milliseconds(5)) }
  }

  /// Asks a small question, and waits for the answer.
  static nonisolated(nonsending) func ask(
    _ mesh: NodeMesh, _ node: NodeID, deadline: MonotonicInstant
  ) async throws {
    let message = BenchMessage(bytes: [UInt8](repeating: 7, count: questionBytes))
    _ = try await mesh.call(question, node, message, deadline: deadline)
  }
}

private struct BenchMessage: MeshMessage {
  var bytes: [UInt8]

  init(bytes: [UInt8]) { self.bytes = bytes }

  func write(to writer: inout BinaryWriter) { writer.raw(bytes) }

  init(_ reader: inout BinaryReader) throws(BinaryError) { bytes = reader.remaining() }
}

/// Memory for one task.
final class PooledMemory {
  let bytes: UnsafeMutableRawBufferPointer

  init(_ count: Int) {
    bytes = .allocate(byteCount: count, alignment: 64)
    bytes.initializeMemory(as: UInt8.self, repeating: 7)
  }

  deinit { bytes.deallocate() }
}

private final class SilentDelegate: MeshDelegate {
  func meshNews() -> [UInt8] { [] }
  func mesh(heard news: [UInt8], from node: NodeID) {}
  func mesh(connected node: NodeID, observed: SocketAddress?) {}
  func mesh(lost node: NodeID) {}
  nonisolated(nonsending) func mesh(joining stream: TLSStream, key: NodeID) async {}
}
