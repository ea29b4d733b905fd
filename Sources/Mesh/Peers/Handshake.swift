// Making a connection: TLS, then a hello from each side (docs/formats/wire.md).
//
// The dialler speaks first. The acceptor's hello says that it takes the connection: it has looked at the cluster, the
// protocols, and whether there is a better connection of the pair already.

import Base
import Codecs
import Reactor

/// A secured stream whose other end has proved its key.
///
/// It is handed from the task that dials to the one that serves, on one loop.
struct SecuredStream: @unchecked Sendable {
  // Safe because dialling and serving are children of one task, on the loop that the socket belongs to.
  let stream: TLSStream
  let peer: NodeID
}

/// What both sides need to know for a handshake.
struct Handshake: Sendable {
  /// How long a TLS handshake and the hello after it may take together.
  static let timeMax: Duration = .seconds(10)

  let tls: NodeTLS
  let start: StartID
  let runtime: any Runtime

  // MARK: Dialling

  /// Connects to `node` at `address`, up to the end of the TLS handshake.
  ///
  /// - Throws: `StreamError`, `CancellationError`.
  nonisolated(nonsending) func dial(
    _ address: SocketAddress, expecting node: NodeID, applicationProtocol: String,
    over network: any Network
  ) async throws -> SecuredStream {
    let deadline = runtime.now + Self.timeMax
    let socket = try await network.connect(to: address, deadline: deadline)
    let stream = try await tls.connect(
      socket, expecting: node.bytes, applicationProtocol: applicationProtocol, deadline: deadline)
    return SecuredStream(stream: stream, peer: node)
  }

  /// Says hello on a stream that was dialled, and hears the other side's.
  ///
  /// - Throws: `MeshError`, `StreamError`, `CancellationError`; the stream is closed then.
  nonisolated(nonsending) func greet(
    _ secured: SecuredStream, cluster: ClusterID, lane: MeshLane
  ) async throws -> MeshConnection {
    do {
      let deadline = runtime.now + Self.timeMax
      let stream = secured.stream
      let ours = hello(cluster, lane, stream)
      try await Self.send(.hello, ours.encoded(), to: stream, deadline: deadline)
      let theirs = try await Self.readHello(stream, deadline: deadline)
      try Self.check(theirs, cluster: cluster)
      guard theirs.lane == lane else { throw MeshError.violation("the lanes differ") }
      return MeshConnection(
        peer: secured.peer, isDialler: true, hello: theirs, wire: MeshWire(stream),
        runtime: runtime)
    } catch {
      secured.stream.close()
      throw error
    }
  }

  // MARK: Accepting

  /// Hears the hello of a member that dialled; `welcome` decides whether the connection is taken, and why not.
  ///
  /// - Throws: `MeshError`, `StreamError`, `CancellationError`.
  nonisolated(nonsending) func welcome(
    _ secured: SecuredStream, cluster: ClusterID, deadline: MonotonicInstant,
    _ refusal: (MeshConnection) -> MeshError?
  ) async throws -> MeshConnection {
    let stream = secured.stream
    let theirs = try await Self.readHello(stream, deadline: deadline)
    do {
      try Self.check(theirs, cluster: cluster)
      let connection = MeshConnection(
        peer: secured.peer, isDialler: false, hello: theirs, wire: MeshWire(stream),
        runtime: runtime)
      if let refusal = refusal(connection) { throw refusal }
      let ours = hello(cluster, theirs.lane, stream)
      try await Self.send(.hello, ours.encoded(), to: stream, deadline: deadline)
      return connection
    } catch let error as MeshError {
      if let notice = error.notice {
        try await Self.send(.close, notice, to: stream, deadline: deadline)
      }
      throw error
    }
  }

  // MARK: Both

  private func hello(_ cluster: ClusterID, _ lane: MeshLane, _ stream: TLSStream) -> Hello {
    Hello(
      cluster: cluster, start: start, lane: lane, observed: stream.peerAddress?.description ?? "")
  }

  private static func check(_ hello: Hello, cluster: ClusterID) throws(MeshError) {
    guard hello.cluster == cluster else {
      throw .disconnected(
        .otherCluster,
        "the nodes are of different clusters: \(hello.cluster.hex.prefix(16)), \(cluster.hex.prefix(16))"
      )
    }
    guard Hello.common(hello.protocols, Hello.protocols) != nil else {
      throw .disconnected(
        .noCommonProtocol,
        "one speaks protocols \(hello.protocols), the other \(Hello.protocols): update the older one"
      )
    }
  }

  private static nonisolated(nonsending) func readHello(
    _ stream: TLSStream, deadline: MonotonicInstant
  ) async throws -> Hello {
    let head = try await stream.readExactly(FrameHead.byteCount, deadline: deadline) {
      try FrameHead($0)
    }
    guard head.payloadBytes <= Hello.bytesMax else {
      throw MeshError.violation("the hello is too long")
    }
    return try await stream.readExactly(head.payloadBytes, deadline: deadline) { bytes in
      switch head.kind {
      case .hello:
        var reader = BinaryReader(bytes)
        guard let hello = try? Hello(&reader) else {
          throw MeshError.violation("the hello is malformed")
        }
        return hello
      case .close:
        let (code, text) = try Notice.decode(bytes)
        throw MeshError.disconnected(CloseReason(rawValue: code) ?? .broken, text)
      default: throw MeshError.violation("the first frame is no hello")
      }
    }
  }

  private static nonisolated(nonsending) func send(
    _ kind: FrameKind, _ payload: [UInt8], to stream: TLSStream, deadline: MonotonicInstant
  ) async throws {
    var frame: [UInt8] = []
    FrameHead(kind, payloadBytes: payload.count).append(to: &frame)
    frame += payload
    try await stream.write(frame, deadline: deadline)
  }
}
