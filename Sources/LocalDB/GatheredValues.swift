// Values that many bodies of one transaction change: counters and sums.
//
// A body sees what the bodies before it left, and SQLite is told once, before the commit, whatever the number of
// bodies. What was read or written stays in memory for the transactions that follow: there is one writer, so
// nothing else changes it.
//
// Invariants:
//   1. An entry that is not dirty equals what the transaction would find in the database.
//   2. Dirty entries are written in the order in which they became dirty, so that equal bodies make equal files.

/// What the writer holds of the trees that gather (`LocalDatabase.tree`).
struct GatheredValues {
  private struct Key: Hashable {
    var tree: Tree
    var key: [UInt8]

    static func == (left: Key, right: Key) -> Bool {
      left.tree.index == right.tree.index && left.key == right.key
    }

    func hash(into hasher: inout Hasher) {
      hasher.combine(tree.index)
      hasher.combine(key)
    }
  }

  private struct Entry {
    /// `nil` where there is no pair.
    var value: [UInt8]?
    var isDirty: Bool
  }

  /// What may stay from one transaction to the next: some thousand counters, a small part of the page cache.
  private static let keptBytesMax = 1 << 20
  /// What an entry takes beside its bytes.
  private static let entryBytes = 128

  private var entries: [Key: Entry] = [:]
  /// Of what was added to `entries` so far; what was replaced counts too.
  private var addedBytes = 0
  /// Keys in the order in which they became dirty; one that did so twice counts where it is first.
  private var dirty: [Key] = []
  /// What the current body changed and what was in memory before, in the order of the changes.
  private var undo: [(key: Key, before: Entry?)] = []

  /// The value at `key` as the transaction sees it.
  ///
  /// - Parameter load: Reads it from the database.
  mutating func get(
    _ tree: Tree, _ key: [UInt8], load: () throws -> [UInt8]?
  ) rethrows -> [UInt8]? {
    let key = Key(tree: tree, key: key)
    if let entry = entries[key] { return entry.value }
    let value = try load()
    keep(Entry(value: value, isDirty: false), key)
    return value
  }

  /// Changes the value at `key`; `nil` removes the pair.
  mutating func set(_ tree: Tree, _ key: [UInt8], to value: [UInt8]?) {
    let key = Key(tree: tree, key: key)
    let before = keep(Entry(value: value, isDirty: true), key)
    undo.append((key, before))
    if !(before?.isDirty ?? false) { dirty.append(key) }
  }

  @discardableResult
  private mutating func keep(_ entry: Entry, _ key: Key) -> Entry? {
    addedBytes += Self.entryBytes + key.key.count + (entry.value?.count ?? 0)
    return entries.updateValue(entry, forKey: key)
  }

  // MARK: Bodies

  /// From here on `undoBody` goes back to what is there now.
  mutating func beginBody() { undo.removeAll(keepingCapacity: true) }

  /// Undoes what the current body changed.
  mutating func undoBody() {
    for (key, before) in undo.reversed() { entries[key] = before }
    undo.removeAll(keepingCapacity: true)
  }

  // MARK: The transaction

  /// Forgets what is not needed any more, when it has become much.
  ///
  /// Nothing is to be stored then: the transaction before was committed, or each of its changes undone.
  mutating func begin() {
    dirty.removeAll(keepingCapacity: true)
    if addedBytes > Self.keptBytesMax { forget() }
  }

  /// Hands everything that is dirty to `store`, once, for the commit that follows.
  ///
  /// When that fails, `forget` must follow.
  mutating func flush(_ store: (Tree, [UInt8], [UInt8]?) throws -> Void) rethrows {
    for key in dirty {
      guard let entry = entries[key], entry.isDirty else { continue }
      try store(key.tree, key.key, entry.value)
      entries[key]?.isDirty = false
    }
    dirty.removeAll(keepingCapacity: true)
    undo.removeAll(keepingCapacity: true)
  }

  /// Hands what is dirty in `tree` to `store`, for a scan; it stays dirty, as the body that scans may be undone.
  func show(_ tree: Tree, _ store: (Tree, [UInt8], [UInt8]?) throws -> Void) rethrows {
    for key in dirty where key.tree == tree {
      guard let entry = entries[key], entry.isDirty else { continue }
      try store(key.tree, key.key, entry.value)
    }
  }

  /// Forgets everything: the transaction was undone.
  mutating func forget() {
    entries.removeAll()
    dirty.removeAll(keepingCapacity: true)
    undo.removeAll(keepingCapacity: true)
    addedBytes = 0
  }
}
