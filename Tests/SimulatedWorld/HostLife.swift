// One life of a simulated host, from its start to its end: what its tasks run on.
//
// Tasks of a host are bound to the executor of the life in which they were spawned, and so are their children. When
// the life ends, what is ready is forgotten, and what becomes ready later is dropped: a dead task stays at its last
// `await` for good, as it would in a process that is gone.
//
// A task that was dropped is never freed, nor is what it holds: some kilobytes a task. The hosts' databases are
// closed and their folders removed all the same, so a process plays some thousands of seeds before that matters.

private import Synchronization

/// Runs the tasks of one life of a host.
final class HostLife: TaskExecutor, @unchecked Sendable {
  // Safe because only the world's one thread touches it: `enqueue` of a living one checks that.

  /// Where jobs run; `nil` once this life is over.
  private var world: SimulatedRuntime?
  /// What its end does, in this order.
  private var endings: [Ending] = []

  /// Something that the end of a life does.
  final class Ending {
    let action: () -> Void

    init(_ action: @escaping () -> Void) { self.action = action }
  }

  init(_ world: SimulatedRuntime) {
    self.world = world
    // Dropped tasks name their executor and do not hold it; one of them may still be cancelled.
    _ = Unmanaged.passRetained(self)
  }

  var isAlive: Bool { world != nil }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    world?.enqueue(job, of: self)
  }

  /// Lets `action` be called when this life ends, unless `forget` comes before.
  @discardableResult
  func atEnd(_ action: @escaping () -> Void) -> Ending {
    let ending = Ending(action)
    endings.append(ending)
    return ending
  }

  /// Undoes `atEnd`.
  func forget(_ ending: Ending) { endings.removeAll { $0 === ending } }

  /// Ends this life: nothing of it runs from here on.
  func end() {
    guard let world else { return }
    self.world = nil
    world.discardJobs(of: self)
    let last = endings
    endings = []
    for ending in last { ending.action() }
  }
}
