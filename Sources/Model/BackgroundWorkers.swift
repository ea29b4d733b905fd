// Tasks that run beside the requests, from start to stop.

import Base
import Synchronization

/// The tasks of a store's workers.
final class BackgroundWorkers: Sendable {
  private let runtime: any Runtime
  private let tasks = Mutex<[Task<Void, Never>]>([])

  init(_ runtime: any Runtime) { self.runtime = runtime }

  /// Starts a worker, which must end soon after it is cancelled.
  func start(_ body: @escaping @Sendable () async -> Void) {
    let task = runtime.spawn(body)
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
