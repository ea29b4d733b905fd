// Something to wait for: a time, or a ring.

private import Synchronization

/// Lets one task sleep until a deadline, or until somebody rings.
///
/// A ring while nobody sleeps is kept for the next who does.
package final class Bell: Sendable {
  private struct State {
    var isRung = false
    var sleeper: Task<Void, Never>?
  }

  private let state = Mutex(State())

  /// A bell that was not rung.
  package init() {}

  /// Wakes who sleeps.
  package func ring() {
    let sleeper = state.withLock { state in
      state.isRung = true
      return state.sleeper
    }
    sleeper?.cancel()
  }

  /// Sleeps.
  ///
  /// - Throws: `CancellationError` when the calling task is cancelled.
  package nonisolated(nonsending) func sleep(
    until deadline: MonotonicInstant, on runtime: any Runtime
  ) async throws {
    let sleeper = runtime.spawn {
      _ = try? await runtime.sleep(until: deadline)
    }
    let isRung = state.withLock { state in
      state.sleeper = sleeper
      return state.isRung
    }
    if isRung { sleeper.cancel() }
    await withTaskCancellationHandler {
      await sleeper.value
    } onCancel: {
      sleeper.cancel()
    }
    state.withLock { state in
      state.isRung = false
      state.sleeper = nil
    }
    try Task.checkCancellation()
  }
}
