// Threads for calls that block: file writes, fsync, name lookups.
//
// A caller hands in a closure and suspends; a thread of the pool runs it; the caller resumes where it was, on its
// loop. The first thread is there from the beginning; the others start when they are needed.
//
// The queue is bounded by its callers: each has one call in it and waits for it, so it holds at most one entry for
// every task, and a caller that finds it long is held up, which is the back-pressure that a limit would give.
//
// Invariants:
//   1. A caller is resumed exactly once: every change of a call's phase happens under its lock, and who moves it to
//      `ended` resumes it.
//   2. A call that was cancelled before a thread took it never runs; one that began is awaited to its end, except by
//      `runAbandonably`.

package import Base
private import Glibc
private import Synchronization

/// At most so many threads that run what would hold up a loop.
package final class BlockingPool: Sendable {
  private let queue: WorkQueue

  /// A pool that starts up to `threadsMax` threads, which `niceness` (0 to 19) puts behind others for the processor.
  package init(threadsMax: Int, niceness: Int32 = 0) {
    queue = WorkQueue(threadsMax: threadsMax, niceness: niceness)
  }

  deinit { queue.stop() }

  /// Runs `body` on a thread of the pool.
  ///
  /// - Throws: what `body` throws; `CancellationError` if the task was cancelled before `body` began.
  package nonisolated(nonsending) func run<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value
  ) async throws -> Value {
    let call = BlockingCall(body)
    return try await withTaskCancellationHandler {
      try await withUnsafeThrowingContinuation { continuation in
        if call.begin(continuation) { queue.append { call.perform() } }
      }
    } onCancel: {
      call.give(up: CancellationError(), evenIfRunning: false)
    }
  }

  /// Runs `body` like `run`, but does not wait for it beyond `deadline` or a cancellation: it then
  /// runs to its end for nobody.
  ///
  /// Must be called on an event loop.
  ///
  /// - Throws: what `body` throws, `StreamError.timedOut`, `CancellationError`.
  package nonisolated(nonsending) func runAbandonably<Value: Sendable>(
    deadline: MonotonicInstant, _ body: @escaping @Sendable () throws -> Value
  ) async throws -> Value {
    guard let loop = EventLoop.current else { preconditionFailure("not on an event loop") }
    let call = BlockingCall(body)
    let timer = LoopTimer { call.give(up: StreamError.timedOut, evenIfRunning: true) }
    if deadline != .distantFuture { loop.schedule(timer, at: deadline) }
    defer { loop.cancel(timer) }
    return try await withTaskCancellationHandler {
      try await withUnsafeThrowingContinuation { continuation in
        if call.begin(continuation) { queue.append { call.perform() } }
      }
    } onCancel: {
      call.give(up: CancellationError(), evenIfRunning: true)
    }
  }

  /// Lets the threads end once the queue is empty; calls that come later never run.
  func stop() { queue.stop() }
}

/// One call, its caller, and who is first.
private final class BlockingCall<Value: Sendable>: Sendable {
  private typealias Continuation = UnsafeContinuation<Value, any Error>

  private enum Phase {
    case new
    case waiting(Continuation)
    case running(Continuation)
    case ended((any Error)?)
  }

  private let phase = Mutex(Phase.new)
  private let body: @Sendable () throws -> Value

  init(_ body: @escaping @Sendable () throws -> Value) { self.body = body }

  /// Notes the caller; `false` when the call was given up first, and the caller is resumed.
  func begin(_ continuation: UnsafeContinuation<Value, any Error>) -> Bool {
    let refusal: (any Error)? = phase.withLock { phase in
      if case .ended(let error) = phase { return error ?? CancellationError() }
      phase = .waiting(continuation)
      return nil
    }
    if let refusal { continuation.resume(throwing: refusal) }
    return refusal == nil
  }

  /// Runs the body and resumes the caller, on a thread of the pool.
  func perform() {
    let isWanted = phase.withLock { phase in
      guard case .waiting(let continuation) = phase else { return false }
      phase = .running(continuation)
      return true
    }
    guard isWanted else { return }
    let result = Result { try body() }
    let continuation: Continuation? = phase.withLock { phase in
      guard case .running(let continuation) = phase else { return nil }
      phase = .ended(nil)
      return continuation
    }
    continuation?.resume(with: result)
  }

  /// Resumes the caller with `error` unless the call has ended, or runs and is not to be given up then.
  func give(up error: any Error, evenIfRunning: Bool) {
    let continuation: Continuation? = phase.withLock { phase in
      switch phase {
      case .new:
        phase = .ended(error)
        return nil
      case .waiting(let continuation):
        phase = .ended(error)
        return continuation
      case .running(let continuation):
        guard evenIfRunning else { return nil }
        phase = .ended(error)
        return continuation
      case .ended: return nil
      }
    }
    continuation?.resume(throwing: error)
  }
}
