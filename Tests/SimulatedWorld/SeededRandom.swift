// Random numbers that a seed repeats.

import Base
private import Synchronization

/// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators").
package final class SeededRandom: RandomSource {
  private let state: Mutex<UInt64>

  package init(seed: UInt64) { state = Mutex(seed) }

  package func next() -> UInt64 {
    state.withLock { state in
      state &+= 0x9E37_79B9_7F4A_7C15
      var mixed = state
      mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
      mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
      return mixed ^ (mixed >> 31)
    }
  }

  /// A duration between the bounds, both included.
  package func duration(in range: ClosedRange<Duration>) -> Duration {
    let low = range.lowerBound.wholeNanoseconds
    let high = range.upperBound.wholeNanoseconds
    guard high > low else { return range.lowerBound }
    return .nanoseconds(low + Int64(below(Int(high - low) + 1)))
  }
}
