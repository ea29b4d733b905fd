// Which connections a server has, so that it can stop.
//
// A connection that is told to stop is cancelled in the middle of a read. That must happen only while it
// waits for a request: so each entry says whether it is idle, and changes that by one atomic exchange.
//
// Invariants:
//   1. An entry that has become busy is not cancelled before the grace is over.
//   2. After `beginShutdown` no entry becomes idle: it either sees the flag, or is seen idle and cancelled.

private import Synchronization

/// One connection, as the one who stops it sees it.
package final class ConnectionEntry: Sendable {
  private enum Phase {
    static let busy = 0
    static let idle = 1
    static let stopped = 2
  }

  private struct Handle {
    var task: Task<Void, Never>?
    var isCancelled = false
  }

  private let phase = Atomic<Int>(Phase.busy)
  private let handle = Mutex(Handle())

  package init() {}

  /// Names the task that serves the connection.
  func setTask(_ task: Task<Void, Never>) {
    let isCancelled = handle.withLock { handle in
      handle.task = task
      return handle.isCancelled
    }
    if isCancelled { task.cancel() }
  }

  /// The connection begins to wait for a request.
  func becomeIdle() { phase.store(Phase.idle, ordering: .sequentiallyConsistent) }

  /// A request has begun to arrive; `false` when the connection has been stopped meanwhile.
  func becomeBusy() -> Bool {
    phase.compareExchange(
      expected: Phase.idle, desired: Phase.busy, ordering: .sequentiallyConsistent
    ).exchanged
  }

  func stopIfIdle() {
    let (isStopped, _) = phase.compareExchange(
      expected: Phase.idle, desired: Phase.stopped, ordering: .sequentiallyConsistent)
    if isStopped { stop() }
  }

  func stop() {
    let task = handle.withLock { handle in
      handle.isCancelled = true
      return handle.task
    }
    task?.cancel()
  }
}

/// All connections of one server.
final class ConnectionRegistry: Sendable {
  private struct State {
    var entries: [UInt64: ConnectionEntry] = [:]
    var lastNumber: UInt64 = 0
    var waiters: [CheckedContinuation<Void, Never>] = []
  }

  private let state = Mutex(State())
  private let shuttingDown = Atomic<Bool>(false)
  private let connectionsMax: Int

  init(connectionsMax: Int) { self.connectionsMax = connectionsMax }

  var isShuttingDown: Bool { shuttingDown.load(ordering: .sequentiallyConsistent) }

  var count: Int { state.withLock { $0.entries.count } }

  /// Adds a connection; `nil` when there are too many or the server is stopping.
  func add() -> (number: UInt64, entry: ConnectionEntry)? {
    state.withLock { state in
      guard state.entries.count < connectionsMax, !isShuttingDown else { return nil }
      state.lastNumber += 1
      let entry = ConnectionEntry()
      state.entries[state.lastNumber] = entry
      return (state.lastNumber, entry)
    }
  }

  func remove(_ number: UInt64) {
    let waiters = state.withLock { state in
      state.entries[number] = nil
      return state.entries.isEmpty ? takeWaiters(&state) : []
    }
    for waiter in waiters { waiter.resume() }
  }

  /// Refuses new connections and stops the idle ones.
  func beginShutdown() {
    shuttingDown.store(true, ordering: .sequentiallyConsistent)
    for entry in entries { entry.stopIfIdle() }
  }

  /// Stops all connections.
  func stopAll() {
    for entry in entries { entry.stop() }
  }

  /// Returns once there is no connection, or `stopWaiting` is called.
  func waitUntilEmpty() async {
    await withCheckedContinuation { continuation in
      let isEmpty = state.withLock { state in
        if !state.entries.isEmpty { state.waiters.append(continuation) }
        return state.entries.isEmpty
      }
      if isEmpty { continuation.resume() }
    }
  }

  func stopWaiting() {
    for waiter in state.withLock({ takeWaiters(&$0) }) { waiter.resume() }
  }

  private func takeWaiters(_ state: inout State) -> [CheckedContinuation<Void, Never>] {
    let waiters = state.waiters
    state.waiters = []
    return waiters
  }

  /// In the order of their arrival, which a simulation can repeat.
  private var entries: [ConnectionEntry] {
    state.withLock { state in
      state.entries.sorted { $0.key < $1.key }.map(\.value)
    }
  }
}
