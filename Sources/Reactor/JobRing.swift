// The jobs that wait on a loop's own thread.
//
// A ring that grows by doubling and never shrinks: once warm, a job costs no allocation.
//
// Thread safety: none. It belongs to the loop's thread.

/// A job and how to run it.
struct QueuedJob: Sendable {
  var job: UnownedJob
  /// The job of an actor pinned to the loop, which runs isolated to `LoopSerialExecutor`; any other runs on
  /// the loop as a task executor.
  var isIsolated: Bool
}

struct JobRing: ~Copyable {
  private var storage: UnsafeMutablePointer<QueuedJob>
  /// A power of two.
  private var capacity = 256
  private var head = 0
  private(set) var count = 0

  init() { storage = .allocate(capacity: capacity) }

  deinit { storage.deallocate() }

  var isEmpty: Bool { count == 0 }

  mutating func append(_ job: QueuedJob) {
    if count == capacity { grow() }
    (storage + ((head &+ count) & (capacity &- 1))).initialize(to: job)
    count &+= 1
  }

  mutating func popFirst() -> QueuedJob? {
    guard count > 0 else { return nil }
    let job = (storage + head).move()
    head = (head &+ 1) & (capacity &- 1)
    count &-= 1
    return job
  }

  private mutating func grow() {
    let larger = UnsafeMutablePointer<QueuedJob>.allocate(capacity: capacity * 2)
    let firstRun = capacity - head
    larger.moveInitialize(from: storage + head, count: firstRun)
    (larger + firstRun).moveInitialize(from: storage, count: count - firstRun)
    storage.deallocate()
    storage = larger
    head = 0
    capacity *= 2
  }
}
