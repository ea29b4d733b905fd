// One SQLite connection with its prepared statements.
//
// Statements are prepared once for each tree and kind. A statement in use is taken out of the cache, so that
// a scan whose body reads the same tree again gets one of its own.
//
// Invariants:
//   1. One thread uses a connection at a time (it is opened with NOMUTEX).
//   2. A statement in the cache is reset: it holds no snapshot open.
//   3. Closing copies nothing from the log, unless the owner of the database asks for it.

private import CSQLite
private import Glibc

/// A connection to the database file.
// Safe because a connection is used either by the writer alone, or by the one thread that took it
// from the pool of readers, and both hand it over under a lock.
final class Connection: @unchecked Sendable {
  /// The statements that the cache holds for each tree.
  enum Kind: Int, CaseIterable {
    case get, put, delete
    case forward, forwardBounded, backward, backwardBounded
  }

  private let path: String
  let handle: OpaquePointer
  private var statements: [OpaquePointer?] = []
  /// Statements without parameters.
  enum Control: Int, CaseIterable {
    /// A transaction whose snapshot is taken at the first read.
    case beginReading
    /// The only writing transaction.
    case begin
    /// A writing transaction is then as durable as `synchronous` says.
    case commit
    case rollBack
    case savepoint, release, rollBackToSavepoint

    fileprivate var sql: String {
      switch self {
      case .beginReading: "BEGIN"
      case .begin: "BEGIN IMMEDIATE"
      case .commit: "COMMIT"
      case .rollBack: "ROLLBACK"
      case .savepoint: "SAVEPOINT body"
      case .release: "RELEASE body"
      case .rollBackToSavepoint: "ROLLBACK TO body"
      }
    }
  }

  private var controls = [OpaquePointer?](repeating: nil, count: Control.allCases.count)

  /// How long SQLite itself waits for a lock.
  ///
  /// Only a program that is not ours can hold one that long.
  private static let busyTimeoutMilliseconds: Int32 = 5000
  /// How often that wait is repeated before it is an error, so that a `sqlite3` shell left open in
  /// a transaction shows after a minute instead of hanging the node without a word.
  private static let busyAttemptsMax = 12

  /// The VFS that holds a database for one process, and keeps the index of its log in that process's memory.
  ///
  /// A read transaction takes and drops a lock of the log, which costs two system calls with the usual VFS and none
  /// with this one. The folder's lock keeps other processes of ours out anyway (docs/decisions/0010).
  private static let exclusiveVFS = "unix-excl"

  /// Opens the existing or, with `creating`, a new file at `path`.
  init(path: String, creating: Bool, cacheBytes: Int, vfs: String?) throws {
    self.path = path
    SQLiteLibrary.configure()
    var handle: OpaquePointer?
    let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (creating ? SQLITE_OPEN_CREATE : 0)
    let result = sqlite3_open_v2(
      path, &handle, flags, CheckedPages.name(over: vfs ?? Self.exclusiveVFS))
    guard let handle, result == SQLITE_OK else {
      sqlite3_close_v2(handle)
      throw LocalDBError.failure(path: path, detail: String(cString: sqlite3_errstr(result)))
    }
    self.handle = handle
    sqlite3_extended_result_codes(handle, 1)
    sqlite3_busy_timeout(handle, Self.busyTimeoutMilliseconds)
    csqlite_checkpoint_on_close(handle, 0)
    // Only the writer checkpoints, when it chooses to; no trigger or view of a manipulated file
    // runs; a bad cell is found when its page is read.
    for pragma in [
      "cache_size=-\(max(64, cacheBytes >> 10))", "wal_autocheckpoint=0", "temp_store=MEMORY",
      "mmap_size=0", "trusted_schema=OFF", "cell_size_check=ON", "secure_delete=OFF",
    ] {
      try execute("PRAGMA \(pragma)")
    }
  }

  deinit { close() }

  private var isClosed = false

  /// Closes the connection.
  ///
  /// - Parameter emptyingLog: The last connection to the database copies the log into it and removes the log.
  func close(emptyingLog: Bool = false) {
    guard !isClosed else { return }
    isClosed = true
    if emptyingLog { csqlite_checkpoint_on_close(handle, 1) }
    for statement in statements { sqlite3_finalize(statement) }
    for statement in controls { sqlite3_finalize(statement) }
    statements = []
    controls = []
    sqlite3_close_v2(handle)
  }

  /// Leaves room at the end of each page of a new database.
  func reserve(bytesOfEachPage count: Int) throws {
    var count = Int32(count)
    let result = sqlite3_file_control(handle, "main", SQLITE_FCNTL_RESERVE_BYTES, &count)
    guard result == SQLITE_OK else { throw error(result) }
  }

  // MARK: Statements

  /// Runs SQL without results.
  func execute(_ sql: String) throws {
    var result = sqlite3_exec(handle, sql, nil, nil, nil)
    var attempts = 1
    while result & 0xFF == SQLITE_BUSY && attempts < Self.busyAttemptsMax {
      result = sqlite3_exec(handle, sql, nil, nil, nil)
      attempts += 1
    }
    guard result == SQLITE_OK else { throw error(result) }
  }

  /// The first column of the rows that `sql` gives, as text.
  func texts(_ sql: String) throws -> [String] {
    let statement = try prepare(sql)
    defer { sqlite3_finalize(statement) }
    var rows: [String] = []
    while try step(statement) {
      rows.append(sqlite3_column_text(statement, 0).map { String(cString: $0) } ?? "")
    }
    return rows
  }

  /// A number that a PRAGMA gives.
  func integer(_ sql: String) throws -> Int {
    try texts(sql).first.flatMap { Int($0) } ?? 0
  }

  private func prepare(_ sql: String) throws -> OpaquePointer {
    var statement: OpaquePointer?
    let result = sqlite3_prepare_v3(
      handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
    guard result == SQLITE_OK, let statement else { throw error(result) }
    return statement
  }

  func take(_ kind: Kind, _ tree: Tree) throws -> OpaquePointer {
    let slot = tree.index * Kind.allCases.count + kind.rawValue
    if slot < statements.count, let statement = statements[slot] {
      statements[slot] = nil
      return statement
    }
    return try prepare(Self.sql(kind, tree.table))
  }

  func giveBack(_ statement: OpaquePointer, _ kind: Kind, _ tree: Tree) {
    sqlite3_reset(statement)
    let slot = tree.index * Kind.allCases.count + kind.rawValue
    while statements.count <= slot { statements.append(nil) }
    if statements[slot] == nil { statements[slot] = statement } else { sqlite3_finalize(statement) }
  }

  private static func sql(_ kind: Kind, _ table: String) -> String {
    switch kind {
    case .get: "SELECT value FROM \(table) WHERE key = ?1"
    case .put:
      "INSERT INTO \(table)(key, value) VALUES (?1, ?2) "
        + "ON CONFLICT(key) DO UPDATE SET value = excluded.value"
    case .delete: "DELETE FROM \(table) WHERE key = ?1"
    case .forward: "SELECT key, value FROM \(table) WHERE key >= ?1 ORDER BY key"
    case .forwardBounded:
      "SELECT key, value FROM \(table) WHERE key >= ?1 AND key < ?2 ORDER BY key"
    case .backward: "SELECT key, value FROM \(table) WHERE key >= ?1 ORDER BY key DESC"
    case .backwardBounded:
      "SELECT key, value FROM \(table) WHERE key >= ?1 AND key < ?2 ORDER BY key DESC"
    }
  }

  /// Binds bytes that stay where they are until the statement is reset.
  func bind(_ statement: OpaquePointer, _ index: Int32, _ bytes: UnsafeRawBufferPointer) throws {
    // A null pointer would bind NULL instead of no bytes.
    let result =
      bytes.isEmpty
      ? sqlite3_bind_zeroblob(statement, index, 0)
      : csqlite_bind_blob_static(statement, index, bytes.baseAddress, Int32(clamping: bytes.count))
    guard result == SQLITE_OK else { throw error(result) }
  }

  /// Whether there is a row.
  ///
  /// Waits again when another program holds a lock.
  func step(_ statement: OpaquePointer) throws -> Bool {
    var attempts = 1
    while true {
      let result = sqlite3_step(statement)
      switch result & 0xFF {
      case SQLITE_ROW: return true
      case SQLITE_DONE: return false
      case SQLITE_BUSY where attempts < Self.busyAttemptsMax:
        attempts += 1
        sqlite3_reset(statement)
      default: throw error(result)
      }
    }
  }

  /// The bytes of a column, valid until the statement moves.
  func column(_ statement: OpaquePointer, _ index: Int32) -> UnsafeRawBufferPointer {
    let pointer = sqlite3_column_blob(statement, index)
    return UnsafeRawBufferPointer(
      start: pointer, count: Int(sqlite3_column_bytes(statement, index)))
  }

  // MARK: Transactions

  /// Begins a transaction whose snapshot is taken at the first read.
  func beginReading() throws { try run(.beginReading) }

  /// Ends a transaction without effect, if there is one.
  func rollBack() {
    guard isInTransaction else { return }
    do {
      try run(.rollBack)
    } catch {
      // SQLite has rolled back by itself, or does so before the connection is used again.
      sqlite3_exec(handle, "ROLLBACK", nil, nil, nil)
    }
  }

  /// False outside of a transaction, and after SQLite has rolled one back by itself (disk full, I/O).
  var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

  /// Runs a statement without parameters, kept prepared.
  func run(_ control: Control) throws {
    let statement = try controls[control.rawValue] ?? prepare(control.sql)
    controls[control.rawValue] = statement
    defer { sqlite3_reset(statement) }
    _ = try step(statement)
  }

  // MARK: Errors

  /// Whether the sync of a file has failed.
  ///
  /// fsync(2) reports a lost page once. The file may lack what SQLite believes to be there, and a later sync that
  /// succeeds proves nothing: this connection must neither commit nor copy the log any more.
  private(set) var hasFailedSync = false

  // As in sqlite3.h, whose expressions Swift does not import.
  private static let writeFault = SQLITE_IOERR | (3 << 8)
  private static let syncFault = SQLITE_IOERR | (4 << 8)
  private static let folderSyncFault = SQLITE_IOERR | (5 << 8)
  /// The index of the log, a file in shared memory, cannot grow.
  private static let indexFault = SQLITE_IOERR | (19 << 8)
  /// A page is not what was written (CheckedPages.swift).
  private static let dataFault = SQLITE_IOERR | (32 << 8)

  /// What SQLite's `result` means here.
  ///
  /// To be called right after the call that gave it, as errno is a part of the answer: SQLite does not keep it for
  /// a COMMIT, and takes no error but ENOSPC for a full disk, and that only where it writes the log.
  func error(_ result: Int32) -> LocalDBError {
    let cause = errno
    let message = String(cString: sqlite3_errmsg(handle))
    let reason = result & 0xFF == SQLITE_IOERR ? ", errno \(cause)" : ""
    let detail = "\(message) (SQLite \(result)\(reason))"
    switch result {
    case Self.writeFault, Self.indexFault:
      if cause == ENOSPC || cause == EDQUOT { return .diskFull(path: path) }
    // Not even when the disk was full: what was to be written before is lost.
    case Self.syncFault, Self.folderSyncFault: hasFailedSync = true
    case Self.dataFault:
      return .corrupt(path: path, detail: "a page is not what was written: its checksum is wrong")
    default: break
    }
    switch result & 0xFF {
    case SQLITE_FULL: return .diskFull(path: path)
    case SQLITE_CORRUPT, SQLITE_NOTADB: return .corrupt(path: path, detail: detail)
    case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_PROTOCOL:
      return .failure(path: path, detail: "another program holds a lock on it: \(detail)")
    default: return .failure(path: path, detail: detail)
    }
  }

  // MARK: Checkpoints

  /// How long the log was after the last commit; counted from `measureLog()` on.
  var logBytes: Int { logPages * pageBytes }
  private var logPages = 0
  private var pageBytes = 0

  /// Begins to measure the log.
  ///
  /// SQLite's own checkpoints stay off.
  func measureLog() throws {
    pageBytes = try integer("PRAGMA page_size")
    sqlite3_wal_hook(
      handle,
      { context, _, _, pages in
        guard let context else { return SQLITE_OK }
        Unmanaged<Connection>.fromOpaque(context).takeUnretainedValue().logPages = Int(pages)
        return SQLITE_OK
      }, Unmanaged.passUnretained(self).toOpaque())
  }

  /// How long the log is before its file is made longer than it: what few writes take, as of a node that starts,
  /// is not worth it.
  private static let logExtendedFromBytes = 256 << 10
  /// How much longer its file becomes at a time; no more than it was.
  private static let logExtensionBytesMax = 2 << 20
  /// SQLite writes less than 128 KiB at a time.
  private static let zeros = [UInt8](repeating: 0, count: 64 << 10)

  /// Makes the log's file longer when the next transactions are about to do so.
  ///
  /// A sync of a file that grew since the last one writes where it ends too, and takes two to five times as long
  /// (measured on ext4). SQLite goes on in the same file after a checkpoint, so this costs each byte of the log
  /// a second write, once. SQLite sees the end of the log at the first frame that is not of its salts. Without
  /// effect on a full disk, as the next commit will say.
  func extendLog() {
    guard logBytes >= Self.logExtendedFromBytes else { return }
    let extensionBytes = min(logBytes, Self.logExtensionBytesMax)
    var pointer: UnsafeMutablePointer<sqlite3_file>?
    sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &pointer)
    guard let file = pointer, let methods = file.pointee.pMethods?.pointee else { return }
    var end: sqlite3_int64 = 0
    // `logBytes` counts no frames' headers: half an extension is more than they take.
    guard methods.xFileSize(file, &end) == SQLITE_OK, end > 0,
      end < logBytes + extensionBytes / 2
    else { return }
    let target = end + sqlite3_int64(extensionBytes)
    while end < target {
      let count = min(Self.zeros.count, Int(target - end))
      guard methods.xWrite(file, Self.zeros, Int32(count), end) == SQLITE_OK else { return }
      end += sqlite3_int64(count)
    }
  }

  /// How a checkpoint treats readers of an older snapshot.
  enum CheckpointMode {
    /// Copies what no reader needs from the log, and waits for nobody.
    case passive
    /// Waits for readers a while, so that the log can start from its beginning.
    case restart
    /// As `restart`, and cuts the log file.
    case truncate
  }

  /// Copies the log into the database file.
  ///
  /// A reader in the way is not an error.
  func checkpoint(_ mode: CheckpointMode) throws {
    let number =
      switch mode {
      case .passive: SQLITE_CHECKPOINT_PASSIVE
      case .restart: SQLITE_CHECKPOINT_RESTART
      case .truncate: SQLITE_CHECKPOINT_TRUNCATE
      }
    let result = sqlite3_wal_checkpoint_v2(handle, nil, number, nil, nil)
    guard result == SQLITE_OK || result & 0xFF == SQLITE_BUSY else { throw error(result) }
  }
}
