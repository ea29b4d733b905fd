// Changing trees. What one body changes takes effect as a whole or not at all.
//
// Several bodies share one SQLite transaction (see Committer). A body that may have to be undone alone gets
// a savepoint, opened at its first change: bodies that only look cost none.

/// The database as the bodies before this one left it, to be read and changed.
///
/// It is valid only inside of the body that it was handed to.
package final class WriteTransaction: ReadTransaction {
  private var needsSavepoint = false
  private var savepointIsOpen = false
  private var actionsBefore = 0
  private var actions: [@Sendable () -> Void] = []

  /// Whether anything changed since the transaction began.
  private(set) var hasChanges = false
  private var hadChanges = false

  /// Stores `value` at `key`, replacing what was there.
  package func put(_ tree: Tree, _ key: [UInt8], _ value: [UInt8]) throws {
    try key.withUnsafeBytes { key in
      try value.withUnsafeBytes { try put(tree, key, $0) }
    }
  }

  /// Stores `value` at `key`, replacing what was there.
  package func put(
    _ tree: Tree, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer
  ) throws {
    guard key.count <= Tree.keyBytesMax else {
      throw LocalDBError.tooLarge(bytes: key.count, max: Tree.keyBytesMax)
    }
    guard value.count <= Tree.valueBytesMax else {
      throw LocalDBError.tooLarge(bytes: value.count, max: Tree.valueBytesMax)
    }
    try willChange()
    let statement = try connection.take(.put, tree)
    defer { connection.giveBack(statement, .put, tree) }
    try connection.bind(statement, 1, key)
    try connection.bind(statement, 2, value)
    _ = try connection.step(statement)
  }

  /// Removes the pair at `key`, if there is one.
  package func delete(_ tree: Tree, _ key: [UInt8]) throws {
    try key.withUnsafeBytes { try delete(tree, $0) }
  }

  /// Removes the pair at `key`, if there is one.
  package func delete(_ tree: Tree, _ key: UnsafeRawBufferPointer) throws {
    try willChange()
    let statement = try connection.take(.delete, tree)
    defer { connection.giveBack(statement, .delete, tree) }
    try connection.bind(statement, 1, key)
    _ = try connection.step(statement)
  }

  /// Runs `action` once this body's changes are durable, before the caller of `write` goes on;
  /// never when they are not kept.
  ///
  /// It runs on the writer's thread and must be short.
  package func afterCommit(_ action: @escaping @Sendable () -> Void) { actions.append(action) }

  // MARK: For the committer

  /// Begins the SQLite transaction.
  func begin() throws {
    try connection.beginWriting()
    hasChanges = false
    actions.removeAll(keepingCapacity: true)
  }

  /// Begins a body, which is undone alone when `alone` is false and with the transaction when it is true.
  func beginBody(alone: Bool) {
    needsSavepoint = !alone
    savepointIsOpen = false
    hadChanges = hasChanges
    actionsBefore = actions.count
  }

  /// Keeps the body's changes for the commit.
  func keepBody() throws {
    if savepointIsOpen { try connection.run("RELEASE body") }
    savepointIsOpen = false
  }

  /// Undoes the body's changes.
  func undoBody() throws {
    actions.removeLast(actions.count - actionsBefore)
    if savepointIsOpen {
      try connection.run("ROLLBACK TO body")
      try connection.run("RELEASE body")
      savepointIsOpen = false
    } else if hasChanges && !hadChanges {
      connection.rollBack()
      try connection.beginWriting()
    }
    hasChanges = hadChanges
  }

  /// Runs what `afterCommit` registered.
  func runActions() {
    for action in actions { action() }
    actions.removeAll(keepingCapacity: true)
  }

  private func willChange() throws {
    hasChanges = true
    guard needsSavepoint, !savepointIsOpen else { return }
    try connection.run("SAVEPOINT body")
    savepointIsOpen = true
  }
}
