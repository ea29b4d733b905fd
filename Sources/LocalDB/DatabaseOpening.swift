// Opening and creating the database file.
//
// Only what costs a few page reads is checked here, as a node starts within seconds whatever the size:
// the header, the format's number, this layer's own tree, and the log. A damaged page elsewhere shows when it is
// read.

import Base

struct DatabaseOpening {
  /// What was opened.
  struct Opened {
    var writer: Connection
    var incarnation: Incarnation
    var commitNumber: UInt64
    var wasCreated: Bool
  }

  /// `Gran`, so that file(1) and we know the file.
  private static let applicationID = 0x4772_616E
  /// The format of docs/formats/metadata-database.md.
  private static let format = 3

  let options: LocalDatabase.Options
  let file: String
  let random: any RandomSource

  /// Where a database is made before it gets its name.
  private var draft: String { file + ".new" }

  static func file(in folder: String) -> String { folder + "/metadata.sqlite" }

  /// Half of the budget is the readers', and one each's share; the writer keeps its pages from commit to commit.
  var readerCacheBytes: Int { options.cacheBytes / 2 / max(1, options.readersMax) }

  func open() throws -> Opened {
    let isNew = try !fileExists(file)
    if isNew {
      guard try !fileExists(file + "-wal") else {
        throw LocalDBError.corrupt(path: file, detail: "the file is missing and its log is there")
      }
      try create()
    } else {
      // A creation that was interrupted at its very end leaves the file with two names.
      removeFile(draft)
    }
    try checkHeader()
    let logFault = try LogCheck.fault(file + "-wal")
    // Whoever reads a commit may rely on it, so what is recovered from the log must be on the disk.
    if options.fsync { try makeDurableAnew(file + "-wal") }
    let writer = try Connection(
      path: file, creating: false, cacheBytes: options.cacheBytes / 2,
      vfs: options.vfs)
    try checkFormat(writer)
    return try begin(writer, wasCreated: isNew, logFault: logFault)
  }

  // MARK: Creation

  private func create() throws {
    for suffix in ["", "-wal", "-shm", "-journal"] { removeFile(draft + suffix) }
    let connection = try Connection(
      path: draft, creating: true, cacheBytes: 1 << 20, vfs: options.vfs)
    defer { connection.close() }
    try connection.reserve(bytesOfEachPage: CheckedPages.reservedBytes)
    for pragma in [
      "page_size=\(CheckedPages.pageBytes)", "journal_mode=WAL",
      "application_id=\(Self.applicationID)",
      "user_version=\(Self.format)",
    ] {
      try connection.execute("PRAGMA \(pragma)")
    }
    try connection.execute(
      "CREATE TABLE database (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")
    let transaction = WriteTransaction(connection)
    try transaction.begin()
    try transaction.put(
      .database, DatabaseKey.incarnation, Incarnation(high: random.next(), low: random.next()).bytes
    )
    try transaction.put(.database, DatabaseKey.commitNumber, UInt64(0).bigEndianBytes)
    try transaction.put(.database, DatabaseKey.unsynced, [0])
    try transaction.commit()
    try connection.checkpoint(.truncate)
    connection.close(emptyingLog: true)
    try publishFile(draft, as: file)
  }

  // MARK: Checks

  private func checkHeader() throws {
    let header = try firstBytes(file, 100)
    guard header.count == 100, header.starts(with: Array("SQLite format 3\0".utf8)) else {
      throw LocalDBError.corrupt(path: file, detail: "it does not begin as an SQLite database")
    }
    guard header[16...17] == [0x20, 0], header[20] == CheckedPages.reservedBytes else {
      throw LocalDBError.corrupt(path: file, detail: "its pages have no checksums")
    }
  }

  private func checkFormat(_ connection: Connection) throws {
    let application = try connection.integer("PRAGMA application_id")
    let found = try connection.integer("PRAGMA user_version")
    guard application == Self.applicationID, found > 0 else {
      throw LocalDBError.corrupt(path: file, detail: "it is a database of another program")
    }
    guard found <= Self.format else {
      throw LocalDBError.newerDatabase(path: file, found: found, supported: Self.format)
    }
    guard found == Self.format else {
      throw LocalDBError.olderDatabase(path: file, found: found, supported: Self.format)
    }
    guard try connection.texts("PRAGMA journal_mode") == ["wal"] else {
      throw LocalDBError.corrupt(path: file, detail: "it is not in WAL mode")
    }
  }

  // MARK: This life

  private func begin(
    _ writer: Connection, wasCreated: Bool, logFault: String?
  ) throws -> Opened {
    let transaction = WriteTransaction(writer)
    guard let incarnationBytes = try transaction.get(.database, DatabaseKey.incarnation),
      var incarnation = Incarnation(incarnationBytes),
      let commitBytes = try transaction.get(.database, DatabaseKey.commitNumber),
      let commitNumber = UInt64(bigEndianBytes: commitBytes),
      let unsynced = try transaction.get(.database, DatabaseKey.unsynced)
    else { throw LocalDBError.corrupt(path: file, detail: "its own entries are missing") }
    // Without fsync a power cut may leave any part of the log, and a new incarnation says so.
    if let logFault, unsynced == [0] { throw LocalDBError.corrupt(path: file, detail: logFault) }

    try writer.execute("PRAGMA synchronous=FULL")
    // Or the commits behind the fault would stay behind the end of the log, and look like a damaged one's.
    if logFault != nil { try writer.checkpoint(.truncate) }
    if unsynced != [0] {
      incarnation = Incarnation(high: random.next(), low: random.next())
      options.logger.warning(
        "The metadata database ran without fsync and was not closed: commits may be missing.",
        [("path", file)])
    }
    if unsynced != [0] || !options.fsync {
      try transaction.begin()
      try transaction.put(.database, DatabaseKey.incarnation, incarnation.bytes)
      try transaction.put(.database, DatabaseKey.unsynced, [options.fsync ? 0 : 1])
      try transaction.commit()
    }
    if !options.fsync { try writer.execute("PRAGMA synchronous=NORMAL") }
    try writer.measureLog()
    return Opened(
      writer: writer, incarnation: incarnation, commitNumber: commitNumber, wasCreated: wasCreated)
  }
}

extension Connection {
  /// Makes everything so far durable, and says so in the database.
  func markSynced() throws {
    try execute("PRAGMA synchronous=FULL")
    let transaction = WriteTransaction(self)
    try transaction.begin()
    try transaction.put(.database, DatabaseKey.unsynced, [0])
    try transaction.commit()
  }
}
