// Who executes writes: a thread of its own, the caller, or whoever decides when a commit happens.

/// Takes writes and answers each of them once.
protocol Writer: Sendable {
  /// Takes `write`; fails it with `LocalDBError.overloaded` or `.closed` instead when it cannot.
  func submit(_ write: PendingWrite)

  /// Runs `body` and returns when it is durable, holding the thread.
  func perform<Value>(_ body: @escaping (WriteTransaction) throws -> Value) throws -> Value

  /// Runs `body` on the writer's connection between transactions, holding the thread.
  func administer<Value>(_ body: @escaping (Connection) throws -> Value) throws -> Value

  /// Finishes the writes that wait, closes the connection, and fails later writes.
  func close()

  /// Closes the connection as the end of the process would, and fails the writes that wait.
  ///
  /// Only for writers without a thread.
  func abandon()
}
