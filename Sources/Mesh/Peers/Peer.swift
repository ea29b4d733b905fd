// One other member: its two connections, and what is known of it.
//
// Invariants:
//   1. A lane has at most one connection. Of two, that one stays which the lower ID dialled, unless the other is old: a
//      node does not dial while it has a connection, so that who dials late has lost the one before. Both sides look at the
//      same facts, so that both keep the same one.
//   2. Losing the control connection ends the bulk connection, whose death alone nobody would notice.

package import Base
package import Reactor
import Synchronization

/// What there is to tell of a peer.
package struct PeerStatus: Sendable {
  package var node: NodeID
  /// Whether there is a control connection.
  package var isConnected: Bool
  package var roundTrip: Duration?
  /// When it was heard last in this run; `nil` if never.
  package var lastHeard: MonotonicInstant?
  /// The address at the other end of the control connection.
  package var address: SocketAddress?
  /// How our own address looks from there.
  package var observed: String?
  /// Whether two running programs have shown the peer's key: a disk that was cloned.
  package var isCloned: Bool
  /// Why dialling failed last, for each address that was tried; empty while connected.
  package var failures: [DialFailure]

  /// Where the peer answered and took this node for no member, if it did.
  package var refusedAt: HostAndPort? {
    let refusal = "\(StreamError.tls(reason: NodeTLS.keyRefused))"
    return failures.first { $0.reason == refusal }?.address
  }
}

/// An address that was tried.
package struct DialFailure: Equatable, Sendable {
  package var address: HostAndPort
  package var reason: String
}

/// A peer.
final class Peer: Sendable {
  private struct State {
    var connections: [MeshConnection?] = [nil, nil]
    /// The start IDs that were seen, the newest last.
    var starts: [StartID] = []
    var isCloned = false
    var lastHeard: MonotonicInstant?
    var failures: [DialFailure] = []
    var isGone = false
  }

  /// Of two connections made within this time neither knew of the other.
  private static let simultaneousMax: Duration = .seconds(5)
  /// Start IDs that are remembered, to recognise one that comes back.
  private static let startsMax = 8

  let node: NodeID
  /// Rings when there is a reason to dial at once: an address, a network, a lost connection.
  let bell = Bell()
  private let isLower: Bool
  private let state = Mutex(State())

  /// - Parameter own: The ID of this node.
  init(_ node: NodeID, own: NodeID) {
    self.node = node
    isLower = own < node
  }

  /// The connection of `lane`, if there is one.
  func connection(_ lane: MeshLane) -> MeshConnection? {
    state.withLock { $0.connections[Int(lane.rawValue)] }
  }

  /// Whether the peer must not be dialled and nothing of it be taken any more.
  var isGone: Bool { state.withLock(\.isGone) }

  /// Takes a new connection, or returns why it is not taken.
  ///
  /// The acceptor asks before its hello, the dialler after it.
  func admit(_ fresh: MeshConnection) -> MeshError? {
    let (refusal, old): (MeshError?, MeshConnection?) = state.withLock { state in
      if state.isGone { return (.disconnected(.notMember, "not a member any more"), nil) }
      let old = state.connections[Int(fresh.lane.rawValue)]
      if let old, isToStay(old, beside: fresh) {
        return (.disconnected(.superseded, "there is a connection already"), nil)
      }
      take(fresh, &state)
      return (nil, old)
    }
    old?.close(.disconnected(.superseded, "there is a newer connection"))
    return refusal
  }

  /// Invariant 1.
  private func isToStay(_ old: MeshConnection, beside fresh: MeshConnection) -> Bool {
    isOfLower(old) && !isOfLower(fresh) && old.hello.start == fresh.hello.start
      && fresh.made - old.made < Self.simultaneousMax
  }

  /// Whether the lower of the two nodes dialled it.
  private func isOfLower(_ connection: MeshConnection) -> Bool { connection.isDialler == isLower }

  private func take(_ fresh: MeshConnection, _ state: inout State) {
    state.connections[Int(fresh.lane.rawValue)] = fresh
    state.failures = []
    let start = fresh.hello.start
    guard state.starts.last != start else { return }
    // A program that was replaced by another does not come back, unless both run.
    if state.starts.contains(start) { state.isCloned = true }
    state.starts.removeAll { $0 == start }
    state.starts.append(start)
    if state.starts.count > Self.startsMax { state.starts.removeFirst() }
  }

  /// Notes the end of a connection; returns whether it was the peer's control connection.
  func lost(_ connection: MeshConnection) -> Bool {
    let bulk: MeshConnection?? = state.withLock { state in
      state.lastHeard = max(
        state.lastHeard ?? connection.liveness.lastHeard, connection.liveness.lastHeard)
      guard state.connections[Int(connection.lane.rawValue)] === connection else { return nil }
      state.connections[Int(connection.lane.rawValue)] = nil
      guard connection.lane == .control else { return nil }
      return .some(state.connections[Int(MeshLane.bulk.rawValue)])
    }
    guard let bulk else { return false }
    bulk?.close(.disconnected(.broken, "the control connection is lost"))
    bell.ring()
    return true
  }

  /// Notes why no address answered.
  func failed(_ failures: [DialFailure]) { state.withLock { $0.failures = failures } }

  /// Ends everything with the peer, for good.
  func leave(_ reason: MeshError) {
    let connections = state.withLock { state in
      state.isGone = true
      return state.connections
    }
    for connection in connections { connection?.close(reason) }
    bell.ring()
  }

  /// What there is to tell.
  var status: PeerStatus {
    state.withLock { state in
      let control = state.connections[Int(MeshLane.control.rawValue)]
      return PeerStatus(
        node: node, isConnected: control != nil, roundTrip: control?.liveness.roundTrip,
        lastHeard: control?.liveness.lastHeard ?? state.lastHeard, address: control?.peerAddress,
        observed: control?.hello.observed, isCloned: state.isCloned, failures: state.failures)
    }
  }
}
