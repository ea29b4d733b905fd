// How much strangers may keep us busy: handshakes under way, in all and from one address.
//
// A handshake costs some 200 us of a processor and a kilobyte until it has ended or timed out. Peers whose addresses are
// known have places of their own, so that strangers who take all others keep no member out.

import Base
import Reactor
import Synchronization

/// Counts handshakes under way.
final class HandshakeLimits: Sendable {
  /// From one IPv4 address, or one /64 of IPv6, which a home has: its nodes may all dial at once.
  static let perAddressMax = 8
  /// From all that are unknown together.
  static let strangersMax = 64
  /// From addresses where peers were before.
  static let knownMax = 128

  private struct State {
    var strangers = 0
    var known = 0
    var byAddress: [UInt64: Int] = [:]
  }

  private let state = Mutex(State())

  /// A place for one handshake; `nil` when there is none.
  func enter(_ address: SocketAddress?, isKnown: Bool) -> Place? {
    let key = address.map(Self.key) ?? 0
    return state.withLock { state in
      let isFree =
        isKnown ? state.known < Self.knownMax : state.strangers < Self.strangersMax
      guard isFree, state.byAddress[key, default: 0] < Self.perAddressMax else { return nil }
      state.byAddress[key, default: 0] += 1
      if isKnown { state.known += 1 } else { state.strangers += 1 }
      return Place(key: key, isKnown: isKnown)
    }
  }

  /// What `enter` gives, for `leave`.
  struct Place {
    fileprivate var key: UInt64
    fileprivate var isKnown: Bool
  }

  func leave(_ place: Place) {
    state.withLock { state in
      if place.isKnown { state.known -= 1 } else { state.strangers -= 1 }
      let count = state.byAddress[place.key, default: 1] - 1
      state.byAddress[place.key] = count > 0 ? count : nil
    }
  }

  /// What stands for the network that an address belongs to.
  static func key(_ address: SocketAddress) -> UInt64 {
    switch address.unmapped {
    case .ipv4(let address, _): UInt64(address) | 1 << 63
    case .ipv6(let high, _, _, _): high & ~(1 << 63)
    case .unix: 0
    }
  }
}
