// Who connects to this node: members, joiners, and strangers, who get nothing.

import Base
import Reactor
import Synchronization

extension NodeMesh {
  /// Serves a connection that somebody made.
  nonisolated(nonsending) func accept(_ stream: any ByteStream) async {
    let known = isKnown(stream.peerAddress)
    guard let place = enter(stream, isKnown: known) else {
      metrics.refused.add()
      return
    }
    do {
      let deadline = runtime.now + Handshake.timeMax
      let secured: SecuredStream
      do {
        defer { limits.leave(place) }
        secured = try await secure(stream, deadline: deadline)
      }
      if secured.stream.applicationProtocol == NodeTLS.joinerProtocol {
        // A joiner is a stranger as long as it asks.
        guard let place = enter(stream, isKnown: false) else { return }
        defer { limits.leave(place) }
        await state.withLock(\.delegate)?.mesh(joining: secured.stream, key: secured.peer)
        return
      }
      try await acceptMember(secured, deadline: deadline)
    } catch {
      metrics.refused.add()
      logger.debug(
        "a connection was refused", [("peer", stream.peerDescription), ("reason", "\(error)")])
    }
  }

  /// A place for a handshake on `stream`, which is closed when another one gets it.
  private func enter(_ stream: any ByteStream, isKnown: Bool) -> HandshakeLimits.Place? {
    let evicted = EvictedStream(stream: stream)
    return limits.enter(stream.peerAddress, isKnown: isKnown) { evicted.stream.close() }
  }

  private nonisolated(nonsending) func secure(
    _ stream: any ByteStream, deadline: MonotonicInstant
  ) async throws -> SecuredStream {
    let secured = try await handshake.tls.accept(
      stream, admits: { [self] key, name in admits(key, name) }, deadline: deadline)
    guard let key = secured.peerKey, let node = NodeID(key) else {
      throw StreamError.tls(reason: "the peer has shown no key")
    }
    return SecuredStream(stream: secured, peer: node)
  }

  /// Whether who proves `key` may go on.
  private func admits(_ key: [UInt8], _ applicationProtocol: String) -> Bool {
    if applicationProtocol == NodeTLS.joinerProtocol { return true }
    guard let node = NodeID(key) else { return false }
    return state.withLock { $0.peers[node] != nil }
  }

  /// Whether peers were at this address before, so that strangers elsewhere do not keep them out.
  private func isKnown(_ address: SocketAddress?) -> Bool {
    guard let address else { return false }
    return addresses.isKnown(host: address.host)
  }

  private nonisolated(nonsending) func acceptMember(
    _ secured: SecuredStream, deadline: MonotonicInstant
  ) async throws {
    let (peer, cluster) = state.withLock { ($0.peers[secured.peer], $0.cluster) }
    guard let peer, let cluster else {
      throw MeshError.disconnected(.notMember, "the node is no member")
    }
    let connection = try await handshake.welcome(secured, cluster: cluster, deadline: deadline) {
      peer.admit($0)
    }
    metrics.accepted.add()
    await serve(connection, peer)
  }
}

/// A stream whose place was given to another, to be closed.
private struct EvictedStream: @unchecked Sendable {
  // Safe because only `close` is called, which a socket's stream allows on any thread.
  let stream: any ByteStream
}
