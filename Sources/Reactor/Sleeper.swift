// A task that waits for a time.

import Base

/// One sleep: ended by its timer or by its task's cancellation, whichever reaches the loop first.
final class Sleeper: @unchecked Sendable {
  // Safe because the mutable properties are touched on the loop's thread only. Both `begin` and `cancel` come
  // there as actions when they start elsewhere, and either may come first.

  private let loop: EventLoop
  private var continuation: UnsafeContinuation<Bool, Never>?
  private var timer: LoopTimer?
  private var isCancelled = false

  init(on loop: EventLoop) { self.loop = loop }

  /// Suspends the caller, which may be on any thread.
  ///
  /// At most once.
  nonisolated(nonsending) func sleep(until deadline: MonotonicInstant) async throws {
    let cameToEnd = await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        if loop.isCurrent {
          begin(continuation, deadline: deadline)
        } else {
          loop.execute { self.begin(continuation, deadline: deadline) }
        }
      }
    } onCancel: {
      loop.execute { self.cancel() }
    }
    if !cameToEnd { throw CancellationError() }
  }

  private func begin(_ continuation: UnsafeContinuation<Bool, Never>, deadline: MonotonicInstant) {
    if isCancelled {
      continuation.resume(returning: false)
      return
    }
    self.continuation = continuation
    if deadline == .distantFuture { return }
    let timer = LoopTimer { self.end(true) }
    self.timer = timer
    loop.schedule(timer, at: deadline)
  }

  private func cancel() {
    isCancelled = true
    end(false)
  }

  private func end(_ cameToEnd: Bool) {
    guard let continuation else { return }
    self.continuation = nil
    if let timer { loop.cancel(timer) }
    timer = nil
    continuation.resume(returning: cameToEnd)
  }
}
