// A loop as the home of actors.

/// The executor of actors that are pinned to one event loop.
///
/// It is a different object from the loop, over the same queue. Were one class both a task executor and a serial
/// executor, the concurrency runtime would see every call between the two kinds of isolation as a change of
/// executor and queue it again (574 ns instead of 83, measured).
package final class LoopSerialExecutor: SerialExecutor, @unchecked Sendable {
  // Safe because `loop` is set once, in the loop's initialiser, before anyone else sees either object.

  /// Owns this object, and lives as long as its group.
  private unowned var loop: EventLoop?

  init() {}

  func attach(to loop: EventLoop) { self.loop = loop }

  package func enqueue(_ job: consuming ExecutorJob) {
    guard let loop else { preconditionFailure("a job for a loop that does not exist") }
    loop.enqueue(QueuedJob(job: UnownedJob(job), isIsolated: true))
  }

  package func asUnownedSerialExecutor() -> UnownedSerialExecutor {
    UnownedSerialExecutor(ordinary: self)
  }

  package func checkIsolated() {
    precondition(loop?.isCurrent == true, "code isolated to an event loop runs on another thread")
  }

  package func isIsolatingCurrentContext() -> Bool? { loop?.isCurrent }
}
