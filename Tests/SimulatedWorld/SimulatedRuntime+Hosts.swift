// Worlds with hosts.

import Base
import Reactor
import TestStorage

extension SimulatedRuntime {
  /// Runs `body` in a world of its own, and takes the world apart afterwards: hosts that run are killed, and folders
  /// removed.
  ///
  /// - Throws: What `body` throws, or `SimulationError`.
  @discardableResult
  package static func withWorld<Value: Sendable>(
    seed: UInt64, _ body: @escaping @Sendable (SimulatedRuntime) async throws -> Value
  ) throws -> Value {
    let world = SimulatedRuntime(seed: seed)
    defer { world.takeApart() }
    return try world.run { try await body(world) }
  }

  /// Ends the life of every host, removes their folders, and forgets what could still happen.
  package func takeApart() {
    guard !hosts.isEmpty else { return forgetEverything() }
    for host in hosts { host.endLife(.off) }
    net.forgetEverything()
    forgetEverything()
    folder.empty()
    hosts = []
  }

  /// Adds a host, which runs.
  ///
  /// - Parameters:
  ///   - address: Its address; `nil` for the next one of 203.0.113.0/24, or of 192.168.1.0/24 behind a router.
  ///   - clockOffset: How far its wall clock is ahead.
  @discardableResult
  package func addHost(
    _ name: String, address: String? = nil, behind router: SimulatedRouter? = nil,
    clockOffset: Duration = .zero
  ) -> SimulatedHost {
    precondition(!hosts.contains { $0.name == name }, "two hosts are called \(name)")
    let text = address ?? (router == nil ? "203.0.113." : "192.168.1.") + "\(hosts.count + 1)"
    guard let address = SocketAddress(ip: text, port: 0) else {
      preconditionFailure("\(text) is no address")
    }
    let host = SimulatedHost(
      self, name: name, addresses: [address], router: router, clockOffset: clockOffset)
    hosts.append(host)
    return host
  }

  /// Adds a router, whose hosts share its public address and are reached through `SimulatedRouter.forward` only.
  package func addRouter(address: String) -> SimulatedRouter {
    guard let address = SocketAddress(ip: address, port: 0) else {
      preconditionFailure("\(address) is no address")
    }
    return net.addRouter(address)
  }
}
