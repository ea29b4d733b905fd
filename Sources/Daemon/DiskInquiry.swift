// What only a disk knows, asked for where a disk that hangs holds up nobody.
//
// statvfs(2) of a dead disk may never return. So one thread asks; whoever wants to know waits for it for a while,
// and then makes do with the last answer there was.

private import Base
package import Reactor
private import Synchronization

/// A question to disks, with a thread of its own: a disk that hangs must not take one from the blocks of others.
package final class DiskInquiry<Answer: Sendable>: Sendable {
  private let runtime: EventLoopGroup
  private let pool = BlockingPool(threadsMax: 1)
  private let ask: @Sendable () -> Answer
  private let last: Mutex<Answer>

  /// While a disk hangs, callers give up but their calls stay queued; beyond this many further ones do not join them.
  ///
  /// More than ask at one time while the disk answers.
  private static var waitingMax: Int { 256 }

  /// Asks for the first time, holding the thread.
  package init(_ runtime: EventLoopGroup, ask: @escaping @Sendable () -> Answer) {
    self.runtime = runtime
    self.ask = ask
    last = Mutex(ask())
  }

  /// The answer or, when it does not come in time, the last one there was.
  ///
  /// Must be called on an event loop.
  ///
  /// - Returns: The answer, and whether it is that of now.
  package nonisolated(nonsending) func answer(within patience: Duration) async -> (Answer, Bool) {
    if pool.waitingCount < Self.waitingMax {
      let answer = try? await pool.runAbandonably(deadline: runtime.now + patience) {
        let answer = self.ask()
        self.last.withLock { $0 = answer }
        return answer
      }
      if let answer { return (answer, true) }
    }
    return (last.withLock { $0 }, false)
  }
}
