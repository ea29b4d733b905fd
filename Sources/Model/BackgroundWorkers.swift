// Tasks that run beside the requests, from start to stop.

import Base
import Synchronization

/// The tasks of a store's workers.
final class BackgroundWorkers: Sendable {
  /// The least rest after a pass that failed: what failed, the database, may need an operator.
  private static let restMin: Duration = .seconds(60)

  private let runtime: any Runtime
  private let logger: Logger
  private let tasks = Mutex<[Task<Void, Never>]>([])

  init(_ runtime: any Runtime, logger: Logger) {
    self.runtime = runtime
    self.logger = logger
  }

  /// Starts a worker that does `pass` now and every `interval`; `pass` must end soon after it is cancelled.
  ///
  /// - Parameter failure: What an operator reads when a pass failed.
  func start(
    every interval: Duration, failure: StaticString,
    _ pass: @escaping @Sendable () async throws -> Void
  ) {
    let task = runtime.spawn { [runtime, logger] in
      while !Task.isCancelled {
        do {
          try await pass()
          try await runtime.sleep(for: interval)
        } catch is CancellationError {
          return
        } catch {
          logger.warning("\(failure)", [("error", "\(error)")])
          try? await runtime.sleep(for: max(interval, Self.restMin))
        }
      }
    }
    tasks.withLock { $0.append(task) }
  }

  /// Cancels the workers and waits for them.
  func stop() async {
    let running = tasks.withLock { tasks in
      defer { tasks = [] }
      return tasks
    }
    for task in running { task.cancel() }
    for task in running { await task.value }
  }
}
