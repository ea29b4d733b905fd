// A write that waits for its commit.

/// One body and who waits for it.
///
/// Exactly one of `succeed` and `fail` is called, once, after the commit that decided.
// Safe because it is handed from its caller to the writer under a lock, and then touched by the writer alone
// until it answers.
class PendingWrite: @unchecked Sendable {
  /// Runs the body and keeps its result.
  func run(_ transaction: WriteTransaction) throws {}

  /// Hands the result to who waits.
  func succeed() {}

  /// Hands `error` to who waits.
  func fail(_ error: any Error) {}
}

/// A write whose caller is a suspended task.
// Safe as PendingWrite is.
final class SuspendedWrite<Value: Sendable>: PendingWrite, @unchecked Sendable {
  private let body: @Sendable (WriteTransaction) throws -> Value
  private let continuation: UnsafeContinuation<Value, any Error>
  private var value: Value?

  init(
    _ body: @escaping @Sendable (WriteTransaction) throws -> Value,
    _ continuation: UnsafeContinuation<Value, any Error>
  ) {
    self.body = body
    self.continuation = continuation
  }

  override func run(_ transaction: WriteTransaction) throws { value = try body(transaction) }

  override func succeed() {
    if let value {
      continuation.resume(returning: value)
    } else {
      continuation.resume(throwing: LocalDBError.closed)
    }
  }

  override func fail(_ error: any Error) { continuation.resume(throwing: error) }
}

/// A write whose caller holds its thread: at start-up, and with inline writing.
// Safe as PendingWrite is: the caller reads `result` after `wake`.
final class BlockingWrite<Value>: PendingWrite, @unchecked Sendable {
  private let body: (WriteTransaction) throws -> Value
  private(set) var result: Result<Value, any Error> = .failure(LocalDBError.closed)
  private let wake: () -> Void

  /// - Parameter wake: Called when `result` is set.
  init(_ body: @escaping (WriteTransaction) throws -> Value, wake: @escaping () -> Void = {}) {
    self.body = body
    self.wake = wake
  }

  override func run(_ transaction: WriteTransaction) throws {
    result = .success(try body(transaction))
  }

  override func succeed() { wake() }

  override func fail(_ error: any Error) {
    result = .failure(error)
    wake()
  }
}
