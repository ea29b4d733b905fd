// A TCP connection between two simulated hosts: two lanes, and what the kernels at its ends know of each other.
//
// Side 0 has dialled, side 1 has accepted. A side is gone once its program has closed it, its process or its power
// has ended, or it has heard that the connection is broken; bytes that reach a side that is gone are answered with a
// reset, as a kernel does that knows of no such connection.
//
// Invariants:
//   1. Nobody hears anything over a path that is cut. What was sent stays with the sender and is sent again once the
//      path is open.
//   2. A connection whose two sides are gone is forgotten.

import Base
private import Glibc
import Reactor

final class SimulatedConnection {
  let net: SimulatedInternet
  /// Its number, for the fingerprint.
  let number: Int
  let hosts: [SimulatedHost]
  private(set) var lanes: [ConnectionLane] = []
  /// Who gets side 1 when the dialler's last packet of the handshake has arrived.
  private var accept: ((SimulatedStream) -> Bool)?
  private let diallerAddress: SocketAddress?
  private let dialledAddress: SocketAddress
  private var isGone = [false, false]
  /// An end has lost the address that the other one knows it by.
  private(set) var isSevered = false
  /// Breaks it up when the link's patience ends.
  private var lifetime: SimulatedTimer?

  init(
    _ net: SimulatedInternet, from dialler: SimulatedHost, _ diallerAddress: SocketAddress?,
    to host: SimulatedHost, _ dialledAddress: SocketAddress,
    accept: @escaping (SimulatedStream) -> Bool
  ) {
    self.net = net
    net.connectionCount += 1
    number = net.connectionCount
    hosts = [dialler, host]
    self.accept = accept
    self.diallerAddress = diallerAddress
    self.dialledAddress = dialledAddress
    lanes = [ConnectionLane(self, side: 0), ConnectionLane(self, side: 1)]
  }

  var isLocal: Bool { hosts[0] === hosts[1] }
  var isOver: Bool { isGone[0] && isGone[1] }
  /// Whether a program has an end of it: who dialled, or who was given the other end.
  var isInUse: Bool { !isGone[0] || accept == nil && !isGone[1] }

  func isGone(_ side: Int) -> Bool { isGone[side] }

  /// Whether what `side` sends now can arrive.
  func isOpen(from side: Int) -> Bool {
    guard hosts[0].state != .off, hosts[1].state != .off else { return false }
    return isLocal || !isSevered && net.isOpen(from: hosts[side], to: hosts[1 - side])
  }

  /// The conditions for what `side` sends.
  func link(from side: Int) -> SimulatedLink {
    isLocal ? SimulatedLink.local : net.link(from: hosts[side], to: hosts[1 - side])
  }

  /// The dialler's end; called once.
  func begin() -> SimulatedStream {
    net.connections.append(self)
    lanes[0].open()
    if !isLocal, let mean = link(from: 0).meanLifetime {
      let world = net.runtime
      let end = world.now + world.worldRandom.duration(in: .zero...mean * 2)
      lifetime = world.at(end) { self.breakUp() }
    }
    return stream(of: 0, peer: dialledAddress)
  }

  /// The handshake is complete, as side 1 sees it.
  func opened() {
    let accept = isGone[1] ? nil : self.accept
    self.accept = nil
    if accept?(stream(of: 1, peer: diallerAddress)) == true { return }
    sendReset(from: 1)
    leave(1)
  }

  private func stream(of side: Int, peer: SocketAddress?) -> SimulatedStream {
    let address = peer.flatMap { $0.isUnix ? nil : $0 }
    return SimulatedStream(
      incoming: lanes[1 - side], outgoing: lanes[side], owner: self, peerAddress: address,
      peerDescription: address.map { "\($0)" } ?? "unix")
  }

  // MARK: Ends

  /// The program of `side`, or the end of its process, closes the connection.
  func close(_ side: Int) {
    guard !isGone[side] else { return }
    if lanes[1 - side].hasUnread {
      // A kernel throws away what nobody has read, and says so.
      lanes[side].forgetUnsent()
      sendReset(from: side)
    } else {
      lanes[side].finish()
    }
    leave(side)
  }

  /// The host of `side` has no power any more.
  func losePower(_ side: Int) {
    lanes[side].forgetUnsent()
    leave(side)
  }

  /// Tells the other side, if the path is open, that there is no such connection.
  func sendReset(from side: Int) {
    guard !isGone[1 - side], isOpen(from: side) else { return }
    let world = net.runtime
    world.at(world.now + world.worldRandom.duration(in: link(from: side).delay)) { [self] in
      if isOpen(from: side) { fail(1 - side, ECONNRESET) }
    }
  }

  /// `side` hears that the connection is broken.
  private func fail(_ side: Int, _ errno: Int32) {
    guard !isGone[side] else { return }
    lanes[1 - side].readFailure = errno
    lanes[side].writeFailure = errno
    lanes[side].forgetUnsent()
    leave(side)
  }

  private func leave(_ side: Int) {
    isGone[side] = true
    guard isOver else { return }
    if let lifetime { net.runtime.cancel(lifetime) }
    net.forget(self)
  }

  /// Breaks the connection for both sides, as something between them may.
  func breakUp(_ errno: Int32 = ECONNRESET) {
    guard !isOver else { return }
    net.runtime.counters.resets += 1
    fail(0, errno)
    fail(1, errno)
  }

  /// Lets nothing pass any more: neither side hears of it.
  func sever() { isSevered = true }

  // MARK: Healing

  /// How long a kernel sends again before it gives up: tcp(7), tcp_retries2.
  private static let patience: Duration = .seconds(924)

  /// A path between the two may be open again.
  func pathChanged(resetPercent: Int) {
    let stalls = lanes.compactMap(\.stalledSince)
    guard !isOver, let first = stalls.min() else { return }
    let world = net.runtime
    if world.now - first > Self.patience { return breakUp(ETIMEDOUT) }
    if world.worldRandom.below(100) < resetPercent { return breakUp() }
    for lane in lanes { lane.resumeLater() }
  }
}
