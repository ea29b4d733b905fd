// One table's rows on this node.
//
// It knows nothing of other nodes. What it keeps beside the rows lets replicas catch up (the change feed) and forget
// deletes safely (floors); docs/formats/tables.md.
//
// Invariants:
//   1. A row only grows in the order of `merge`, until its tombstone is dropped.
//   2. Row, feed and the schema's own bookkeeping change in one transaction.

package import LocalDB
private import Codecs
import Synchronization

/// The local rows of the table `Schema`.
public final class LocalTable<Schema: TableSchema>: Sendable {
  @usableFromInline
  package let schema: Schema
  package let database: LocalDatabase

  let clock: HybridClock
  let rows: Tree
  let floors: FloorTable
  let feed: ChangeFeed
  let fence: LayoutFence
  let willChange: RowChangeObserver
  private let changes = Atomic<UInt64>(0)
  /// `nil` for a table whose rows are not kept.
  @usableFromInline let cache: EntryCache<Schema.Row>?
  /// By name; set when the table is made.
  let operations = Mutex<[String: StoredOperation<Schema>]>([:])

  init(
    _ schema: Schema, database: LocalDatabase, clock: HybridClock, feed: ChangeFeed,
    fence: LayoutFence, willChange: @escaping RowChangeObserver
  ) throws {
    self.willChange = willChange
    self.feed = feed
    self.fence = fence
    self.schema = schema
    self.database = database
    self.clock = clock
    cache = schema.cacheBytes > 0 ? EntryCache(bytesMax: schema.cacheBytes) : nil
    // The writer reads them with every write of an object.
    rows = try database.tree(schema.name, gathering: schema.isFullyReplicated)
    floors = try FloorTable(database: database, tree: database.tree(schema.name + "_floor"))
  }

  /// The partition of a row in feeds and layouts.
  func feedPartition(_ diskKey: [UInt8]) -> UInt16 {
    schema.isFullyReplicated ? Partition.everywhere : UInt16(diskKey[0])
  }

  /// Makes `operation` known to other nodes under its name.
  package func register<Operation: TableOperation>(_ operation: Operation)
  where Operation.Schema == Schema {
    let stored = StoredOperation<Schema> { input, context in
      try operation.apply(operation.decode(input), in: context)
    }
    operations.withLock { operations in
      precondition(operations[operation.name] == nil, "two operations are called \(operation.name)")
      operations[operation.name] = stored
    }
  }

  /// How many changes the rows of a fully replicated table have had since it was opened.
  ///
  /// It grows once the commit of a change has ended, before its writer is answered: whoever kept what was read before
  /// is told that it may be outdated.
  package var changeNumber: UInt64 { changes.load(ordering: .acquiring) }

  /// Tells who keeps rows that `transaction` changes the one at `key`.
  func noteChange(of key: RowKey, in transaction: WriteTransaction) {
    if let cache {
      transaction.observeCommit(
        CommitObserver(willCommit: { cache.willChange(key) }, didEnd: { cache.didChange() }))
    }
    if schema.isFullyReplicated {
      transaction.observeCommit(
        CommitObserver(didEnd: { self.changes.add(1, ordering: .releasing) }))
    }
  }

  // MARK: Reading

  /// The row at `key` on this node, tombstones included.
  @inlinable
  package func entry(_ key: RowKey) throws -> Schema.Row? {
    check(key.partitionKey)
    guard let cache else { return try stored(key)?.row }
    return try cache.row(key) { try stored(key) }
  }

  /// The row at `key` as the database has it, and how many bytes it takes there.
  @usableFromInline
  func stored(_ key: RowKey) throws -> (row: Schema.Row, bytes: Int)? {
    try database.get(rows, key.diskKey) { (row: try decode($0), bytes: $0.count) }
  }

  /// The row at `key` on this node within a transaction, tombstones included.
  package func entry(_ key: RowKey, in transaction: ReadTransaction) throws -> Schema.Row? {
    check(key.partitionKey)
    return try transaction.get(rows, key.diskKey) { try decode($0) }
  }

  /// Where to go on after a row.
  enum WalkStep {
    case next
    case seek([UInt8])
    case stop
  }

  /// Hands the rows with `from <= sort key < to` to `visit`: their sort keys and bytes, which are valid only in
  /// the call.
  func walkBytes(
    _ partitionKey: [UInt8], from: [UInt8], to: [UInt8]?, in transaction: ReadTransaction,
    visit: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> WalkStep
  ) throws {
    check(partitionKey)
    try walkStored(
      prefix: Partition.diskPrefix(partitionKey), from: from, to: to, in: transaction
    ) { try visit($0, $1.row) }
  }

  /// As above, given what the disk keys of the partition key's rows begin with, and with all parts of each row.
  func walkStored(
    prefix: [UInt8], from: [UInt8], to: [UInt8]?, in transaction: ReadTransaction,
    visit: (UnsafeRawBufferPointer, StoredRow) throws -> WalkStep
  ) throws {
    let end = to.map { prefix + $0 } ?? Partition.end(ofPrefix: prefix)
    var start: [UInt8]? = prefix + from
    while let position = start {
      start = nil
      try transaction.scan(rows, from: position, to: end) { key, value in
        let sortKey = UnsafeRawBufferPointer(rebasing: key[prefix.count...])
        switch try visit(sortKey, parts(value)) {
        case .next: return true
        case .stop: return false
        case .seek(let target):
          guard sortKey.lexicographicallyPrecedes(target) else { return true }
          start = prefix + target
          return false
        }
      }
    }
  }

  private func decode(_ stored: UnsafeRawBufferPointer) throws -> Schema.Row {
    try schema.decode(rowBytes(stored))
  }

  func rowBytes(_ stored: UnsafeRawBufferPointer) throws -> UnsafeRawBufferPointer {
    try parts(stored).row
  }

  private func parts(_ stored: UnsafeRawBufferPointer) throws -> StoredRow {
    do {
      return try StoredRow(stored)
    } catch {
      throw TableError.malformed(table: schema.name, detail: "\(error)")
    }
  }

  /// A partition key of the wrong length would be found under no other key: a mistake of the caller.
  @inlinable
  func check(_ partitionKey: [UInt8]) {
    precondition(
      partitionKey.count == schema.partitionKeyBytes,
      "partition keys of \(schema.name) have \(schema.partitionKeyBytes) bytes")
  }
}

/// A registered operation, with its input still encoded.
struct StoredOperation<Schema: TableSchema>: Sendable {
  let apply: @Sendable ([UInt8], OperationContext<Schema>) throws -> ReplicaAnswer
}
