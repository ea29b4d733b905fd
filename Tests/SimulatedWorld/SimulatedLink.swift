// What lies between two simulated hosts: conditions of the way, lines, routers, names.

import Base
package import Reactor

/// The conditions of the way from one host to another.
package struct SimulatedLink: Sendable {
  /// How long a piece travels.
  package var delay: ClosedRange<Duration> = .milliseconds(1) ... .milliseconds(20)
  /// How long connections last on average before something breaks them; `nil` for ever.
  package var meanLifetime: Duration?
  /// How often a read gets less than has arrived.
  package var shortReadPercent = 25

  package init(delay: ClosedRange<Duration> = .milliseconds(1) ... .milliseconds(20)) {
    self.delay = delay
  }

  /// A host's way to itself.
  static let local = SimulatedLink(delay: .zero ... .microseconds(50))
}

/// A host's connection to everybody, in one direction: it passes one thing at a time.
struct SimulatedLine {
  var bytesPerSecond: Int?
  private var freeAt = MonotonicInstant(nanoseconds: 0)

  var hasLimit: Bool { bytesPerSecond != nil }

  /// When `count` bytes that come now have passed.
  mutating func pass(_ count: Int, at now: MonotonicInstant) -> MonotonicInstant {
    guard let bytesPerSecond else { return now }
    freeAt = max(freeAt, now) + .nanoseconds(count * 1_000_000_000 / bytesPerSecond)
    return freeAt
  }
}

/// A router with one public address; what is behind it can dial out and is reached by forwarded ports only.
package final class SimulatedRouter: @unchecked Sendable {
  // Safe because only the world's one thread touches it.

  /// What peers outside see; see `SimulatedInternet.changeAddress`.
  package internal(set) var address: SocketAddress
  private var forwards: [UInt16: SocketAddress] = [:]

  init(address: SocketAddress) { self.address = address }

  /// Hands connections to `port` of the public address to `target`, a host behind this router and its port.
  package func forward(port: UInt16, to target: SocketAddress?) { forwards[port] = target }

  func target(of port: UInt16) -> SocketAddress? { forwards[port] }
}

/// A name that resolvers know.
package struct SimulatedName: Sendable {
  /// Addresses, without port; they may change any time.
  package var addresses: [String]
  /// How long an answer takes.
  package var delay: ClosedRange<Duration>
  /// Why there is no answer.
  package var failure: String?

  package init(
    _ addresses: [String], delay: ClosedRange<Duration> = .milliseconds(1) ... .milliseconds(30),
    failure: String? = nil
  ) {
    self.addresses = addresses
    self.delay = delay
    self.failure = failure
  }
}
