// What a table stores: the part that a table's author writes.

public import LocalDB

/// A kind of row: its name, its bytes, and how two replicas' rows become one.
///
/// Laws, which a property test of each schema checks:
///   1. `merge` is commutative, associative and idempotent, on rows of one key.
///   2. `encode` is canonical: rows that are equal have equal bytes, and `decode(encode(row))` is `row`.
///   3. `timestamp(of: merge(a, b))` is the larger of the two.
public protocol TableSchema<Row>: Sendable {
  associatedtype Row: Sendable

  /// The table's name on disk and on the wire: a literal of `a-z`, `0-9`, `_`, at most 48 long.
  var name: String { get }

  /// The length of every partition key.
  var partitionKeyBytes: Int { get }

  /// Whether every node holds all rows.
  ///
  /// Such tables are small and read locally.
  var isFullyReplicated: Bool { get }

  /// How much memory rows that were read lately may take, so that they need not be read again.
  ///
  /// None, by default.
  var cacheBytes: Int { get }

  /// The row's bytes: first its version, then fields, then trailing fields that this program does not know.
  func encode(_ row: Row) -> [UInt8]

  /// The row in `bytes`, which are valid only within the call.
  ///
  /// - Throws: When they are no row. They may come from a damaged disk or another node.
  func decode(_ bytes: UnsafeRawBufferPointer) throws -> Row

  /// What a replica that was told of both rows holds.
  func merge(_ a: Row, _ b: Row) -> Row

  /// The newest timestamp in the row: it is what a client's write is compared with a partition's
  /// floor and a replica's clock by.
  func timestamp(of row: Row) -> Timestamp

  /// When the row says "deleted": its timestamp.
  ///
  /// Such a row is hidden from readers and dropped in the end.
  func tombstoneTimestamp(_ row: Row) -> Timestamp?

  /// For a table where the later write wins: the timestamp of `held` when it is newer than
  /// `incoming` and `incoming` would be lost.
  ///
  /// The write is then answered *stale* and stores nothing. `nil` by default.
  func newerTimestamp(held: Row, incoming: Row) -> Timestamp?

  /// Whether the row proves that its group exists when a range is read by groups
  /// (`DelimiterGrouping`).
  ///
  /// Every row that is no tombstone, by default.
  func isWitness(_ row: Row) -> Bool

  /// `isWitness` of the row in `bytes`, which are valid only within the call.
  ///
  /// A table whose rows are long may look at their beginning alone, as one row of each group is read for this.
  ///
  /// - Throws: When they are no row.
  func isWitness(encoded bytes: UnsafeRawBufferPointer) throws -> Bool

  /// Called in the transaction that changes a row, for counts, queues and indexes of this replica.
  ///
  /// `old` is `nil` for a new row, `new` for a tombstone that is dropped. Other tables' rows must not be
  /// changed here.
  func rowChanged(_ key: RowKey, old: Row?, new: Row?, in transaction: WriteTransaction) throws
}

extension TableSchema {
  public var isFullyReplicated: Bool { false }
  public var cacheBytes: Int { 0 }
  public func newerTimestamp(held: Row, incoming: Row) -> Timestamp? { nil }
  public func isWitness(_ row: Row) -> Bool { tombstoneTimestamp(row) == nil }
  public func isWitness(encoded bytes: UnsafeRawBufferPointer) throws -> Bool {
    isWitness(try decode(bytes))
  }
  public func rowChanged(
    _ key: RowKey, old: Row?, new: Row?, in transaction: WriteTransaction
  ) throws {}
}
