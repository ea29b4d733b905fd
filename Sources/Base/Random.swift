// Randomness comes in from outside, so that a simulation can replay it.

private import CShims

/// A source of random numbers that any thread may use.
///
/// It is a reference that is passed along, unlike the standard library's `RandomNumberGenerator`, whose
/// state each holder would own.
package protocol RandomSource: AnyObject, Sendable {
  /// The next 64 random bits.
  func next() -> UInt64
}

extension RandomSource {
  /// `count` random bytes.
  package func bytes(_ count: Int) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(count + 7)
    while result.count < count {
      withUnsafeBytes(of: next()) { result.append(contentsOf: $0) }
    }
    result.removeLast(result.count - count)
    return result
  }

  /// A uniform number below `bound`, which must be positive.
  package func below(_ bound: Int) -> Int {
    precondition(bound > 0)
    // Lemire's multiply-and-shift; the bias is below bound / 2^64.
    return Int(next().multipliedFullWidth(by: UInt64(bound)).high)
  }
}

/// The kernel's generator, fit for keys and identifiers.
package final class SystemRandom: RandomSource {
  /// The one instance: it has no state.
  package static let shared = SystemRandom()

  private init() {}

  /// 64 bits of getrandom(2).
  ///
  /// Stops the process when the kernel has none to give, as going on with
  /// guessable identifiers would be worse.
  package func next() -> UInt64 {
    var value: UInt64 = 0
    precondition(cshims_random(&value, 8) == 0, "getrandom(2) failed: no randomness on this system")
    return value
  }
}
