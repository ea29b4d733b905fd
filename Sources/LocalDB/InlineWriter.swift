// Writing on the caller's thread, one write a transaction: for simulations, where there is one thread and the
// order of everything follows from the seed.

private import Synchronization

final class InlineWriter: Writer {
  private let committer: Committer
  /// Guards the committer; true once closed.
  private let isClosed = Mutex(false)

  init(_ committer: Committer) { self.committer = committer }

  func submit(_ write: PendingWrite) {
    isClosed.withLock { isClosed in
      if isClosed { write.fail(LocalDBError.closed) } else { committer.commit([write]) }
    }
  }

  func perform<Value>(_ body: @escaping (WriteTransaction) throws -> Value) throws -> Value {
    let write = BlockingWrite(body)
    isClosed.withLock { isClosed in
      if !isClosed { committer.commit([write]) }
    }
    return try write.result.get()
  }

  func administer<Value>(_ body: @escaping (Connection) throws -> Value) throws -> Value {
    var result: Result<Value, any Error> = .failure(LocalDBError.closed)
    isClosed.withLock { isClosed in
      if !isClosed { result = Result { try committer.administer(body) } }
    }
    return try result.get()
  }

  func close() {
    isClosed.withLock { isClosed in
      if !isClosed { committer.close() }
      isClosed = true
    }
  }

  func abandon() {
    isClosed.withLock { isClosed in
      if !isClosed { committer.abandon() }
      isClosed = true
    }
  }
}
