// Group commit: many bodies, one transaction, one fsync.
//
// The bodies of a batch run one after the other in one SQLite transaction, each seeing what those before it
// changed. A body that throws undoes itself (a savepoint) and fails alone. When the disk or the
// file is at fault the whole batch fails: nobody is told "done" before the commit that says so.
//
// Invariants:
//   1. A write succeeds only after the commit that contains it has returned.
//   2. After a commit that failed with anything but a full disk, and after any sync that failed, nothing is
//      committed and the log is not copied. fsync(2) reports a lost page once; a second fsync that succeeds
//      proves nothing, and then the log is all that is known to be whole.

import Base
import Synchronization

/// Executes batches of writes on the writer's connection, one at a time.
// Safe because its owner (WriterThread, or the lock of InlineWriter) uses it from one thread at a time;
// what others read is atomic.
final class Committer: @unchecked Sendable {
  private let connection: Connection
  private let transaction: WriteTransaction
  private let path: String
  private let logger: Logger
  private var failure: LocalDBError?
  /// How long the log was at the last checkpoint: one that readers kept short is not repeated at once.
  private var logPagesTried = 0

  /// The number of transactions that changed something.
  let commitNumber: Atomic<UInt64>

  /// How many pages of log are copied at once: 16 MiB.
  ///
  /// A checkpoint copies pages in the order of the file and syncs once: rarer is cheaper, until the
  /// log itself weighs on memory (its index) and on the time that opening after a crash takes.
  static let checkpointPages = 4096
  /// How long the log may become: 64 MiB.
  ///
  /// From here readers of old snapshots are waited for, so that the log cannot grow for ever under
  /// a constant load of reads.
  static let checkpointPagesMax = 16384

  init(_ connection: Connection, path: String, commitNumber: UInt64, logger: Logger) {
    self.connection = connection
    self.transaction = WriteTransaction(connection)
    self.path = path
    self.logger = logger
    self.commitNumber = Atomic(commitNumber)
  }

  /// Runs and commits `batch`, and answers each write's caller.
  func commit(_ batch: [PendingWrite]) {
    if let failure {
      for write in batch { write.fail(failure) }
      return
    }
    var done: [PendingWrite] = []
    done.reserveCapacity(batch.count)
    do {
      try transaction.begin()
      try run(batch, &done)
      try finish()
    } catch {
      connection.rollBack()
      stopIfSyncFailed(error)
      // `run` answers the writes that failed by themselves; everyone else shares the fault.
      for write in batch where !answered.contains(ObjectIdentifier(write)) { write.fail(error) }
      answered.removeAll()
      return
    }
    answered.removeAll()
    transaction.runActions()
    for write in done { write.succeed() }
    checkpointIfLarge()
  }

  /// The writes of the current batch that failed alone and have their answer.
  private var answered: Set<ObjectIdentifier> = []

  private func run(_ batch: [PendingWrite], _ done: inout [PendingWrite]) throws {
    for write in batch {
      transaction.beginBody(alone: batch.count == 1)
      do {
        try write.run(transaction)
        try transaction.keepBody()
        done.append(write)
      } catch {
        if (error as? LocalDBError)?.isStorageFault == true || !connection.isInTransaction {
          throw error
        }
        try transaction.undoBody()
        answered.insert(ObjectIdentifier(write))
        write.fail(error)
      }
    }
  }

  private func finish() throws {
    guard transaction.hasChanges else { return connection.rollBack() }
    let number = commitNumber.load(ordering: .relaxed) + 1
    transaction.beginBody(alone: true)
    try transaction.put(.database, DatabaseKey.commitNumber, number.bigEndianBytes)
    do {
      try connection.commitTransaction()
    } catch let error as LocalDBError {
      if case .diskFull = error { throw error }
      stop(error)
      throw error
    }
    commitNumber.store(number, ordering: .releasing)
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
    let pages = connection.logPages
    if pages < logPagesTried { logPagesTried = 0 }
    guard pages >= logPagesTried + Self.checkpointPages else { return }
    attemptCheckpoint(pages >= Self.checkpointPagesMax ? .restart : .passive)
  }

  /// Copies the log into the database file now.
  ///
  /// A failure is logged: the log keeps everything. It is tried again, but not after a failed sync: a checkpoint
  /// that readers cut short is not synced, so the next one does not repeat it, and what it wrote may be what is
  /// lost.
  func attemptCheckpoint(_ mode: Connection.CheckpointMode) {
    guard failure == nil else { return }
    logPagesTried = connection.logPages
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
}
