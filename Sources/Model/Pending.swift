// A task whose outcome is asked for later.

package import Base
import Synchronization

/// Work that goes on beside its starter: a block made durable while the next one arrives.
package final class Pending<Value: Sendable>: Sendable {
  private final class Outcome: Sendable {
    let result = Mutex<Result<Value, any Error>?>(nil)
  }

  private let task: Task<Void, Never>
  private let outcome: Outcome

  /// Starts `body` on `runtime`.
  package init(_ runtime: any Runtime, _ body: @escaping @Sendable () async throws -> Value) {
    let outcome = Outcome()
    self.outcome = outcome
    task = runtime.spawn {
      let result: Result<Value, any Error>
      do {
        result = .success(try await body())
      } catch {
        result = .failure(error)
      }
      outcome.result.withLock { $0 = result }
    }
  }

  /// What `body` returned or threw, once it has.
  package var value: Value {
    get async throws {
      await task.value
      guard let result = outcome.result.withLock({ $0 }) else { throw CancellationError() }
      return try result.get()
    }
  }

  /// Waits for the end, whatever it is.
  func settle() async { await task.value }

  /// Asks the work to end early.
  func cancel() { task.cancel() }
}
