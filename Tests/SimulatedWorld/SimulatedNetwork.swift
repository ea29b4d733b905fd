// Dialling and listening on a simulated host.
//
// A dial takes as long as a handshake: a round trip. Refused is what a kernel answers when nobody listens; a packet
// that is lost, or that reaches nobody, gets no answer, and is sent again after 1 s, 3 s, 7 s and so on.

import Base
private import Glibc
import Reactor

/// The network as a simulated host sees it; `SimulatedHost.network`.
struct SimulatedNetwork: Network {
  private let host: SimulatedHost

  init(_ host: SimulatedHost) { self.host = host }

  private var world: SimulatedRuntime { host.world }
  private var net: SimulatedInternet { host.world.net }

  var interfaces: [NetworkInterface] {
    host.addresses.map { NetworkInterface(name: "eth0", address: $0) }
  }

  // MARK: Names

  nonisolated(nonsending) func resolve(
    host name: String, port: UInt16, deadline: MonotonicInstant
  ) async throws -> [SocketAddress] {
    if let address = SocketAddress(ip: name, port: port) { return [address] }
    world.counters.lookups += 1
    let delay = net.names[name]?.delay ?? SimulatedName([]).delay
    do {
      try await pause(until: world.now + world.worldRandom.duration(in: delay), deadline: deadline)
      guard let entry = net.names[name] else {
        throw StreamError.unresolved(host: name, reason: "Name or service not known")
      }
      if let reason = entry.failure { throw StreamError.unresolved(host: name, reason: reason) }
      return entry.addresses.compactMap { SocketAddress(ip: $0, port: port) }
    } catch {
      world.counters.failedLookups += 1
      throw error
    }
  }

  // MARK: Dialling

  /// How long a kernel waits for the first answer, twice as long for each next one, and how long in all:
  /// tcp(7), tcp_syn_retries.
  private static let firstRetry: Duration = .seconds(1)
  private static let patience: Duration = .seconds(127)

  nonisolated(nonsending) func connect(
    to address: SocketAddress, deadline: MonotonicInstant
  ) async throws -> any ByteStream {
    try Task.checkCancellation()
    world.counters.dials += 1
    let target = net.route(from: host, to: address)?.host
    if let target { net.beginDial(from: host, to: target) }
    defer { if let target { net.endDial(from: host, to: target) } }
    do {
      let stream = try await dial(address, deadline: deadline)
      world.counters.connects += 1
      return stream
    } catch let error as StreamError {
      if case .disconnected(errno: ECONNREFUSED) = error { world.counters.refusals += 1 }
      if error == .timedOut || error == .disconnected(errno: ETIMEDOUT) {
        world.counters.dialTimeouts += 1
      }
      throw error
    }
  }

  private nonisolated(nonsending) func dial(
    _ address: SocketAddress, deadline: MonotonicInstant
  ) async throws -> any ByteStream {
    let begun = world.now
    var wait = Self.firstRetry
    while true {
      let attempt = world.now
      if let stream = try await knock(address, deadline: deadline) { return stream }
      let next = attempt + wait
      wait *= 2
      guard next - begun < Self.patience else {
        try await pause(until: begun + Self.patience, deadline: deadline)
        throw StreamError.disconnected(errno: ETIMEDOUT)
      }
      try await pause(until: next, deadline: deadline)
    }
  }

  /// One attempt; `nil` when there is no answer.
  private nonisolated(nonsending) func knock(
    _ address: SocketAddress, deadline: MonotonicInstant
  ) async throws -> (any ByteStream)? {
    guard let (target, inner) = net.route(from: host, to: address), isOpen(to: target) else {
      return nil
    }
    try await travel(from: host, to: target, deadline: deadline)
    guard isOpen(to: target), target.state != .off else { return nil }
    let listener = target.ports.listener(at: inner)
    if let listener, listener.isFull { return nil }
    try await travel(from: target, to: host, deadline: deadline)
    guard isOpen(from: target) else { return nil }
    guard let listener else { throw StreamError.disconnected(errno: ECONNREFUSED) }
    let visible = net.visibleAddress(of: host, to: target, address, port: host.ports.nextPort())
    let connection = SimulatedConnection(net, from: host, visible, to: target, address) {
      listener.deliver($0)
    }
    return connection.begin()
  }

  private func isOpen(to target: SimulatedHost) -> Bool {
    target === host || net.isOpen(from: host, to: target)
  }

  private func isOpen(from target: SimulatedHost) -> Bool {
    target === host || net.isOpen(from: target, to: host)
  }

  private nonisolated(nonsending) func travel(
    from: SimulatedHost, to: SimulatedHost, deadline: MonotonicInstant
  ) async throws {
    let link = from === to ? SimulatedLink.local : net.link(from: from, to: to)
    try await pause(
      until: world.now + world.worldRandom.duration(in: link.delay), deadline: deadline)
  }

  private nonisolated(nonsending) func pause(
    until time: MonotonicInstant, deadline: MonotonicInstant
  ) async throws {
    try await world.sleep(until: min(time, deadline))
    if time > deadline { throw StreamError.timedOut }
  }

  // MARK: Listening

  func listen(_ address: SocketAddress) throws -> any NetworkListener {
    guard address.isAny || address.isLoopback || host.has(address) else {
      throw ListenError(address: "\(address)", errno: EADDRNOTAVAIL)
    }
    let port = address.port == 0 ? host.ports.nextPort() : address.port ?? 0
    return try host.ports.bind(SimulatedListener(host, address.with(port: port)))
  }

  func listen(unixPath path: String, mode: UInt32) throws -> any NetworkListener {
    try host.ports.bind(SimulatedListener(host, .unix(path: path)))
  }
}
