// Floors: for each partition, the newest timestamp of a tombstone that was dropped.

private import Codecs
import LocalDB
import Synchronization

/// The floors of one table, on disk and in memory.
final class FloorTable: Sendable {
  private let tree: Tree
  /// May be ahead of the disk while a transaction runs, and stays so if it fails.
  ///
  /// That does no harm: a floor that is too high costs a write a retry.
  private let floors: Mutex<[Timestamp]>

  init(database: LocalDatabase, tree: Tree) throws {
    self.tree = tree
    var floors = [Timestamp](repeating: .zero, count: Partition.count)
    try database.scan(tree) { key, value in
      guard key.count == 1, value.count == 8 else {
        throw TableError.malformed(table: tree.name, detail: "a floor of \(value.count) bytes")
      }
      floors[Int(key[0])] = Timestamp(rawValue: value.reduce(0) { $0 << 8 | UInt64($1) })
      return true
    }
    self.floors = Mutex(floors)
  }

  func floor(of partition: UInt8) -> Timestamp { floors.withLock { $0[Int(partition)] } }

  func raise(
    _ partition: UInt8, to timestamp: Timestamp, in transaction: WriteTransaction
  ) throws {
    let isHigher = floors.withLock { floors in
      guard timestamp > floors[Int(partition)] else { return false }
      floors[Int(partition)] = timestamp
      return true
    }
    guard isHigher else { return }
    var writer = BinaryWriter(capacity: 8)
    writer.u64(timestamp.rawValue)
    try transaction.put(tree, [partition], writer.bytes)
  }
}
