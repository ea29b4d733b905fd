// How often strangers may guess: a token's secret has 128 bits, so this bounds what guessing costs us, not its success.

import Base
import Mesh
import Reactor
import Synchronization

/// Counts proofs that were wrong, from one address and from all.
final class JoinTries: Sendable {
  /// Wrong proofs a minute: a person who mistypes does not reach them, as a mistyped token is none.
  static let perAddressMax = 10
  static let perMinuteMax = 100
  private static let window: Duration = .seconds(60)

  private struct State {
    var windowEnd = MonotonicInstant(nanoseconds: 0)
    var total = 0
    var byHost: [String: Int] = [:]
  }

  private let state = Mutex(State())

  /// Whether `address` may try.
  func mayTry(_ address: SocketAddress?, now: MonotonicInstant) -> Bool {
    state.withLock { state in
      if now >= state.windowEnd { state = State(windowEnd: now + Self.window) }
      return state.total < Self.perMinuteMax
        && state.byHost[address?.host ?? "", default: 0] < Self.perAddressMax
    }
  }

  /// Notes a wrong proof.
  func failed(_ address: SocketAddress?) {
    state.withLock { state in
      state.total += 1
      state.byHost[address?.host ?? "", default: 0] += 1
    }
  }
}
