// One suspended task of the simulated world: how everything there waits.

package import Base

/// A place where one task waits once: for `wake`, a deadline, or its cancellation, whichever comes first.
package final class SimulatedWait: @unchecked Sendable {
  // Safe because only the runtime's one thread touches it; a cancellation from another thread stops the
  // process in `SimulatedRuntime.cancel` or `enqueue`.

  /// What ended the wait.
  package enum Outcome: Sendable {
    case woken, timedOut, cancelled
  }

  private let runtime: SimulatedRuntime
  private var continuation: UnsafeContinuation<Outcome, Never>?
  private var timer: SimulatedTimer?
  private var outcome: Outcome?

  package init(_ runtime: SimulatedRuntime) { self.runtime = runtime }

  /// Waits.
  package nonisolated(nonsending) func park(deadline: MonotonicInstant) async -> Outcome {
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        if let outcome {
          continuation.resume(returning: outcome)
          return
        }
        self.continuation = continuation
        if deadline != .distantFuture {
          timer = runtime.at(deadline) { self.end(.timedOut) }
        }
      }
    } onCancel: {
      end(.cancelled)
    }
  }

  /// Ends the wait; nothing happens when it has ended.
  package func wake() { end(.woken) }

  private func end(_ outcome: Outcome) {
    guard self.outcome == nil else { return }
    self.outcome = outcome
    if let timer { runtime.cancel(timer) }
    timer = nil
    continuation?.resume(returning: outcome)
    continuation = nil
  }
}
