// A descriptor that a loop watches, and the tasks that wait for it.
//
// Whoever reads tries first and waits only when the kernel says EAGAIN. Events are edges: they come once, when
// something changes. Two things keep one from being lost. The wait begins on the loop's thread with no suspension
// after the EAGAIN, so the loop cannot take an event in between. And an edge that finds nobody waiting is
// remembered (`isReady`), which the wait looks at first: remembering too much costs a call that says EAGAIN
// again; forgetting one would hang a connection.
//
// Invariants:
//   1. Everything is touched on the loop's thread only. `close` and a cancellation may start on another and come
//      over as actions.
//   2. A continuation is in `continuation` exactly while its task waits; taking it out and resuming it is one step
//      (`finish`). So nobody is resumed twice.
//   3. Every wait has a ticket, and a cancellation names the one it is for: one that comes too late ends nothing.
//   4. `descriptor` is -1 from the moment it is closed. No call is made on a number that the kernel may have given
//      to someone else since.
//   5. A side is drained from a read that gave less than there was room for until the next edge: the kernel reports
//      whatever arrives after such a read (epoll(7), "edge-triggered"), so nobody need ask it in between.
//   6. One timer serves both directions. It is due no later than the earliest deadline waited for, and is moved
//      only to an earlier time or when it fires; so a read whose deadline lies behind the timer's costs nothing.

import Base
private import Glibc

private import CLinux

/// A registered descriptor.
final class Channel: @unchecked Sendable {
  // Safe because of invariant 1.

  enum Direction: Sendable { case reading, writing }

  /// What ends a wait.
  enum Outcome: Sendable { case ready, timedOut, cancelled, closed }

  private struct Side {
    var continuation: UnsafeContinuation<Outcome, Never>?
    var ticket: UInt64 = 0
    var deadline = MonotonicInstant.distantFuture
    /// An edge came while nobody waited.
    var isReady = false
    /// The kernel had nothing more, and no edge came since.
    var isDrained = false
  }

  let loop: EventLoop
  private(set) var descriptor: Int32
  private var token: ChannelToken?
  private var reading = Side()
  private var writing = Side()
  private var tickets: UInt64 = 0
  private var timer: LoopTimer?
  /// The kernel has told of the end of what the peer sends.
  private var hasEnded = false

  /// Takes over `descriptor`, which must be non-blocking, and watches it.
  ///
  /// Must be called on the loop's thread.
  ///
  /// - Throws: `StreamError.disconnected` when the kernel cannot watch it; it is closed then.
  init(adopting descriptor: Int32, on loop: EventLoop) throws {
    precondition(loop.isCurrent, "a descriptor given to the loop of another thread")
    self.loop = loop
    self.descriptor = descriptor
    token = loop.register(self, descriptor: descriptor)
    if token == nil {
      let reason = errno
      closeDescriptor()
      throw StreamError.disconnected(errno: reason)
    }
  }

  // MARK: Reading

  /// What a read begins with: it will see what all edges so far were about.
  func willRead() { reading.isReady = false }

  /// Says that a read gave less than there was room for.
  ///
  /// The end of the stream may have come in the same edge as its last bytes, and brings no other.
  func didDrain() { reading.isDrained = !hasEnded }

  /// Whether a read would find nothing.
  var isDrained: Bool { reading.isDrained && !reading.isReady }

  // MARK: Waiting

  /// What every operation begins with.
  nonisolated(nonsending) func beginOperation() async throws {
    precondition(loop.isCurrent, "a stream used on a thread other than its loop's")
    try Task.checkCancellation()
    await loop.takeTurn()
  }

  /// The descriptor, for one call made at once.
  func openDescriptor() throws -> Int32 {
    guard descriptor >= 0 else { throw StreamError.disconnected(errno: 0) }
    return descriptor
  }

  /// Waits for an edge.
  ///
  /// To be called after the kernel said EAGAIN, with no suspension in between, and followed by another try.
  nonisolated(nonsending) func wait(
    for direction: Direction, deadline: MonotonicInstant
  ) async throws {
    tickets &+= 1
    let ticket = tickets
    let outcome = await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        park(continuation, direction, ticket: ticket, deadline: deadline)
      }
    } onCancel: {
      // On the canceller's thread; if the task was cancelled before, even ahead of `park`. Deferred either way.
      loop.execute { self.cancel(direction, ticket: ticket) }
    }
    switch outcome {
    case .ready: return
    case .timedOut: throw StreamError.timedOut
    case .cancelled: throw CancellationError()
    case .closed: throw StreamError.disconnected(errno: 0)
    }
  }

  private subscript(direction: Direction) -> Side {
    get { direction == .reading ? reading : writing }
    _modify {
      if direction == .reading { yield &reading } else { yield &writing }
    }
  }

  private func park(
    _ continuation: UnsafeContinuation<Outcome, Never>, _ direction: Direction, ticket: UInt64,
    deadline: MonotonicInstant
  ) {
    if descriptor < 0 {
      continuation.resume(returning: .closed)
      return
    }
    if self[direction].isReady {
      self[direction].isReady = false
      continuation.resume(returning: .ready)
      return
    }
    precondition(self[direction].continuation == nil, "two tasks use one direction of a stream")
    self[direction].continuation = continuation
    self[direction].ticket = ticket
    self[direction].deadline = deadline
    if deadline != .distantFuture { setTimer(for: deadline) }
  }

  private func finish(_ direction: Direction, _ outcome: Outcome) {
    guard let continuation = self[direction].continuation else { return }
    self[direction].continuation = nil
    continuation.resume(returning: outcome)
  }

  private func cancel(_ direction: Direction, ticket: UInt64) {
    if self[direction].ticket == ticket { finish(direction, .cancelled) }
  }

  // MARK: Events

  /// Takes what epoll said.
  func handle(events: UInt32) {
    let broken = EPOLLHUP.rawValue | EPOLLERR.rawValue
    if events & (EPOLLRDHUP.rawValue | broken) != 0 { hasEnded = true }
    if events & (EPOLLIN.rawValue | EPOLLRDHUP.rawValue | broken) != 0 { signal(.reading) }
    if events & (EPOLLOUT.rawValue | broken) != 0 { signal(.writing) }
  }

  /// Wakes who waits for `direction`, or remembers it for the next who does.
  func signal(_ direction: Direction) {
    self[direction].isDrained = false
    if self[direction].continuation != nil {
      finish(direction, .ready)
    } else {
      self[direction].isReady = true
    }
  }

  private func setTimer(for deadline: MonotonicInstant) {
    let timer = self.timer ?? LoopTimer { [unowned self] in timerFired() }
    self.timer = timer
    loop.scheduleNoLater(timer, than: deadline)
  }

  private func timerFired() {
    let now = SystemClock.now
    for direction in [Direction.reading, .writing]
    where self[direction].continuation != nil && self[direction].deadline <= now {
      finish(direction, .timedOut)
    }
    var next = MonotonicInstant.distantFuture
    if reading.continuation != nil { next = min(next, reading.deadline) }
    if writing.continuation != nil { next = min(next, writing.deadline) }
    if next != .distantFuture { setTimer(for: next) }
  }

  // MARK: Closing

  /// Closes the descriptor and ends both waits; from another thread, soon.
  func close() {
    if loop.isCurrent {
      closeNow()
    } else {
      loop.execute { self.closeNow() }
    }
  }

  private func closeNow() {
    closeDescriptor()
    finish(.reading, .closed)
    finish(.writing, .closed)
  }

  /// Closes the descriptor because the loop ends; who waits, waits for ever.
  func abandon() { closeDescriptor() }

  private func closeDescriptor() {
    guard descriptor >= 0 else { return }
    if let timer { loop.cancel(timer) }
    timer = nil
    if let token { loop.unregister(token, descriptor: descriptor) }
    token = nil
    Glibc.close(descriptor)
    descriptor = -1
  }
}
