// Ordered trees and transactions over one SQLite database: all metadata of a node.
//
// Reads run on the calling thread, on a connection of their own, and see one snapshot. Writes go to one
// writer, which commits whatever waits as one transaction. SQLite stays behind this target: above it there
// are trees of byte strings. The format is docs/formats/metadata-database.md.
//
// Invariants:
//   1. `write` returns after the changes are as durable as `fsync` says, never before.
//   2. One process has a folder open.
//   3. A damaged or newer database is refused, and left as it is.
//
// Limits: a tree's keys are at most 8 KiB and its values 16 MiB.

package import Base
private import Synchronization

/// The tag of `Incarnation`.
package enum IncarnationTag: Sendable {}

/// Names one life of a metadata database: new when it is created, or may have lost commits.
package typealias Incarnation = Identifier16<IncarnationTag>

/// A node's metadata database, open.
package final class LocalDatabase: Sendable {
  /// How to open a database.
  package struct Options: Sendable {
    /// Who executes writes.
    package enum Writing: Sendable {
      /// A thread of its own, which commits what has gathered as one transaction.
      case thread
      /// The caller, one transaction a write: for tests and simulations.
      case inline
      /// The scheduler's caller, several writes a transaction, when the scheduler says so: for simulations, in which a
      /// commit takes time.
      case scheduled(any CommitScheduler)
    }

    /// The metadata folder; it is made if missing.
    package var path: String
    /// Whether a commit waits for stable storage.
    ///
    /// Without it a power cut loses the last commits.
    package var fsync = true
    /// Memory for pages, all connections together.
    package var cacheBytes = 16 << 20
    /// Who executes writes.
    package var writing = Writing.thread
    /// How many reader connections are kept while idle: the number of threads that read at a time.
    package var readersMax = 4
    /// What is left of the disk when `hasRoom` becomes false.
    package var reserve = DiskReserve.automatic
    package var logger = Logger.disabled
    /// The SQLite VFS to open files with; `nil` for the one that holds them for this process alone.
    ///
    /// Tests inject failing disks.
    package var vfs: String?

    /// Everything at its default.
    package init(path: String) { self.path = path }
  }

  /// This life of the database.
  package let incarnation: Incarnation
  /// Whether there was no database in the folder before.
  package let wasCreated: Bool

  private let options: Options
  private let file: String
  private let committer: Committer
  private let writer: any Writer
  private let readers: ReaderPool
  private let lock: Mutex<FolderLock?>
  private let trees = Mutex<[String: Tree]>([:])
  private let isClosed = Mutex(false)

  /// Opens the database in `options.path`, and creates it when there is none.
  ///
  /// - Throws: `LocalDBError`: `.inUse`, `.newerDatabase`, `.corrupt`, `.diskFull`, `.failure`.
  package static func open(_ options: Options, random: any RandomSource) throws -> LocalDatabase {
    try LocalDatabase(options, random: random)
  }

  private init(_ options: Options, random: any RandomSource) throws {
    self.options = options
    try makeFolder(options.path)
    lock = Mutex(try FolderLock(folder: options.path))
    file = DatabaseOpening.file(in: options.path)
    let opening = DatabaseOpening(options: options, file: file, random: random)
    let opened = try opening.open()
    incarnation = opened.incarnation
    wasCreated = opened.wasCreated
    committer = Committer(
      opened.writer, path: file, commitNumber: opened.commitNumber, reserve: options.reserve,
      logger: options.logger)
    switch options.writing {
    case .thread: writer = try WriterThread(committer)
    case .inline: writer = InlineWriter(committer)
    case .scheduled(let scheduler): writer = ScheduledWriter(committer, scheduler, path: file)
    }
    readers = ReaderPool(
      path: file, cacheBytes: opening.readerCacheBytes, idleMax: options.readersMax,
      vfs: options.vfs)
    if case .scheduled(let scheduler) = options.writing {
      scheduler.didOpen { [weak self] in self?.abandon() }
    }
  }

  deinit { close() }

  /// The number of transactions so far that changed something; it never goes back within one incarnation.
  package var commitNumber: UInt64 { committer.commitNumber.load(ordering: .acquiring) }

  /// The tree called `name`, made when there is none.
  ///
  /// Holds the thread; for start-up.
  ///
  /// - Parameters:
  ///   - name: 1 to 64 characters of `a-z`, `0-9`, `_`.
  ///   - gathering: For few and small values that many writes change, such as counters: the writer keeps them in
  ///     memory and stores each once a transaction, not once a body. Scanning within a write is slow then. What the
  ///     first call of this process says for the tree holds.
  package func tree(_ name: String, gathering: Bool = false) throws -> Tree {
    precondition(Tree.isValid(name: name), "a tree is called by 1 to 64 of a-z, 0-9, _")
    if let known = trees.withLock({ $0[name] }) { return known }
    try writer.administer { connection in
      try connection.execute(
        "CREATE TABLE IF NOT EXISTS tree_\(name) (key BLOB PRIMARY KEY, value BLOB NOT NULL) "
          + "WITHOUT ROWID")
    }
    return trees.withLock { trees in
      if let known = trees[name] { return known }
      let tree = Tree(index: trees.count + 1, name: name, gathers: gathering)
      trees[name] = tree
      return tree
    }
  }

  // MARK: Reading

  /// Runs `body` on one snapshot, on the calling thread.
  package func read<Result>(_ body: (ReadTransaction) throws -> Result) throws -> Result {
    let connection = try readers.take()
    defer { readers.giveBack(connection) }
    try connection.beginReading()
    defer { connection.rollBack() }
    return try body(ReadTransaction(connection))
  }

  /// The value at `key`, or `nil`: a snapshot of one read, cheaper than `read`.
  package func get(_ tree: Tree, _ key: [UInt8]) throws -> [UInt8]? {
    try get(tree, key) { [UInt8]($0) }
  }

  /// What `body` makes of the value at `key`, or `nil`: a snapshot of one read, cheaper than `read`.
  package func get<Result>(
    _ tree: Tree, _ key: [UInt8], body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result? {
    let connection = try readers.take()
    defer { readers.giveBack(connection) }
    return try ReadTransaction(connection).get(tree, key, body: body)
  }

  /// `ReadTransaction.scan` on a snapshot of its own, cheaper than `read`.
  package func scan(
    _ tree: Tree, from: [UInt8] = [], to: [UInt8]? = nil, limit: Int = .max, reversed: Bool = false,
    body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws -> Bool
  ) throws {
    let connection = try readers.take()
    defer { readers.giveBack(connection) }
    try ReadTransaction(connection)
      .scan(tree, from: from, to: to, limit: limit, reversed: reversed, body: body)
  }

  // MARK: Writing

  /// Runs `body` in a transaction, and returns when its changes are durable.
  ///
  /// What `body` throws is thrown here, and its changes are undone. `body` runs on the writer's thread, and sees the
  /// changes of every write before it. It must not wait for anything. It may run more than once, when
  /// what it changed before was undone: it must have no effects but through the transaction. Not cancellable.
  ///
  /// - Throws: What `body` throws, or a `LocalDBError`; after `.failure` the changes may or may not be found
  ///   when the database is opened again.
  package nonisolated(nonsending) func write<Value: Sendable>(
    _ body: @escaping @Sendable (WriteTransaction) throws -> Value
  ) async throws -> Value {
    try await withUnsafeThrowingContinuation { continuation in
      writer.submit(SuspendedWrite(body, continuation))
    }
  }

  /// As `write`, and holds the thread: for start-up and tests.
  package func writeBlocking<Value>(
    _ body: @escaping (WriteTransaction) throws -> Value
  ) throws -> Value {
    try writer.perform(body)
  }

  // MARK: Upkeep

  /// Why nothing is written until the database is opened again; `nil` when writes are taken.
  package var whyStopped: LocalDBError? { committer.whyStopped }

  /// Whether the disk has more left than the reserve, as of the last commit or `measureRoom`.
  ///
  /// What makes the database grow should be refused when it has not, so that deletions can go on.
  package var hasRoom: Bool { committer.hasRoom }

  /// As `hasRoom`, measured now; holds the thread as long as the disk hangs.
  package func measureRoom() -> Bool { committer.measureRoom() }

  /// Copies the log into the database file and cuts it.
  ///
  /// Holds the thread until then.
  package func checkpoint() throws {
    try writer.administer { try $0.checkpoint(.truncate) }
  }

  /// Reads the whole database and returns what is wrong with it; empty when nothing is.
  ///
  /// Holds the thread, for minutes on a large database.
  package func integrityFaults() throws -> [String] {
    let connection = try Connection(
      path: file, creating: false, cacheBytes: 1 << 20, vfs: options.vfs)
    defer { connection.close() }
    do {
      return try connection.texts("PRAGMA integrity_check(100)").filter { $0 != "ok" }
    } catch LocalDBError.corrupt(_, let detail) {
      // Too damaged to be walked.
      return [detail]
    }
  }

  /// Finishes the writes that wait and closes the database.
  ///
  /// Holds the thread. Reads and writes after it throw `LocalDBError.closed`.
  package func close() {
    guard closesFirst() else { return }
    readers.close()
    if !options.fsync {
      do {
        try writer.administer { try $0.markSynced() }
      } catch {
        options.logger.warning(
          "The metadata database could not be marked as whole: it will have a new incarnation.",
          [("error", "\(error)")])
      }
    }
    writer.close()
    lock.withLock { $0 = nil }
  }

  /// Closes the database as the end of the process would: what is not committed is gone, nothing is tidied up, and
  /// the folder can be opened again.
  ///
  /// Writes that wait fail with `LocalDBError.failure`: they may or may not be found later. For simulations; with
  /// a thread of its own a database cannot be abandoned.
  package func abandon() {
    guard closesFirst() else { return }
    readers.close()
    writer.abandon()
    lock.withLock { $0 = nil }
  }

  /// Whether nobody has closed the database before.
  private func closesFirst() -> Bool {
    isClosed.withLock { isClosed in
      defer { isClosed = true }
      return !isClosed
    }
  }
}
