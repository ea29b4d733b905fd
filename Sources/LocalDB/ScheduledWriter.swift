// Writing when somebody else says so: for simulations, in which a commit takes virtual time.
//
// What waits is taken as one batch, as the writer's thread does it, and a batch goes through three steps that the
// scheduler puts apart: its bodies run, with the observers told that a commit is coming; it is committed; its callers
// are answered. So a simulated node can die, and others can read, before, between and after them.
//
// Invariants:
//   1. One batch is under way at a time; what comes meanwhile gathers for the next.
//   2. `perform`, `administer` and `close` finish what is under way and what waits first, in no time.
//   3. Nothing that was not committed survives `abandon`, and everything that was does.

private import Synchronization

/// What a batch does next.
package enum CommitStep: Sendable {
  /// Takes what waits and runs the bodies: the time that a thread takes to wake up.
  case begin
  /// Commits: the time that the disk takes.
  case commit
  /// Answers who waits.
  case answer
}

/// Decides when a database with `Options.Writing.scheduled` commits.
package protocol CommitScheduler: AnyObject, Sendable {
  /// Calls `action` once, after the time that `step` takes, or never, if its machine is off by then.
  ///
  /// Must not call it before it has returned.
  func schedule(_ step: CommitStep, _ action: @escaping @Sendable () -> Void)

  /// A database was opened; `abandon` does to it what the end of its process would (`LocalDatabase.abandon`), and
  /// nothing once it is closed.
  func didOpen(abandon: @escaping @Sendable () -> Void)
}

final class ScheduledWriter: Writer {
  /// What the batch under way waits for.
  private enum Phase {
    case idle
    case gathering
    case prepared(Committer.Batch)
    case stored(Committer.Batch)
  }

  private struct State {
    var queue: [PendingWrite] = []
    var phase = Phase.idle
    /// Names the step that was scheduled last: one that was overtaken is not done again.
    var turn = 0
    var isClosed = false
  }

  private let committer: Committer
  private let scheduler: any CommitScheduler
  private let path: String
  private let state = Mutex(State())

  init(_ committer: Committer, _ scheduler: any CommitScheduler, path: String) {
    self.committer = committer
    self.scheduler = scheduler
    self.path = path
  }

  func submit(_ write: PendingWrite) {
    state.withLock { state in
      if state.isClosed { return write.fail(LocalDBError.closed) }
      if state.queue.count >= WriterThread.queueMax { return write.fail(LocalDBError.overloaded) }
      state.queue.append(write)
      guard case .idle = state.phase else { return }
      state.phase = .gathering
      schedule(.begin, &state)
    }
  }

  private func schedule(_ step: CommitStep, _ state: inout State) {
    state.turn += 1
    let turn = state.turn
    scheduler.schedule(step) { [self] in
      self.state.withLock { state in
        guard turn == state.turn, !state.isClosed else { return }
        if let next = advance(&state) { schedule(next, &state) }
      }
    }
  }

  /// Does one step, and returns the next one of this batch or of the one that waits.
  private func advance(_ state: inout State) -> CommitStep? {
    switch state.phase {
    case .idle: break
    case .gathering:
      let count = min(state.queue.count, WriterThread.batchMax)
      let writes = Array(state.queue.prefix(count))
      state.queue.removeFirst(count)
      if let batch = committer.prepare(writes) {
        state.phase = .prepared(batch)
        return .commit
      }
      state.phase = .idle
    case .prepared(let batch):
      state.phase = .stored(committer.store(batch))
      return .answer
    case .stored(let batch):
      committer.answer(batch)
      state.phase = .idle
    }
    if state.queue.isEmpty { return nil }
    state.phase = .gathering
    return .begin
  }

  /// Finishes everything that was submitted.
  private func finish(_ state: inout State) {
    if case .idle = state.phase { return }
    state.turn += 1
    while advance(&state) != nil {}
  }

  func perform<Value>(_ body: @escaping (WriteTransaction) throws -> Value) throws -> Value {
    let write = BlockingWrite(body)
    state.withLock { state in
      guard !state.isClosed else { return }
      finish(&state)
      committer.commit([write])
    }
    return try write.result.get()
  }

  func administer<Value>(_ body: @escaping (Connection) throws -> Value) throws -> Value {
    var result: Result<Value, any Error> = .failure(LocalDBError.closed)
    state.withLock { state in
      guard !state.isClosed else { return }
      finish(&state)
      result = Result { try committer.administer(body) }
    }
    return try result.get()
  }

  func close() {
    state.withLock { state in
      guard !state.isClosed else { return }
      finish(&state)
      state.isClosed = true
      committer.close()
    }
  }

  func abandon() {
    state.withLock { state in
      guard !state.isClosed else { return }
      state.isClosed = true
      let error = LocalDBError.failure(path: path, detail: "its process has ended")
      switch state.phase {
      case .prepared(let batch): committer.drop(batch, error)
      case .stored(let batch): committer.drop(batch, error)
      case .idle, .gathering: break
      }
      for write in state.queue { write.fail(error) }
      state.queue = []
      state.phase = .idle
      committer.abandon()
    }
  }
}
