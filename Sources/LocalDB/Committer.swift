// Group commit: many bodies, one transaction, one fsync.
//
// The bodies of a batch run one after the other in one SQLite transaction, each seeing what those before it
// changed. A body that throws is undone and fails alone; if it had changed something after others had, that takes
// running the batch again. One that finds the disk or the file at fault fails alone too, after the batch has run again
// without it: a damaged page is in the way of those who need it, not of their neighbours. When the commit itself
// fails, the whole batch does.
//
// Invariants:
//   1. A write is answered, whatever the answer, only after the commit of all that its body saw has returned.
//   2. After a commit that failed with anything but a full disk, and after any sync that failed, nothing is
//      committed and the log is not copied. fsync(2) reports a lost page once; a second fsync that succeeds
//      proves nothing, and then the log is all that is known to be whole.

import Base
import Synchronization

/// Executes batches of writes on the writer's connection, one at a time.
// Safe because its owner (WriterThread, or the lock of another writer) uses it from one thread at a time; what others
// read is atomic.
final class Committer: @unchecked Sendable {
  private let connection: Connection
  private let transaction: WriteTransaction
  private let path: String
  private let reserve: DiskReserve
  private let logger: Logger
  private var failure: LocalDBError? {
    didSet { shownFailure.withLock { $0 = failure } }
  }
  /// The write whose body found the disk or the file at fault.
  private var culprit: PendingWrite?
  private let shownFailure = Mutex<LocalDBError?>(nil)
  private let room = Atomic(true)
  /// How long the log was at the last checkpoint: one that readers kept short is not repeated at once.
  private var logBytesTried = 0

  /// The number of transactions that changed something.
  let commitNumber: Atomic<UInt64>

  /// How much of the log is copied at once.
  ///
  /// A checkpoint copies pages in the order of the file and syncs once: rarer is cheaper, until the
  /// log itself weighs on memory (its index) and on the time that opening after a crash takes.
  static let checkpointBytes = 16 << 20
  /// How long the log may become.
  ///
  /// From here readers of old snapshots are waited for, so that the log cannot grow for ever under
  /// a constant load of reads.
  static let checkpointBytesMax = 64 << 20

  init(
    _ connection: Connection, path: String, commitNumber: UInt64, reserve: DiskReserve,
    logger: Logger
  ) {
    self.connection = connection
    self.transaction = WriteTransaction(connection)
    self.path = path
    self.reserve = reserve
    self.logger = logger
    self.commitNumber = Atomic(commitNumber)
    measureRoom()
  }

  /// Why nothing is written any more; for any thread.
  var whyStopped: LocalDBError? { shownFailure.withLock { $0 } }

  /// Whether the disk had more than the reserve when it was measured last; for any thread.
  var hasRoom: Bool { room.load(ordering: .relaxed) }

  /// Measures `hasRoom` anew, from any thread.
  @discardableResult
  func measureRoom() -> Bool {
    let has = LocalDB.hasRoom(path, beyond: reserve)
    if room.exchange(has, ordering: .relaxed) != has {
      if has {
        logger.info("The disk of the metadata has room again.", [("path", path)])
      } else {
        logger.warning(
          "The disk of the metadata is full: uploads are refused, reads and deletes go on. Free some space.",
          [("path", path)])
      }
    }
    return has
  }

  /// Runs and commits `writes`, and answers each of their callers.
  func commit(_ writes: [PendingWrite]) {
    guard let batch = prepare(writes) else { return }
    answer(store(batch))
  }

  // A commit in its three steps; between two of them nothing else may be asked of the committer.

  /// Writes between two steps.
  struct Batch {
    fileprivate var writes: [PendingWrite]
    fileprivate var done: [PendingWrite] = []
    fileprivate var failed: [(PendingWrite, any Error)] = []
    /// Those that were run with these and found the disk or the file at fault.
    fileprivate var culprits: [(PendingWrite, any Error)] = []
    fileprivate var failure: (any Error)?
  }

  /// Runs the bodies of `writes`, and tells the observers that they are about to be committed.
  ///
  /// - Returns: What `store` takes; `nil` when every caller has been answered.
  func prepare(_ writes: [PendingWrite]) -> Batch? {
    if let failure {
      for write in writes { write.fail(failure) }
      return nil
    }
    var batch = Batch(writes: writes)
    do {
      if try !run(writes, savepoints: false, &batch.done, &batch.failed) {
        transaction.rollBack()
        // No answer was given yet: what the bodies found the first time does not count.
        let isWhole = try run(writes, savepoints: true, &batch.done, &batch.failed)
        precondition(isWhole, "with savepoints each body can be undone alone")
      }
      try announce()
      return batch
    } catch {
      let isFull = undo(after: error)
      guard let culprit, writes.count > 1, failure == nil, !isFull else {
        answerFailure(writes, error, isFull: isFull)
        return nil
      }
      guard var rest = prepare(writes.filter { $0 !== culprit }) else {
        culprit.fail(error)
        return nil
      }
      rest.culprits.append((culprit, error))
      return rest
    }
  }

  /// Makes what was prepared durable: from here on readers see it.
  func store(_ batch: Batch) -> Batch {
    guard transaction.hasChanges else { return batch }
    var batch = batch
    do {
      try transaction.commit()
      commitNumber.wrappingAdd(1, ordering: .releasing)
    } catch {
      batch.failure = error
      if case LocalDBError.diskFull = error { return batch }
      stop(error)
    }
    return batch
  }

  /// Answers the callers of what was stored, or was not.
  func answer(_ batch: Batch) {
    defer { for (write, error) in batch.culprits { write.fail(error) } }
    if let error = batch.failure {
      return answerFailure(batch.writes, error, isFull: undo(after: error))
    }
    transaction.endCommit()
    for write in batch.done { write.succeed() }
    for (write, error) in batch.failed { write.fail(error) }
    checkpointIfLarge()
    measureRoom()
    connection.extendLog()
  }

  /// Fails every write of `batch`, whatever became of it.
  func drop(_ batch: Batch, _ error: any Error) {
    for write in batch.writes { write.fail(error) }
    for (write, _) in batch.culprits { write.fail(error) }
  }

  /// Rolls back; whether the disk was full.
  private func undo(after error: any Error) -> Bool {
    transaction.rollBack()
    stopIfSyncFailed(error)
    if case LocalDBError.diskFull = error { return true }
    return false
  }

  private func answerFailure(_ writes: [PendingWrite], _ error: any Error, isFull: Bool) {
    for write in writes { write.fail(error) }
    if isFull { startLogAnew() }
    measureRoom()
  }

  /// Runs the bodies of `batch` in a new transaction: which are to be kept, and which failed by themselves.
  ///
  /// - Returns: False when a body has failed that cannot be undone alone; never with `savepoints`.
  private func run(
    _ batch: [PendingWrite], savepoints: Bool, _ done: inout [PendingWrite],
    _ failed: inout [(PendingWrite, any Error)]
  ) throws -> Bool {
    done.removeAll(keepingCapacity: true)
    done.reserveCapacity(batch.count)
    failed.removeAll()
    culprit = nil
    try transaction.begin(savepoints: savepoints)
    for write in batch {
      transaction.beginBody()
      do {
        try write.run(transaction)
        try transaction.keepBody()
        done.append(write)
      } catch {
        if (error as? LocalDBError)?.isStorageFault == true || !connection.isInTransaction {
          culprit = write
          throw error
        }
        guard try transaction.undoBody() else { return false }
        failed.append((write, error))
      }
    }
    return true
  }

  private func announce() throws {
    guard transaction.hasChanges else { return connection.rollBack() }
    try transaction.storeGathered()
    let number = commitNumber.load(ordering: .relaxed) + 1
    try transaction.put(.database, DatabaseKey.commitNumber, number.bigEndianBytes)
    transaction.announceCommit()
  }

  /// Takes no writes from now on.
  private func stop(_ error: any Error) {
    guard failure == nil else { return }
    failure = .readOnlyAfterFailure(path: path, detail: "\(error)")
    logger.error(
      "The disk failed. No more metadata is written: check the disk and restart.",
      [("path", path), ("error", "\(error)")])
  }

  private func stopIfSyncFailed(_ error: any Error) {
    if connection.hasFailedSync { stop(error) }
  }

  // MARK: Checkpoints

  private func checkpointIfLarge() {
    // The log starts from its beginning after a complete checkpoint, and then counts from there.
    let bytes = connection.logBytes
    if bytes < logBytesTried { logBytesTried = 0 }
    guard bytes >= logBytesTried + Self.checkpointBytes else { return }
    attemptCheckpoint(bytes >= Self.checkpointBytesMax ? .restart : .passive)
  }

  /// Lets the log begin again in the room that it has, so that on a full disk what needs none goes on.
  private func startLogAnew() {
    // Nothing was committed since the last attempt.
    if connection.logBytes == logBytesTried { return }
    attemptCheckpoint(.restart)
  }

  /// Copies the log into the database file now.
  ///
  /// A failure is logged: the log keeps everything. It is tried again, but not after a failed sync: a checkpoint
  /// that readers cut short is not synced, so the next one does not repeat it, and what it wrote may be what is
  /// lost.
  func attemptCheckpoint(_ mode: Connection.CheckpointMode) {
    guard failure == nil else { return }
    logBytesTried = connection.logBytes
    do {
      try connection.checkpoint(mode)
    } catch {
      logger.error(
        "The metadata log could not be copied into the database.",
        [("path", path), ("error", "\(error)")])
      stopIfSyncFailed(error)
    }
  }

  /// Runs `body` on the writer's connection outside of any transaction.
  func administer<Value>(_ body: (Connection) throws -> Value) throws -> Value {
    if let failure { throw failure }
    do {
      return try body(connection)
    } catch {
      stopIfSyncFailed(error)
      throw error
    }
  }

  /// Closes the connection; a clean close copies the log into the database and removes it.
  func close() { connection.close(emptyingLog: failure == nil) }

  /// Closes the connection as the end of the process would: what is not committed is gone, and the log stays.
  func abandon() {
    transaction.rollBack()
    connection.close()
  }
}
