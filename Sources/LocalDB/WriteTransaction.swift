// Changing trees. What one body changes takes effect as a whole or not at all.
//
// Several bodies share one SQLite transaction (see Committer). Undoing one of them alone takes a savepoint, which
// costs as much as two statements and copies of all pages that the body changes. Hardly any body fails
// after it has changed something, so there are none, unless the committer asks for them.

/// Who has to do with what a commit changes, such as a cache of it.
package struct CommitObserver: Sendable {
  /// Called ahead of the commit: from here on readers may see the changes.
  let willCommit: @Sendable () -> Void
  /// Called when the commit has ended, with or without success, and before any writer is answered.
  let didEnd: @Sendable () -> Void
  /// Called in the place of both when what the body did is undone before its commit has begun; it may run again.
  let wasUndone: @Sendable () -> Void

  package init(
    willCommit: @escaping @Sendable () -> Void = {},
    wasUndone: @escaping @Sendable () -> Void = {}, didEnd: @escaping @Sendable () -> Void
  ) {
    self.willCommit = willCommit
    self.wasUndone = wasUndone
    self.didEnd = didEnd
  }
}

/// The database as the bodies before this one left it, to be read and changed.
///
/// It is valid only inside of the body that it was handed to.
public final class WriteTransaction: ReadTransaction {
  private var usesSavepoints = false
  private var savepointIsOpen = false
  private var observers: [CommitObserver] = []
  private var observersBefore = 0
  private var isCommitting = false
  private var gathered = GatheredValues()

  /// Whether anything changed since the transaction began.
  private(set) var hasChanges = false
  private var hadChanges = false
  /// Whether SQLite was told of a change by the current body, and by those before it.
  private var hasStored = false
  private var hadStored = false

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
    hasChanges = true
    guard !tree.gathers else { return gathered.set(tree, Array(key), to: Array(value)) }
    try store(tree, key, value)
  }

  /// Removes the pair at `key`, if there is one.
  package func delete(_ tree: Tree, _ key: [UInt8]) throws {
    try key.withUnsafeBytes { try delete(tree, $0) }
  }

  /// Removes the pair at `key`, if there is one.
  package func delete(_ tree: Tree, _ key: UnsafeRawBufferPointer) throws {
    hasChanges = true
    guard !tree.gathers else { return gathered.set(tree, Array(key), to: nil) }
    try store(tree, key, nil)
  }

  /// Tells `observer` of the commit of this body's changes, if it comes to that.
  ///
  /// On the writer's thread; the calls must be short.
  package func observeCommit(_ observer: CommitObserver) { observers.append(observer) }

  // MARK: SQLite

  /// Changes one pair; `nil` removes it.
  private func store(
    _ tree: Tree, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?
  ) throws {
    if usesSavepoints, !savepointIsOpen {
      try connection.run(.savepoint)
      savepointIsOpen = true
    }
    hasStored = true
    let kind: Connection.Kind = value == nil ? .delete : .put
    let statement = try connection.take(kind, tree)
    defer { connection.giveBack(statement, kind, tree) }
    try connection.bind(statement, 1, key)
    if let value { try connection.bind(statement, 2, value) }
    _ = try connection.step(statement)
  }

  private func store(_ tree: Tree, _ key: [UInt8], _ value: [UInt8]?) throws {
    try key.withUnsafeBytes { key in
      guard let value else { return try store(tree, key, nil) }
      try value.withUnsafeBytes { try store(tree, key, $0) }
    }
  }

  override func gatheredValue(
    _ tree: Tree, _ key: [UInt8], load: () throws -> [UInt8]?
  ) throws -> [UInt8]? { try gathered.get(tree, key, load: load) }

  override func willScan(_ tree: Tree) throws {
    guard tree.gathers else { return }
    try gathered.show(tree) { try store($0, $1, $2) }
  }

  // MARK: For the committer

  /// Begins the SQLite transaction.
  ///
  /// - Parameter savepoints: Whether each body can be undone alone, whatever the ones before it changed.
  func begin(savepoints: Bool = false) throws {
    try connection.run(.begin)
    gathered.begin()
    usesSavepoints = savepoints
    savepointIsOpen = false
    hasChanges = false
    hasStored = false
    hadStored = false
    observers.removeAll(keepingCapacity: true)
  }

  /// Begins a body.
  func beginBody() {
    hadChanges = hasChanges
    hadStored = hadStored || hasStored
    hasStored = false
    observersBefore = observers.count
    gathered.beginBody()
  }

  /// Keeps the body's changes for the commit.
  func keepBody() throws {
    if savepointIsOpen { try connection.run(.release) }
    savepointIsOpen = false
  }

  /// Undoes the body's changes, and returns true; false when that cannot be done without those of others, which
  /// does not happen with savepoints.
  func undoBody() throws -> Bool {
    if savepointIsOpen {
      try connection.run(.rollBackToSavepoint)
      try connection.run(.release)
      savepointIsOpen = false
    } else if hasStored {
      guard !hadStored else { return false }
      connection.rollBack()
      try connection.run(.begin)
    }
    undoObserved(from: observersBefore)
    gathered.undoBody()
    hasStored = false
    hasChanges = hadChanges
    return true
  }

  /// Tells SQLite what the bodies left in memory: no body may follow, and `rollBack` when it throws.
  func storeGathered() throws {
    usesSavepoints = false
    try gathered.flush { try store($0, $1, $2) }
  }

  /// Tells the observers that what SQLite was told is about to be committed.
  ///
  /// `commit` or `rollBack` must follow.
  func announceCommit() {
    isCommitting = true
    for observer in observers { observer.willCommit() }
  }

  /// Commits what was announced.
  ///
  /// When it throws, `rollBack` must follow.
  func commit() throws { try connection.run(.commit) }

  /// Undoes everything since `begin`.
  func rollBack() {
    connection.rollBack()
    gathered.forget()
    if isCommitting { endCommit() } else { undoObserved(from: 0) }
  }

  /// Tells the observers from `first` on, the last one first, that what they observe was undone.
  private func undoObserved(from first: Int) {
    let undone = observers[first...].reversed()
    observers.removeLast(observers.count - first)
    for observer in undone { observer.wasUndone() }
  }

  /// Tells the observers that the commit, if there was one, has ended.
  func endCommit() {
    guard isCommitting else { return }
    isCommitting = false
    for observer in observers { observer.didEnd() }
    observers.removeAll(keepingCapacity: true)
  }
}
