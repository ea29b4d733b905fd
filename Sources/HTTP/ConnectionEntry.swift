// One connection, as the one who may have to end it sees it.
//
// A connection is ended by cancelling its task. That must happen only while it waits for its client, and for shutdowns
// only while it waits for a request: so each entry says which it is, and changes that by one atomic exchange.
//
// Invariants:
//   1. A connection that is busy, in a handler or between two waits, is not ended before the grace is over.
//   2. What `heldBytes` of all entries say is what the registry counts, but for those that have been ended.
//   3. The task is touched under the lock only, and gone from here before it can have ended.

import Base
private import Synchronization

/// A connection of a server.
package final class ConnectionEntry: Sendable {
  private enum Phase {
    static let busy: UInt8 = 0
    /// It waits for a request.
    static let idle: UInt8 = 1
    /// It waits for its client in the middle of something.
    static let waiting: UInt8 = 2
    static let ended: UInt8 = 3
  }

  private struct Handle: @unchecked Sendable {
    // Safe because of invariant 3.
    var task: UnsafeCurrentTask?
    var isCancelled = false
  }

  /// In the order of arrival.
  let number: UInt64
  private let registry: ConnectionRegistry
  private let phase = Atomic<UInt8>(Phase.busy)
  /// When the wait began, in nanoseconds.
  private let since = Atomic<UInt64>(0)
  private let held = Atomic<Int>(0)
  private let handle = Mutex(Handle())

  init(number: UInt64, registry: ConnectionRegistry) {
    self.number = number
    self.registry = registry
  }

  /// Runs `body`, the life of the connection, in the calling task, which `stop` cancels.
  nonisolated(nonsending) func run(_ body: nonisolated(nonsending) () async -> Void) async {
    withUnsafeCurrentTask { task in
      handle.withLock { handle in
        handle.task = task
        if handle.isCancelled { task?.cancel() }
      }
    }
    await body()
    handle.withLock { $0.task = nil }
  }

  // MARK: Waits

  /// The connection begins to wait for a request.
  func becomeIdle(since start: MonotonicInstant) {
    since.store(start.nanoseconds, ordering: .relaxed)
    phase.store(Phase.idle, ordering: .sequentiallyConsistent)
  }

  /// A request has begun to arrive; `false` when the connection has been ended meanwhile.
  func becomeBusy() -> Bool {
    phase.compareExchange(
      expected: Phase.idle, desired: Phase.busy, ordering: .sequentiallyConsistent
    ).exchanged
  }

  /// The connection begins to wait for its client, since `start`, and holds `bytes` of memory meanwhile.
  ///
  /// When too many bytes are held, the task may be cancelled right away.
  func beginWait(since start: MonotonicInstant, holding bytes: Int) {
    since.store(start.nanoseconds, ordering: .relaxed)
    held.store(bytes, ordering: .relaxed)
    let (isWaiting, _) = phase.compareExchange(
      expected: Phase.busy, desired: Phase.waiting, ordering: .sequentiallyConsistent)
    if isWaiting, bytes > 0 { registry.hold(bytes) }
  }

  /// The wait is over.
  func endWait() {
    let (isOver, _) = phase.compareExchange(
      expected: Phase.waiting, desired: Phase.busy, ordering: .sequentiallyConsistent)
    if isOver { registry.release(held.exchange(0, ordering: .relaxed)) }
  }

  /// Since when the connection has been waiting for its client, and what it holds; `nil` when it does not wait.
  var wait: (since: UInt64, heldBytes: Int)? {
    switch phase.load(ordering: .sequentiallyConsistent) {
    case Phase.idle: (since.load(ordering: .relaxed), 0)
    case Phase.waiting: (since.load(ordering: .relaxed), held.load(ordering: .relaxed))
    default: nil
    }
  }

  // MARK: The end

  /// Ends the connection if it waits for a request, or, unless `onlyIdle`, for anything else of its client.
  ///
  /// - Returns: Whether it does end by this call; `stop` must follow.
  func endWaiting(onlyIdle: Bool) -> Bool {
    if ends(from: Phase.idle) { return true }
    guard !onlyIdle, ends(from: Phase.waiting) else { return false }
    registry.release(held.exchange(0, ordering: .relaxed))
    return true
  }

  private func ends(from state: UInt8) -> Bool {
    phase.compareExchange(
      expected: state, desired: Phase.ended, ordering: .sequentiallyConsistent
    ).exchanged
  }

  func stop() {
    handle.withLock { handle in
      handle.isCancelled = true
      handle.task?.cancel()
    }
  }
}
