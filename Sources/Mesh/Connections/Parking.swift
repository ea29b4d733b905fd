// One task that waits for something that another does.

import Synchronization

/// A continuation that is resumed once, or none.
///
/// A value for inside of a lock; `wake` is called inside, what it returns is resumed outside, if it matters.
struct Parking: ~Copyable, Sendable {
  private var continuation: UnsafeContinuation<Void, Never>?

  init() {}

  /// Whether a task waits.
  var isTaken: Bool { continuation != nil }

  /// Lets the task of `continuation` wait here.
  mutating func park(_ continuation: UnsafeContinuation<Void, Never>) {
    precondition(self.continuation == nil, "two tasks wait in one place")
    self.continuation = continuation
  }

  /// Wakes the task, if one waits.
  ///
  /// Resuming only hands the task to its executor, so that it may be done under a lock.
  mutating func wake() {
    continuation?.resume()
    continuation = nil
  }
}
