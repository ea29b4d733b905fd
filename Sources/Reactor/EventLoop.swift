// One thread that runs tasks and waits for sockets.
//
// A turn of the loop: run a bounded number of jobs, run the actions that other parts of the reactor left, wait in
// epoll for events (not at all when there is more to run), take over what other threads queued, fire the timers
// that are due. Tasks come to a loop through `Task(executorPreference:)` and stay: children and awaited
// continuations return to it, so that a connection's state is touched by one thread only.
//
// Invariants:
//   1. Everything but `remote` is touched by the loop's thread only, once `run` has begun.
//   2. No wake-up is lost: the loop goes to sleep only after it found `remote` empty and set `isAsleep` under the
//      same lock; whoever adds to `remote` and finds `isAsleep` clears it and writes to the eventfd.
//   3. A descriptor is registered with epoll once, edge-triggered for both directions, until it is closed.
//   4. A turn is bounded: jobs that queue further jobs cannot keep sockets and timers waiting.
//   5. A loop outlives everything pinned to it; its group owns it.

import Base
private import CLinux
private import CShims
private import Glibc
private import Synchronization

/// An event loop; a task executor for connections and whatever else waits.
package final class EventLoop: TaskExecutor, @unchecked Sendable {
  // Safe because of invariant 1; `remote` is a mutex.

  /// The loop's place in its group.
  package let index: Int
  /// The executor for actors pinned to this loop.
  package let serialExecutor = LoopSerialExecutor()
  /// Looks up names, on threads apart from those that write files: a dead DNS server must not hold up a disk.
  let resolverPool: BlockingPool

  /// What other threads hand over.
  private struct Remote {
    var jobs: [QueuedJob] = []
    var actions: [@Sendable () -> Void] = []
    var isAsleep = false
    var isStopping = false
  }

  private let remote = Mutex(Remote())
  private let epoll: Int32
  private let wakeUp: Int32

  private var jobs = JobRing()
  private var actions: [@Sendable () -> Void] = []
  private var arrivedJobs: [QueuedJob] = []
  private var channels = ChannelTable()
  private var timers = TimerHeap()
  private var isStopping = false
  private var operations = 0

  /// How many jobs run between two looks at the sockets.
  ///
  /// Enough to spread the cost of epoll_wait(2), few enough that at some microseconds a job nothing
  /// waits a millisecond.
  private static let jobsPerTurnMax = 128
  /// How many events one epoll_wait(2) may return.
  private static let eventsPerTurnMax = 256
  /// How many socket operations a job may do without suspending before it has to let others run.
  ///
  /// A peer that sends faster than we read would keep the loop to itself otherwise.
  private static let operationsPerJobMax = 4
  /// How many timers fire between two looks at the sockets.
  ///
  /// Who waits for no time at all, to let others run (`Runtime.letOthersRun`), does so by a timer: a crowd of them must
  /// not all come before those who have just arrived.
  private static let timersPerTurnMax = 16

  init(index: Int, resolverPool: BlockingPool) {
    self.index = index
    self.resolverPool = resolverPool
    epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    wakeUp = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
    precondition(
      epoll >= 0 && wakeUp >= 0, "no descriptors left for an event loop: raise `ulimit -n`")
    serialExecutor.attach(to: self)
    // Edge-triggered, so the counter need not be read: each write is an event.
    var event = epoll_event()
    event.events = EPOLLIN.rawValue | EPOLLET.rawValue
    event.data.u64 = 0
    let added = epoll_ctl(epoll, EPOLL_CTL_ADD, wakeUp, &event)
    precondition(added == 0, "epoll_ctl failed: errno \(errno)")
  }

  deinit {
    Glibc.close(epoll)
    Glibc.close(wakeUp)
  }

  /// The loop that runs on the calling thread, if any.
  package static var current: EventLoop? {
    guard let pointer = cshims_current_loop() else { return nil }
    return Unmanaged<EventLoop>.fromOpaque(pointer).takeUnretainedValue()
  }

  /// Whether the calling thread is this loop's.
  package var isCurrent: Bool {
    cshims_current_loop() == Unmanaged.passUnretained(self).toOpaque()
  }

  // MARK: Work

  package func enqueue(_ job: consuming ExecutorJob) {
    enqueue(QueuedJob(job: UnownedJob(job), isIsolated: false))
  }

  func enqueue(_ job: QueuedJob) {
    if isCurrent {
      jobs.append(job)
    } else {
      handOver { $0.jobs.append(job) }
    }
  }

  /// Runs `action` on the loop's thread, later: never before the caller returns.
  ///
  /// Actions that one thread leaves run in order.
  package func execute(_ action: @escaping @Sendable () -> Void) {
    if isCurrent {
      actions.append(action)
    } else {
      handOver { $0.actions.append(action) }
    }
  }

  /// Ends `run` after the current turn.
  func stop() { handOver { $0.isStopping = true } }

  private func handOver(_ change: (inout Remote) -> Void) {
    let mustWake = remote.withLock { remote in
      change(&remote)
      defer { remote.isAsleep = false }
      return remote.isAsleep
    }
    if mustWake {
      var one: UInt64 = 1
      _ = Glibc.write(wakeUp, &one, 8)
    }
  }

  /// Counts a socket operation of the current job; when it has had its share, lets the others run.
  nonisolated(nonsending) func takeTurn() async {
    operations &+= 1
    guard operations > Self.operationsPerJobMax else { return }
    operations = 0
    await withUnsafeContinuation { continuation in
      execute { continuation.resume() }
    }
  }

  // MARK: The thread

  /// Runs the loop on the calling thread until `stop`.
  ///
  /// What is suspended then stays suspended; descriptors are closed.
  func run() {
    let outer = cshims_current_loop()
    cshims_set_current_loop(Unmanaged.passUnretained(self).toOpaque())
    defer { cshims_set_current_loop(outer) }
    let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: Self.eventsPerTurnMax)
    defer { events.deallocate() }
    while !isStopping {
      runJobs()
      runActions()
      let count = epoll_wait(epoll, events, Int32(Self.eventsPerTurnMax), waitMilliseconds())
      takeRemote()
      for position in 0..<max(0, Int(count)) {
        let event = events[position]
        channels[ChannelToken(rawValue: event.data.u64)]?.handle(events: event.events)
      }
      fireTimers()
    }
    for channel in channels.all { channel.abandon() }
  }

  private func runJobs() {
    let taskExecutor = asUnownedTaskExecutor()
    let isolation = serialExecutor.asUnownedSerialExecutor()
    var left = Self.jobsPerTurnMax
    while left > 0, let entry = jobs.popFirst() {
      left -= 1
      operations = 0
      if entry.isIsolated {
        entry.job.runSynchronously(isolatedTo: isolation, taskExecutor: taskExecutor)
      } else {
        entry.job.runSynchronously(on: taskExecutor)
      }
    }
  }

  private func runActions() {
    guard !actions.isEmpty else { return }
    var current: [@Sendable () -> Void] = []
    swap(&current, &actions)
    for action in current { action() }
  }

  /// How long epoll may wait; from here until `takeRemote` other threads write to the eventfd.
  private func waitMilliseconds() -> Int32 {
    if !jobs.isEmpty || !actions.isEmpty { return 0 }
    let mayWait = remote.withLock { remote in
      guard remote.jobs.isEmpty, remote.actions.isEmpty, !remote.isStopping else { return false }
      remote.isAsleep = true
      return true
    }
    guard mayWait else { return 0 }
    guard let deadline = timers.nextDeadline else { return -1 }
    let now = SystemClock.now
    if deadline <= now { return 0 }
    // Rounded up, so that the timer is due when epoll returns; at most an hour, as epoll takes 32 bits.
    let milliseconds = (deadline.nanoseconds - now.nanoseconds + 999_999) / 1_000_000
    return Int32(min(milliseconds, 3_600_000))
  }

  private func takeRemote() {
    remote.withLock { remote in
      remote.isAsleep = false
      isStopping = remote.isStopping
      swap(&remote.jobs, &arrivedJobs)
      if !remote.actions.isEmpty {
        actions.append(contentsOf: remote.actions)
        remote.actions.removeAll(keepingCapacity: true)
      }
    }
    for job in arrivedJobs { jobs.append(job) }
    arrivedJobs.removeAll(keepingCapacity: true)
  }

  // MARK: Timers, on the loop's thread

  private func fireTimers() {
    guard timers.count > 0 else { return }
    let now = SystemClock.now
    var left = Self.timersPerTurnMax
    while left > 0, let timer = timers.popDue(at: now) {
      left -= 1
      timer.fire()
    }
  }

  /// Sets or moves `timer`.
  func schedule(_ timer: LoopTimer, at deadline: MonotonicInstant) {
    timers.schedule(timer, at: deadline)
  }

  /// Sets `timer` unless it is due by `deadline` anyway.
  func scheduleNoLater(_ timer: LoopTimer, than deadline: MonotonicInstant) {
    if let set = timers.deadline(of: timer), set <= deadline { return }
    timers.schedule(timer, at: deadline)
  }

  /// Takes `timer` out.
  func cancel(_ timer: LoopTimer) { timers.cancel(timer) }

  // MARK: Channels, on the loop's thread

  /// Watches `descriptor` for `channel` until `unregister`.
  ///
  /// - Returns: the token, or `nil` with `errno` set when the kernel refuses.
  func register(_ channel: Channel, descriptor: Int32) -> ChannelToken? {
    let token = channels.insert(channel)
    var event = epoll_event()
    event.events =
      EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue
    event.data.u64 = token.rawValue
    if epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0 { return token }
    let reason = errno
    channels.remove(token)
    errno = reason
    return nil
  }

  /// Forgets the channel; events of its that are still to come find nothing.
  ///
  /// Must precede closing `descriptor`.
  ///
  /// Closing alone would not do: the registration stays while any duplicate of the descriptor is open.
  func unregister(_ token: ChannelToken, descriptor: Int32) {
    channels.remove(token)
    epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, nil)
  }
}
