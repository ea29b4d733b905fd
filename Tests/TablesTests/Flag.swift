import Synchronization

/// Something that happens once.
final class Flag: Sendable {
  private let value = Atomic(false)

  var isSet: Bool { value.load(ordering: .relaxed) }

  /// Sets it; whether it was not set before.
  @discardableResult
  func set() -> Bool { !value.exchange(true, ordering: .relaxed) }
}

/// A number that tasks share.
final class Counter: Sendable {
  private let number: Mutex<UInt64>

  init(_ value: UInt64 = 0) { number = Mutex(value) }

  var value: UInt64 {
    get { number.withLock { $0 } }
    set { number.withLock { $0 = newValue } }
  }

  /// Adds one, and returns what it was.
  @discardableResult
  func add() -> UInt64 {
    number.withLock { number in
      defer { number += 1 }
      return number
    }
  }
}
