// Reader connections, lent to threads.
//
// There are as many as reads at one moment: a few, as reads do not wait. SQLite empties a reader's page
// cache whenever another connection has committed, so those caches only serve one snapshot and are small;
// the kernel's page cache does the rest.

private import Synchronization

final class ReaderPool: Sendable {
  private struct State {
    var idle: [Connection] = []
    var isClosed = false
  }

  private let path: String
  private let cacheBytes: Int
  private let idleMax: Int
  private let vfs: String?
  private let state = Mutex(State())

  /// - Parameters:
  ///   - cacheBytes: The page cache of one connection.
  ///   - idleMax: How many connections are kept when nobody reads.
  init(path: String, cacheBytes: Int, idleMax: Int, vfs: String?) {
    self.path = path
    self.cacheBytes = cacheBytes
    self.idleMax = idleMax
    self.vfs = vfs
  }

  /// A connection for this thread alone, until it is given back.
  func take() throws -> Connection {
    let idle: Connection? = try state.withLock { state in
      if state.isClosed { throw LocalDBError.closed }
      return state.idle.popLast()
    }
    if let idle { return idle }
    let connection = try Connection(path: path, creating: false, cacheBytes: cacheBytes, vfs: vfs)
    try connection.execute("PRAGMA query_only=ON")
    return connection
  }

  func giveBack(_ connection: Connection) {
    let surplus: Connection? = state.withLock { state in
      if state.isClosed || state.idle.count >= idleMax { return connection }
      state.idle.append(connection)
      return nil
    }
    surplus?.close()
  }

  /// Closes idle connections now, and those in use when they come back.
  func close() {
    let idle = state.withLock { state in
      state.isClosed = true
      defer { state.idle = [] }
      return state.idle
    }
    for connection in idle { connection.close() }
  }
}
