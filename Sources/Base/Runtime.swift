// What the world gives to code that decides: time, randomness, tasks, and threads for blocking calls.
//
// The real one is the Reactor's, over epoll and a pool of threads. The simulated one
// (Tests/SimulatedWorld) has one thread, virtual time and a seeded order, so that a test of something
// timed takes no time and a failing seed can be replayed. Code that takes a `Runtime` runs on both;
// code that reads a clock, sleeps or spawns in any other way runs on neither.

/// Which threads run a call that blocks.
package enum BlockingLane: Sendable {
  /// Everything that may wait for a disk to write.
  case writing
  /// Reads that someone waits for: they go on while every thread of the other lanes waits for an fsync.
  case reading
  /// What waits for nothing but takes the processor for milliseconds: one thread, which takes what the loops leave.
  case computing
  /// Questions that only a disk answers, and one that hangs never: one thread, so that it takes none from the others.
  case inquiring
}

/// The services of the runtime that a task runs on.
package protocol Runtime: AnyObject, Sendable {
  /// Monotonic time.
  var now: MonotonicInstant { get }

  /// Wall time.
  var wallNow: WallTime { get }

  /// Randomness.
  var random: any RandomSource { get }

  /// Suspends the calling task until `deadline`.
  ///
  /// - Throws: `CancellationError` as soon as the task is cancelled.
  nonisolated(nonsending) func sleep(until deadline: MonotonicInstant) async throws

  /// Starts a task that runs on this runtime; on the real one, on the loop of the caller or, from
  /// outside, on the first loop.
  @discardableResult
  func spawn(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never>

  /// Runs a call that may block (a file write, an fsync) where it holds up no loop, and resumes the caller
  /// where it was. Not cancellable once it has begun.
  nonisolated(nonsending) func blocking<Value: Sendable>(
    _ lane: BlockingLane, _ body: @escaping @Sendable () throws -> Value
  ) async throws -> Value
}

extension Runtime {
  /// As `blocking(_:_:)`, on the lane of what writes.
  package nonisolated(nonsending) func blocking<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value
  ) async throws -> Value {
    try await blocking(.writing, body)
  }

  /// Lets the other tasks of the loop run, in the middle of work that would keep it for milliseconds.
  ///
  /// - Throws: `CancellationError` when the task is cancelled.
  package nonisolated(nonsending) func letOthersRun() async throws {
    try await sleep(until: now)
  }

  /// Suspends the calling task for `duration`.
  ///
  /// - Throws: `CancellationError` as soon as the task is cancelled.
  package nonisolated(nonsending) func sleep(for duration: Duration) async throws {
    try await sleep(until: now + duration)
  }
}
