// The tasks that wait for one thing.

import Base
import Reactor

/// Tasks that wait until something changes; each looks for itself whether it is what it needs.
final class SimulatedWaits {
  private let runtime: SimulatedRuntime
  private var waits: [SimulatedWait] = []

  init(_ runtime: SimulatedRuntime) { self.runtime = runtime }

  nonisolated(nonsending) func wait(deadline: MonotonicInstant) async throws {
    let wait = SimulatedWait(runtime)
    waits.append(wait)
    let outcome = await wait.park(deadline: deadline)
    waits.removeAll { $0 === wait }
    switch outcome {
    case .woken: return
    case .timedOut: throw StreamError.timedOut
    case .cancelled: throw CancellationError()
    }
  }

  func wakeAll() { for wait in waits { wait.wake() } }
}
