// What can go wrong with the metadata database, for an operator to read.

/// Why the metadata database did not do what was asked.
package enum LocalDBError: Error, Equatable, Sendable {
  /// Another process has the folder open; `pid` is 0 when it did not say which.
  case inUse(path: String, pid: Int)
  /// The database was written by a newer program.
  case newerDatabase(path: String, found: Int, supported: Int)
  /// The database was written by a development version, whose format is not read any more.
  case olderDatabase(path: String, found: Int, supported: Int)
  /// The database is damaged, or is not one.
  case corrupt(path: String, detail: String)
  /// The disk is full.
  ///
  /// What was asked did not happen, and the database goes on working; a process that dies before the next commit
  /// may find it there all the same.
  case diskFull(path: String)
  /// The operating system or SQLite failed.
  case failure(path: String, detail: String)
  /// An earlier commit or sync failed: nothing is written until the database is opened again.
  case readOnlyAfterFailure(path: String, detail: String)
  /// More writes are waiting than the queue takes.
  case overloaded
  /// A key or a value is larger than the database takes.
  case tooLarge(bytes: Int, max: Int)
  /// The database has been closed.
  case closed
}

extension LocalDBError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .inUse(let path, let pid):
      let who = pid > 0 ? "process \(pid)" : "another process"
      return "the metadata folder \(path) is in use by \(who): stop it, or use another folder"
    case .newerDatabase(let path, let found, let supported):
      return "the metadata database \(path) has format \(found), and this program knows up to "
        + "\(supported): install the newer program again"
    case .olderDatabase(let path, let found, let supported):
      return
        "the metadata database \(path) has format \(found), of a development version, and this program reads "
        + "\(supported) only: begin with empty folders, or use the older program; it has been left as it is"
    case .corrupt(let path, let detail):
      return
        "the metadata database \(path) is damaged (\(detail)): restore its folder from a backup; "
        + "it has been left as it is"
    case .diskFull(let path):
      return "the disk of \(path) is full: free some space"
    case .failure(let path, let detail):
      return "the metadata database \(path) failed: \(detail)"
    case .readOnlyAfterFailure(let path, let detail):
      return
        "the metadata database \(path) takes no writes since its disk failed (\(detail)): check "
        + "the disk, then restart the node"
    case .overloaded:
      return "too many metadata writes are waiting: the disk does not keep up"
    case .tooLarge(let bytes, let max):
      return "a metadata entry of \(bytes) bytes is larger than \(max)"
    case .closed:
      return "the metadata database is closed"
    }
  }

  /// Whether the disk or the file, rather than the caller, is at fault.
  var isStorageFault: Bool {
    switch self {
    case .diskFull, .failure, .corrupt, .readOnlyAfterFailure: true
    case .inUse, .newerDatabase, .olderDatabase, .overloaded, .tooLarge, .closed: false
    }
  }
}
