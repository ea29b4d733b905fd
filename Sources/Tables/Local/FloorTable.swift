// Floors: for each partition, the newest timestamp of a tombstone that was dropped.

private import Codecs
import LocalDB
import Synchronization

/// The floors of one table, on disk and in memory.
final class FloorTable: Sendable {
  private let database: LocalDatabase
  private let tree: Tree
  /// Never behind the disk, so that the bodies after the one that raises a floor see it; ahead of it
  /// while a transaction runs, and for good if that fails.
  ///
  /// That does no harm: a floor that is too high costs a write a retry.
  private let floors: Mutex<[Timestamp]>

  init(database: LocalDatabase, tree: Tree) throws {
    self.database = database
    self.tree = tree
    var floors = [Timestamp](repeating: .zero, count: Partition.count)
    try database.scan(tree) { key, value in
      guard key.count == 1 else {
        throw TableError.malformed(table: tree.name, detail: "a floor of \(key.count) partitions")
      }
      floors[Int(key[0])] = try Self.decode(value, tree)
      return true
    }
    self.floors = Mutex(floors)
  }

  func floor(of partition: UInt8) -> Timestamp { floors.withLock { $0[Int(partition)] } }

  func raise(
    _ partition: UInt8, to timestamp: Timestamp, in transaction: WriteTransaction
  ) throws {
    floors.withLock { $0[Int(partition)] = max($0[Int(partition)], timestamp) }
    // What counts is the disk: memory keeps what a transaction that failed wanted.
    let stored = try transaction.get(tree, [partition]) { try Self.decode($0, tree) }
    guard timestamp > stored ?? .zero else { return }
    var writer = BinaryWriter(capacity: 8)
    writer.timestamp(timestamp)
    try transaction.put(tree, [partition], writer.bytes)
  }

  /// Goes back to no floor, for a copy that begins with nothing.
  func clear(_ partition: UInt8, in transaction: WriteTransaction) throws {
    try transaction.delete(tree, [partition])
    transaction.observeCommit(CommitObserver(didEnd: { self.reload(partition) }))
  }

  /// Takes what the disk says once a commit has ended; where it cannot be read, what is in memory is high enough.
  private func reload(_ partition: UInt8) {
    do {
      let stored = try database.get(tree, [partition]) { try Self.decode($0, tree) }
      floors.withLock { $0[Int(partition)] = stored ?? .zero }
    } catch {
      // The writer will meet the same fault.
    }
  }

  private static func decode(_ value: UnsafeRawBufferPointer, _ tree: Tree) throws -> Timestamp {
    guard value.count == 8 else {
      throw TableError.malformed(table: tree.name, detail: "a floor of \(value.count) bytes")
    }
    return Timestamp(rawValue: value.reduce(0) { $0 << 8 | UInt64($1) })
  }
}
