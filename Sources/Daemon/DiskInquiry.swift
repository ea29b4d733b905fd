// What only a disk knows, asked for where a disk that hangs holds up nobody.
//
// statvfs(2) of a dead disk may never return. So one thread asks; whoever wants to know waits for it for a while,
// and then makes do with the last answer there was.
//
// Invariants:
//   1. One question is under way at a time. Whoever comes meanwhile waits for the next one, which all of them share:
//      an answer is never older than what it answers, and nothing piles up behind a disk that hangs.
//   2. A question is asked only while somebody waits for it.

package import Base
private import Synchronization

/// A question to disks.
package final class DiskInquiry<Answer: Sendable>: Sendable {
  private let runtime: any Runtime
  private let ask: @Sendable () -> Answer
  private let state: Mutex<State>

  private struct State {
    var last: Answer
    var isAsking = false
    /// Who waits for the next question's answer.
    var callers: [Caller<Answer>] = []
  }

  /// Asks for the first time, holding the thread.
  package init(_ runtime: any Runtime, ask: @escaping @Sendable () -> Answer) {
    self.runtime = runtime
    self.ask = ask
    state = Mutex(State(last: ask()))
  }

  /// The answer or, when it does not come in time, the last one there was.
  ///
  /// - Returns: The answer, and whether it is that of now.
  package nonisolated(nonsending) func answer(within patience: Duration) async -> (Answer, Bool) {
    let caller = Caller<Answer>()
    let mustAsk = state.withLock { state in
      state.callers.append(caller)
      defer { state.isAsking = true }
      return !state.isAsking
    }
    if mustAsk { runtime.spawn { await self.inquire() } }
    let end = runtime.spawn { [runtime] in
      do { try await runtime.sleep(for: patience) } catch { return }
      caller.give(nil)
    }
    let answer = await caller.answer()
    end.cancel()
    if let answer { return (answer, true) }
    return state.withLock { state in
      state.callers.removeAll { $0 === caller }
      return (state.last, false)
    }
  }

  /// Asks as long as somebody waits.
  private nonisolated(nonsending) func inquire() async {
    while let callers = nextCallers() {
      let answer = try? await runtime.blocking(.inquiring, ask)
      if let answer { state.withLock { $0.last = answer } }
      for caller in callers { caller.give(answer) }
    }
  }

  private func nextCallers() -> [Caller<Answer>]? {
    state.withLock { state in
      defer { state.callers = [] }
      state.isAsking = !state.callers.isEmpty
      return state.isAsking ? state.callers : nil
    }
  }
}

/// Someone who waits for an answer, for a while.
private final class Caller<Answer: Sendable>: Sendable {
  private enum Phase {
    case new
    case waiting(UnsafeContinuation<Answer?, Never>)
    case given(Answer?)
  }

  private let phase = Mutex(Phase.new)

  /// What is given first; `nil` also when the task is cancelled.
  nonisolated(nonsending) func answer() async -> Answer? {
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        let given: Answer?? = phase.withLock { phase in
          if case .given(let answer) = phase { return .some(answer) }
          phase = .waiting(continuation)
          return nil
        }
        if let given { continuation.resume(returning: given) }
      }
    } onCancel: {
      give(nil)
    }
  }

  /// Ends the waiting; nothing happens when it has ended.
  func give(_ answer: Answer?) {
    let waiting: UnsafeContinuation<Answer?, Never>? = phase.withLock { phase in
      switch phase {
      case .new:
        phase = .given(answer)
        return nil
      case .waiting(let continuation):
        phase = .given(answer)
        return continuation
      case .given: return nil
      }
    }
    waiting?.resume(returning: answer)
  }
}
