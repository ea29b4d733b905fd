// How much strangers may keep us busy: handshakes under way, in all and from one address.
//
// A handshake costs some 200 us of a processor and a kilobyte until it has ended or timed out. Peers whose addresses are
// known have places of their own, so that strangers who take all others keep no member out. Nor do they keep a joiner out:
// who comes when all places of strangers are taken gets that of the one who has had his longest. An honest handshake
// takes a few round trips, so that only a flood of some hundred a second, from as many addresses, is faster than it.

import Base
package import Reactor
import Synchronization

/// Counts handshakes under way.
package final class HandshakeLimits: Sendable {
  /// From one IPv4 address, or one /64 of IPv6, which a home has: its nodes may all dial at once.
  package static let perAddressMax = 8
  /// From all that are unknown together.
  package static let strangersMax = 64
  /// From addresses where peers were before.
  static let knownMax = 128

  private struct Stranger {
    var place: Place
    var evict: @Sendable () -> Void
  }

  private struct State {
    /// The oldest first.
    var strangers: [Stranger] = []
    var known = 0
    var byAddress: [UInt64: Int] = [:]
    var nextNumber: UInt64 = 0

    mutating func free(_ key: UInt64) {
      let count = byAddress[key, default: 1] - 1
      byAddress[key] = count > 0 ? count : nil
    }
  }

  private let state = Mutex(State())

  package init() {}

  /// A place for one handshake; `nil` when there is none.
  ///
  /// - Parameter evict: Ends the handshake, as another one gets its place; may be called on any thread.
  package func enter(
    _ address: SocketAddress?, isKnown: Bool, evict: @escaping @Sendable () -> Void
  ) -> Place? {
    let key = address.map(Self.key) ?? 0
    let (place, evicted): (Place?, Stranger?) = state.withLock { state in
      guard state.byAddress[key, default: 0] < Self.perAddressMax,
        !isKnown || state.known < Self.knownMax
      else { return (nil, nil) }
      let place = Place(key: key, isKnown: isKnown, number: state.nextNumber)
      state.nextNumber += 1
      state.byAddress[key, default: 0] += 1
      if isKnown {
        state.known += 1
        return (place, nil)
      }
      state.strangers.append(Stranger(place: place, evict: evict))
      guard state.strangers.count > Self.strangersMax else { return (place, nil) }
      let oldest = state.strangers.removeFirst()
      state.free(oldest.place.key)
      return (place, oldest)
    }
    evicted?.evict()
    return place
  }

  /// What `enter` gives, for `leave`.
  package struct Place {
    fileprivate var key: UInt64
    fileprivate var isKnown: Bool
    fileprivate var number: UInt64
  }

  package func leave(_ place: Place) {
    state.withLock { state in
      if place.isKnown {
        state.known -= 1
      } else {
        // Not there any more if it was given to another.
        let index = state.strangers.firstIndex { $0.place.number == place.number }
        guard let index else { return }
        state.strangers.remove(at: index)
      }
      state.free(place.key)
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
