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

  let table: LocalTable<Schema>

  /// The row at `sortKey`, tombstones included.
  package func row(_ sortKey: [UInt8]) throws -> Schema.Row? {
    try table.entry(RowKey(partitionKey: partitionKey, sortKey: sortKey), in: transaction)
  }

  /// Hands the rows with `from <= sort key < to` to `body` until it returns false, tombstones included.
  package func rows(
    from: [UInt8] = [], to: [UInt8]? = nil, limit: Int = .max,
    body: (_ sortKey: [UInt8], _ row: Schema.Row) throws -> Bool
  ) throws {
    var left = limit
    try table.walk(partitionKey, from: from, to: to, in: transaction) { sortKey, row in
      guard left > 0 else { return false }
      left -= 1
      return try body(sortKey, row)
    }
  }

  /// Stores the merge of the held row and `row`, and returns it.
  ///
  /// Rows only grow, in the order of `merge`: otherwise replicas that apply an operation at different
  /// moments would not come together again.
  @discardableResult
  package func put(_ sortKey: [UInt8], _ row: Schema.Row) throws -> Schema.Row {
    try table.store(RowKey(partitionKey: partitionKey, sortKey: sortKey), row, in: transaction)
  }

  /// The answer to a write at `timestamp` that must be given instead of storing it; `nil` to go on.
  ///
  /// - Parameter held: The newest timestamp held under the key (over all its versions), if any.
  package func obstacle(to timestamp: Timestamp, held: Timestamp?) -> ReplicaAnswer? {
    table.obstacle(to: timestamp, held: held, floor: floor)
  }
}
