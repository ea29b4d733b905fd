// What lies between the simulated hosts: links, cuts, addresses, names, and the connections that are open.
//
// A cut has a direction. Connections over it stall without a word, as with a cable that was pulled: what was sent
// is sent again after `heal`, if neither side gave up before; some are reset then, as by a router that forgot them.

import Base
private import Glibc
import Reactor

/// The network of a simulated world; `SimulatedRuntime.net`.
package final class SimulatedInternet: @unchecked Sendable {
  // Safe because only the world's one thread touches it.

  /// The way between hosts that `setLink` does not name.
  package var defaultLink = SimulatedLink()
  /// What names stand for.
  package var names: [String: SimulatedName] = [:]
  /// How many of the connections that stalled are reset when the path opens again.
  package var resetPercent = 25

  unowned var world: SimulatedRuntime?
  private struct Pair: Hashable {
    let from: Int
    let to: Int

    init(_ from: SimulatedHost, _ to: SimulatedHost) {
      self.from = from.index
      self.to = to.index
    }
  }
  private var links: [Pair: SimulatedLink] = [:]
  private var cuts: Set<Pair> = []
  private var dials: [Pair: Int] = [:]
  private var routers: [SimulatedRouter] = []
  /// Open connections, in the order in which they were made.
  var connections: [SimulatedConnection] = []
  var connectionCount = 0

  init() {}

  var runtime: SimulatedRuntime {
    guard let world else { preconditionFailure("a network without a world") }
    return world
  }

  // MARK: Links and cuts

  /// The way from one host to another.
  package func link(from: SimulatedHost, to: SimulatedHost) -> SimulatedLink {
    links[Pair(from, to)] ?? defaultLink
  }

  /// Changes the way from one host to another, and back.
  package func setLink(
    _ link: SimulatedLink, between first: SimulatedHost, and second: SimulatedHost
  ) {
    links[Pair(first, second)] = link
    links[Pair(second, first)] = link
  }

  /// Whether what `from` sends reaches `to`.
  package func isOpen(from: SimulatedHost, to: SimulatedHost) -> Bool {
    cuts.isEmpty || !cuts.contains(Pair(from, to))
  }

  /// Lets nothing pass from one host to another any more; the way back stays open.
  package func cut(from: SimulatedHost, to: SimulatedHost) {
    if from !== to, cuts.insert(Pair(from, to)).inserted { runtime.counters.cuts += 1 }
  }

  /// Cuts both ways between two hosts.
  package func cut(_ first: SimulatedHost, _ second: SimulatedHost) {
    cut(from: first, to: second)
    cut(from: second, to: first)
  }

  /// Cuts every way between hosts of different groups; hosts in no group are left as they are.
  package func partition(_ groups: [SimulatedHost]...) {
    for (index, group) in groups.enumerated() {
      for other in groups[(index + 1)...] {
        for first in group { for second in other { cut(first, second) } }
      }
    }
  }

  /// Cuts `host` off from everybody.
  package func isolate(_ host: SimulatedHost) {
    for other in runtime.hosts { cut(host, other) }
  }

  /// Opens the way from one host to another.
  package func heal(from: SimulatedHost, to: SimulatedHost) {
    guard cuts.remove(Pair(from, to)) != nil else { return }
    runtime.counters.heals += 1
    for connection in connections {
      let ends = connection.hosts
      guard ends[0] === from && ends[1] === to || ends[0] === to && ends[1] === from else {
        continue
      }
      connection.pathChanged(resetPercent: resetPercent)
    }
  }

  /// Opens every way.
  package func heal() {
    runtime.counters.heals += cuts.count
    cuts = []
    for connection in connections { connection.pathChanged(resetPercent: resetPercent) }
  }

  /// Resets the connections between two hosts, as something between them may.
  package func reset(_ first: SimulatedHost, _ second: SimulatedHost) {
    for connection in connections {
      let ends = connection.hosts
      guard
        ends[0] === first && ends[1] === second || ends[0] === second && ends[1] === first
      else { continue }
      connection.breakUp()
    }
  }

  /// How many connections between two hosts are open, as a program on one of them at least believes.
  package func connectionCount(_ first: SimulatedHost, _ second: SimulatedHost) -> Int {
    connections.count { connection in
      let ends = connection.hosts
      return connection.isInUse
        && (ends[0] === first && ends[1] === second || ends[0] === second && ends[1] === first)
    }
  }

  // MARK: Addresses

  func addRouter(_ address: SocketAddress) -> SimulatedRouter {
    let router = SimulatedRouter(address: address)
    routers.append(router)
    return router
  }

  /// Gives `host` other addresses: what it had open dies without a word.
  package func changeAddress(of host: SimulatedHost, to addresses: String...) {
    host.addresses = addresses.map(Self.address)
    runtime.counters.addressChanges += 1
    for connection in connections
    where !connection.isLocal && connection.hosts.contains(where: { $0 === host }) {
      connection.sever()
    }
  }

  /// Gives a router another public address: what hosts behind it had open to the outside dies without a word.
  package func changeAddress(of router: SimulatedRouter, to address: String) {
    router.address = Self.address(address)
    runtime.counters.addressChanges += 1
    for connection in connections {
      let inside = connection.hosts.map { $0.router === router }
      if inside[0] != inside[1] { connection.sever() }
    }
  }

  private static func address(_ text: String) -> SocketAddress {
    guard let address = SocketAddress(ip: text, port: 0) else {
      preconditionFailure("\(text) is no address")
    }
    return address
  }

  /// The host that `address` leads to from `host`, and the address by which that host knows itself.
  func route(
    from host: SimulatedHost, to address: SocketAddress
  ) -> (host: SimulatedHost, address: SocketAddress)? {
    if address.isUnix || address.isLoopback || address.isAny || host.has(address) {
      return (host, address)
    }
    let hosts = runtime.hosts
    if let router = host.router,
      let near = hosts.first(where: { $0.router === router && $0.has(address) })
    {
      return (near, address)
    }
    if let target = hosts.first(where: { $0.router == nil && $0.has(address) }) {
      return target.isDialable ? (target, address) : nil
    }
    guard let router = routers.first(where: { $0.address == address.with(port: 0) }),
      router !== host.router, let port = address.port, let inner = router.target(of: port),
      let target = hosts.first(where: { $0.router === router && $0.has(inner) })
    else { return nil }
    return (target, inner)
  }

  /// How `target` sees a connection from `port` of `host`.
  func visibleAddress(
    of host: SimulatedHost, to target: SimulatedHost, _ dialled: SocketAddress, port: UInt16
  ) -> SocketAddress? {
    if dialled.isUnix { return nil }
    if host === target { return dialled.with(port: port) }
    if let router = host.router, target.router !== router { return router.address.with(port: port) }
    let sameKind = host.addresses.first { $0.isIPv6 == dialled.isIPv6 }
    return (sameKind ?? host.addresses.first)?.with(port: port)
  }

  // MARK: Dials and deaths

  /// Counts a dial that begins.
  func beginDial(from: SimulatedHost, to: SimulatedHost) {
    dials[Pair(from, to), default: 0] += 1
    if from !== to, dials[Pair(to, from), default: 0] > 0 {
      runtime.counters.simultaneousDials += 1
    }
  }

  func endDial(from: SimulatedHost, to: SimulatedHost) { dials[Pair(from, to), default: 1] -= 1 }

  func forget(_ connection: SimulatedConnection) { connections.removeAll { $0 === connection } }

  func forgetEverything() {
    connections = []
    names = [:]
  }

  func processEnded(_ host: SimulatedHost) {
    eachEnd(of: host) { $0.close($1) }
    dials = dials.filter { $0.key.from != host.index }
  }

  func powerLost(_ host: SimulatedHost) {
    eachEnd(of: host) { $0.losePower($1) }
    dials = dials.filter { $0.key.from != host.index }
  }

  /// Who still believes in a connection to `host` sends again, and hears that there is none.
  func powerReturned(_ host: SimulatedHost) {
    eachEnd(of: host) { connection, _ in connection.pathChanged(resetPercent: 0) }
  }

  private func eachEnd(of host: SimulatedHost, _ body: (SimulatedConnection, Int) -> Void) {
    for connection in connections {
      for side in 0...1 where connection.hosts[side] === host { body(connection, side) }
    }
  }
}

extension SimulatedHost {
  /// Whether `address`, whatever its port, is one of this host's.
  func has(_ address: SocketAddress) -> Bool { addresses.contains(address.with(port: 0)) }
}

extension SocketAddress {
  var isLoopback: Bool {
    switch self {
    case .ipv4(let address, _): address >> 24 == 127
    case .ipv6(let high, let low, _, _): high == 0 && low == 1
    case .unix: false
    }
  }
}
