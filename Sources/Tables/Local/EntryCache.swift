// Rows that were read lately, decoded: what a hot object costs after its first read.
//
// Kept rows live in two generations. A row that is read goes into the younger one; when that is full, it becomes the
// older one, whose rows are forgotten unless they are read again meanwhile. So what is hot stays, and a walk
// over everything throws out no more than is in the older one.
//
// Invariants:
//   1. Nobody is shown a row from before a change once anybody can have read what came after it: a changed row is
//      forgotten ahead of the commit, and not kept again until the commit has ended.
//   2. What was read before a commit ended is not kept after it: a reader may be that slow.
//   3. Only rows that exist are kept.
//
// What a read runs is inlinable: a generic class that is not specialised for its rows costs more than the look-up.

public import Synchronization

/// A cache in front of the rows of one table.
public final class EntryCache<Row: Sendable>: Sendable {
  /// A class, so that finding one copies nothing.
  @usableFromInline
  final class Entry: Sendable {
    @usableFromInline let row: Row
    @usableFromInline let bytes: Int

    @usableFromInline
    init(row: Row, bytes: Int) {
      self.row = row
      self.bytes = bytes
    }
  }

  @usableFromInline
  struct State {
    @usableFromInline var young: [RowKey: Entry] = [:]
    @usableFromInline var old: [RowKey: Entry] = [:]
    @usableFromInline var youngBytes = 0
    /// The rows that the commit under way changes.
    @usableFromInline var changing: Set<RowKey> = []
    /// How many commits have ended.
    @usableFromInline var endings: UInt64 = 0
  }

  /// What keeping a row takes beside its encoded bytes: its key, a place in a dictionary, the headers of its arrays.
  @inlinable static var overheadBytes: Int { 768 }

  @usableFromInline let generationBytesMax: Int
  @usableFromInline let state = Mutex(State())

  /// A cache that takes about `bytesMax` bytes.
  package init(bytesMax: Int) { generationBytesMax = bytesMax / 2 }

  /// The row at `key`, kept or else as `read` finds it, with the number of bytes that it is encoded in.
  @inlinable
  package func row(
    _ key: RowKey, read: () throws -> (row: Row, bytes: Int)?
  ) rethrows -> Row? {
    var endings: UInt64 = 0
    let kept = state.withLock { state in
      endings = state.endings
      return take(key, &state)
    }
    if let kept { return kept.row }
    guard let found = try read() else { return nil }
    let entry = Entry(row: found.row, bytes: found.bytes + Self.overheadBytes)
    state.withLock { state in
      if state.endings == endings, !state.changing.contains(key) { keep(key, entry, &state) }
    }
    return found.row
  }

  /// Forgets the row at `key`, which the commit that is about to begin changes.
  package func willChange(_ key: RowKey) {
    state.withLock { state in
      state.changing.insert(key)
      if let entry = state.young.removeValue(forKey: key) { state.youngBytes -= entry.bytes }
      state.old.removeValue(forKey: key)
    }
  }

  /// Says that the commit has ended, with or without success.
  package func didChange() {
    state.withLock { state in
      state.changing.removeAll(keepingCapacity: true)
      state.endings &+= 1
    }
  }

  @inlinable
  func take(_ key: RowKey, _ state: inout State) -> Entry? {
    if let entry = state.young[key] { return entry }
    guard let entry = state.old.removeValue(forKey: key) else { return nil }
    keep(key, entry, &state)
    return entry
  }

  @inlinable
  func keep(_ key: RowKey, _ entry: Entry, _ state: inout State) {
    guard entry.bytes <= generationBytesMax else { return }
    if state.youngBytes + entry.bytes > generationBytesMax {
      state.old = state.young
      state.young = [:]
      state.youngBytes = 0
    }
    if let replaced = state.young.updateValue(entry, forKey: key) {
      state.youngBytes -= replaced.bytes
    }
    state.youngBytes += entry.bytes
  }
}
