// The thread that writes.
//
// It takes whatever is queued as one batch. While one batch waits for the disk, the next one gathers: the
// slower the disk, the larger the batches, and the throughput holds.

private import Glibc

/// A queue of writes and the thread that executes it.
// Safe because the queue's fields are read and written under `mutex`, and the committer is used by
// the thread alone.
final class WriterThread: Writer, @unchecked Sendable {
  /// The most bodies in one transaction: bounds the time until the first of them is answered.
  static let batchMax = 512
  /// The most writes that wait.
  ///
  /// Each holds a suspended request, and 16,384 are seconds of work: further ones are better told
  /// to come back.
  static let queueMax = 16_384

  private let committer: Committer
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>
  private var queue: [PendingWrite] = []
  /// Runs between transactions, in order, before the writes that wait.
  private var chores: [(Committer) -> Void] = []
  private var isWaiting = false
  private var isClosing = false
  private var thread = pthread_t()

  init(_ committer: Committer) throws {
    self.committer = committer
    mutex = .allocate(capacity: 1)
    condition = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
    let context = Unmanaged.passRetained(self)
    let result = pthread_create(
      &thread, nil,
      { context in
        if let context { Unmanaged<WriterThread>.fromOpaque(context).takeRetainedValue().work() }
        return nil
      }, context.toOpaque())
    guard result == 0 else {
      context.release()
      throw LocalDBError.failure(path: "", detail: "no thread for writing: errno \(result)")
    }
  }

  deinit {
    pthread_mutex_destroy(mutex)
    pthread_cond_destroy(condition)
    mutex.deallocate()
    condition.deallocate()
  }

  func submit(_ write: PendingWrite) {
    if let refusal = enqueue({ self.queue.append(write) }, bounded: true) { write.fail(refusal) }
  }

  func perform<Value>(_ body: @escaping (WriteTransaction) throws -> Value) throws -> Value {
    let done = Semaphore()
    let write = BlockingWrite(body, wake: done.signal)
    if let refusal = enqueue({ self.queue.append(write) }, bounded: false) { throw refusal }
    done.wait()
    return try write.result.get()
  }

  func administer<Value>(_ body: @escaping (Connection) throws -> Value) throws -> Value {
    let done = Semaphore()
    var result: Result<Value, any Error> = .failure(LocalDBError.closed)
    let chore = { (committer: Committer) in
      result = Result { try committer.administer(body) }
      done.signal()
    }
    if let refusal = enqueue({ self.chores.append(chore) }, bounded: false) { throw refusal }
    done.wait()
    return try result.get()
  }

  func close() {
    pthread_mutex_lock(mutex)
    let first = !isClosing
    isClosing = true
    pthread_cond_signal(condition)
    pthread_mutex_unlock(mutex)
    guard first else { return }
    // The last reference to the database may go away in a body, on the thread itself.
    if pthread_equal(thread, pthread_self()) != 0 {
      pthread_detach(thread)
    } else {
      pthread_join(thread, nil)
    }
  }

  func abandon() { preconditionFailure("a thread cannot be stopped in the middle of a commit") }

  private func enqueue(_ append: () -> Void, bounded: Bool) -> LocalDBError? {
    pthread_mutex_lock(mutex)
    if isClosing || (bounded && queue.count >= Self.queueMax) {
      let error: LocalDBError = isClosing ? .closed : .overloaded
      pthread_mutex_unlock(mutex)
      return error
    }
    append()
    let wake = isWaiting
    isWaiting = false
    pthread_mutex_unlock(mutex)
    if wake { pthread_cond_signal(condition) }
    return nil
  }

  private func work() {
    while let (chores, batch) = next() {
      for chore in chores { chore(committer) }
      if !batch.isEmpty { committer.commit(batch) }
    }
    committer.close()
  }

  /// The next work, or `nil` when closing and nothing is left.
  private func next() -> ([(Committer) -> Void], [PendingWrite])? {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while queue.isEmpty && chores.isEmpty {
      if isClosing { return nil }
      isWaiting = true
      pthread_cond_wait(condition, mutex)
    }
    isWaiting = false
    let taken = chores
    chores = []
    if queue.count <= Self.batchMax {
      let batch = queue
      queue = []
      return (taken, batch)
    }
    let batch = Array(queue.prefix(Self.batchMax))
    queue.removeFirst(Self.batchMax)
    return (taken, batch)
  }
}

/// Lets one thread wait for another, once.
// Safe because sem_t is made for several threads.
private final class Semaphore: @unchecked Sendable {
  private let semaphore: UnsafeMutablePointer<sem_t>

  init() {
    semaphore = .allocate(capacity: 1)
    sem_init(semaphore, 0, 0)
  }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }

  func signal() { sem_post(semaphore) }

  func wait() { while sem_wait(semaphore) != 0 {} }
}
