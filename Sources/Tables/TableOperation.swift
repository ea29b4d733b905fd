// Replica-side operations: named functions that run in each replica's transaction.
//
// A merge alone cannot say "only if": whether something newer is held, whether a bucket is being deleted,
// what a K2V insert adds to. An operation is sent to the replicas of one partition key by name, with its
// input, and each runs it over its own rows and answers for itself.

package import LocalDB

/// An operation on the rows of one partition key.
package protocol TableOperation<Schema>: Sendable {
  associatedtype Schema: TableSchema
  associatedtype Input: Sendable

  /// The name on the wire: a literal.
  var name: String { get }

  /// The input's bytes, for replicas on other nodes.
  func encode(_ input: Input) -> [UInt8]

  /// The input in `bytes`.
  ///
  /// - Throws: When they are none. They come from another node.
  func decode(_ bytes: [UInt8]) throws -> Input

  /// Answers for this replica, after changing its rows through `context`.
  ///
  /// What it throws undoes its changes and counts as a replica that did not answer. So does every answer but
  /// `.accepted` undo them. It runs on the writer's thread and must not wait.
  func apply(_ input: Input, in context: OperationContext<Schema>) throws -> ReplicaAnswer
}

/// The rows of one partition key on this replica, within one transaction.
package struct OperationContext<Schema: TableSchema> {
  /// The transaction, for other trees of this node.
  package let transaction: WriteTransaction
  /// The partition key that the operation was sent to.
  package let partitionKey: [UInt8]
  /// The highest timestamp of a tombstone that this partition has dropped.
  package let floor: Timestamp
  /// The stale answer that the write is above (`ReplicaRequest.above`).
  let above: Timestamp

  let table: LocalTable<Schema>
  /// What the disk keys of the rows begin with.
  let prefix: [UInt8]

  /// A row as this replica holds it at the moment.
  package struct HeldRow {
    package let sortKey: [UInt8]
    package let row: Schema.Row
    let held: LocalTable<Schema>.Held
  }

  /// The row at `sortKey`, tombstones included.
  package func row(_ sortKey: [UInt8]) throws -> Schema.Row? {
    try table.held(prefix + sortKey, in: transaction)?.row
  }

  /// Hands the rows with `from <= sort key < to` to `body` until it returns false, tombstones included.
  package func rows(
    from: [UInt8] = [], to: [UInt8]? = nil, limit: Int = .max,
    body: (_ sortKey: [UInt8], _ row: Schema.Row) throws -> Bool
  ) throws {
    var left = limit
    try table.walkStored(prefix: prefix, from: from, to: to, in: transaction) { sortKey, stored in
      guard left > 0 else { return .stop }
      left -= 1
      return try body(Array(sortKey), table.schema.decode(stored.row)) ? .next : .stop
    }
  }

  /// The first rows with `from <= sort key < to`, tombstones included, for `put(_:_:replacing:)`.
  package func heldRows(from: [UInt8], to: [UInt8], limit: Int) throws -> [HeldRow] {
    var rows: [HeldRow] = []
    try table.walkStored(prefix: prefix, from: from, to: to, in: transaction) { sortKey, stored in
      let row = try table.schema.decode(stored.row)
      rows.append(HeldRow(sortKey: Array(sortKey), row: row, held: .init(row, stored)))
      return rows.count < limit ? .next : .stop
    }
    return rows
  }

  /// Stores the merge of the held row and `row`, and returns it.
  ///
  /// Rows only grow, in the order of `merge`: otherwise replicas that apply an operation at different
  /// moments would not come together again.
  @discardableResult
  package func put(_ sortKey: [UInt8], _ row: Schema.Row) throws -> Schema.Row {
    let diskKey = prefix + sortKey
    let held = try table.held(diskKey, in: transaction)
    return try table.store(key(sortKey), row, diskKey, replacing: held, in: transaction)
  }

  /// As `put`, without looking again.
  ///
  /// - Precondition: `held` is what lies at `sortKey`: `heldRows` found it, or found nothing there, and no `put`
  ///   came in between.
  @discardableResult
  package func put(
    _ sortKey: [UInt8], _ row: Schema.Row, replacing held: HeldRow?
  ) throws -> Schema.Row {
    precondition(held.map { $0.sortKey == sortKey } ?? true, "the row of another key")
    return try table.store(
      key(sortKey), row, prefix + sortKey, replacing: held?.held, in: transaction)
  }

  private func key(_ sortKey: [UInt8]) -> RowKey {
    RowKey(partitionKey: partitionKey, sortKey: sortKey)
  }

  /// The answer to a write at `timestamp` that must be given instead of storing it; `nil` to go on.
  ///
  /// - Parameter held: The newest timestamp held under the key (over all its versions), if any.
  package func obstacle(to timestamp: Timestamp, held: Timestamp?) -> ReplicaAnswer? {
    table.obstacle(to: timestamp, held: held, floor: floor, above: above)
  }
}
