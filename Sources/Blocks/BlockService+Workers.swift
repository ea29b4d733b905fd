// What the block layer does by itself.

import Base
import Synchronization

extension BlockService {
  /// How often the deletion queue is looked at, unless the deletion delay is shorter than four times that.
  private static let deletionPauseMax: Duration = .seconds(60)
  /// Waits after an error (the database is closing, a disk does not answer) before the next try.
  private static let errorPause: Duration = .seconds(30)

  /// Starts deleting and sweeping in the background.
  package func start() {
    let deleting = runtime.spawn { await self.keepDeleting() }
    let sweeping = runtime.spawn { await self.keepSweeping() }
    workers.withLock { $0 += [deleting, sweeping] }
  }

  /// Stops the background work and notes that the node stopped cleanly.
  ///
  /// No `put` may be under way or come later.
  package nonisolated(nonsending) func stop() async {
    await abandon()
    guard sweeps.withLock({ $0.isDone }) else { return }
    do {
      try await state.markClean(store.directories)
    } catch {
      logger.warning("The clean stop could not be noted.", [("error", "\(error)")])
    }
  }

  /// Stops the background work as a crash would: the next start looks for files without references.
  package nonisolated(nonsending) func abandon() async {
    let tasks = workers.withLock { tasks in
      defer { tasks = [] }
      return tasks
    }
    for task in tasks { task.cancel() }
    for task in tasks { await task.value }
  }

  private nonisolated(nonsending) func keepDeleting() async {
    let pause = min(Self.deletionPauseMax, max(options.deletionDelay / 4, .milliseconds(100)))
    await repeating("Deleting blocks failed; it will be tried again.") {
      if try await deleteDue() == 0 { try await runtime.sleep(for: pause) }
    }
  }

  private nonisolated(nonsending) func keepSweeping() async {
    await repeating("Looking for block files without references failed; it will be tried again.") {
      if sweeps.withLock({ $0.isDone }) { try await runtime.sleep(for: options.sweepInterval) }
      let noted = sweeps.withLock { $0.noted }
      let report = try await sweep()
      if store.directories.areAllThere {
        sweeps.withLock { $0.finish(noted) }
      } else {
        // What is on the others is swept by the start that finds them.
        try await runtime.sleep(for: options.sweepInterval)
      }
      if report.filesWithoutReference > 0 {
        logger.info(
          "Block files without references were found and will be deleted.",
          [("count", "\(report.filesWithoutReference)")])
      }
    }
  }

  private nonisolated(nonsending) func repeating(
    _ complaint: String, _ turn: nonisolated(nonsending) () async throws -> Void
  ) async {
    while !Task.isCancelled {
      do {
        try await turn()
      } catch is CancellationError {
        return
      } catch {
        logger.warning(complaint, [("error", "\(error)")])
        do { try await runtime.sleep(for: Self.errorPause) } catch { return }
      }
    }
  }
}
