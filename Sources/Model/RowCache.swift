// Values made of rows of fully replicated tables, kept until one of those tables changes here.
//
// Who a client is and what a bucket's name means is asked with every request, and changes a few times a year.
// A kept value is what reading the local rows now would give: it carries the number of changes that its tables had
// before it was read, and counts as long as there was no further one.
//
// Invariants:
//   1. A change is counted before its writer is answered, so whoever writes reads what was written.
//   2. Only what was found is kept: before "no" a majority is asked each time.

import Synchronization

/// A cache in front of tables.
package final class RowCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private struct State {
    var changeNumber: UInt64 = 0
    var values: [Key: Value] = [:]
  }

  /// More keys and buckets than a home cluster uses at a time; beyond it the cache starts over.
  private static var countMax: Int { 1024 }

  private let changeNumber: @Sendable () -> UInt64
  private let state = Mutex(State())

  /// - Parameter changeNumber: How many changes the tables have had, together.
  package init(changeNumber: @escaping @Sendable () -> UInt64) { self.changeNumber = changeNumber }

  /// The value kept for `key`, or else what `read` finds.
  package func value(_ key: Key, read: () async throws -> Value?) async throws -> Value? {
    let number = changeNumber()
    let kept = state.withLock { $0.changeNumber == number ? $0.values[key] : nil }
    if let kept { return kept }
    guard let value = try await read() else { return nil }
    state.withLock { state in
      // Somebody who read later knows better.
      guard state.changeNumber <= number else { return }
      if state.changeNumber < number || state.values.count >= Self.countMax {
        state.values.removeAll(keepingCapacity: true)
      }
      state.changeNumber = number
      state.values[key] = value
    }
    return value
  }
}
