// A queue that threads take work from.

private import Glibc

/// First in, first out, with threads that start as work finds none idle.
///
/// The first thread is there from the beginning, so that work is done whatever the system refuses later: the threads
/// that there are do it then.
final class WorkQueue: @unchecked Sendable {
  // Safe because every mutable property is touched with `mutex` held.

  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private let threadsMax: Int
  private let niceness: Int32
  private var work: [(@Sendable () -> Void)?] = []
  private var head = 0
  private var threadCount = 0
  private var idleCount = 0
  private var isStopping = false

  init(threadsMax: Int, niceness: Int32) {
    self.threadsMax = threadsMax
    self.niceness = niceness
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
    threadCount = 1
    Thread.startRequired { self.takeWork() }.detach()
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  func append(_ item: @escaping @Sendable () -> Void) {
    pthread_mutex_lock(mutex)
    work.append(item)
    // An idle thread that was signalled but has not woken yet still counts as idle; so compare with the work.
    let mustStart = idleCount < work.count - head && threadCount < threadsMax && !isStopping
    if mustStart { threadCount += 1 }
    let mustSignal = idleCount > 0
    pthread_mutex_unlock(mutex)
    if mustSignal { pthread_cond_signal(condition) }
    if mustStart { startThread() }
  }

  private func startThread() {
    if let thread = Thread.start({ self.takeWork() }) { return thread.detach() }
    pthread_mutex_lock(mutex)
    threadCount -= 1
    pthread_mutex_unlock(mutex)
  }

  func stop() {
    pthread_mutex_lock(mutex)
    isStopping = true
    pthread_mutex_unlock(mutex)
    pthread_cond_broadcast(condition)
  }

  private func takeWork() {
    // Of this thread alone, as Linux has it (setpriority(2), "C library/kernel differences"). Where it is refused, the
    // thread is like others.
    if niceness != 0 { setpriority(Int32(PRIO_PROCESS.rawValue), 0, niceness) }
    while let item = next() { item() }
  }

  /// The next piece of work; `nil` when the thread is to end.
  private func next() -> (@Sendable () -> Void)? {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while head == work.count {
      if isStopping {
        threadCount -= 1
        return nil
      }
      idleCount += 1
      pthread_cond_wait(condition, mutex)
      idleCount -= 1
    }
    let item = work[head]
    work[head] = nil
    head += 1
    if head == work.count {
      work.removeAll(keepingCapacity: true)
      head = 0
    } else if head >= 1024 {
      work.removeFirst(head)
      head = 0
    }
    return item
  }
}
