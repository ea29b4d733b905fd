// Changing rows of this node.

package import LocalDB
private import Codecs

extension LocalTable {
  /// Undoes a transaction's body and carries the answer out of it.
  private struct Unanswered: Error {
    let answer: ReplicaAnswer
  }

  /// Merges all of `entries` in one transaction, or none when one of them is answered otherwise.
  ///
  /// - Parameters:
  ///   - layout: What the writer knows of the layout; `nil` for rows that no layout decides about.
  ///   - above: The stale answer that the write is above (`ReplicaRequest.above`).
  ///   - repairFloor: The floor that a repair names (`ReplicaRequest.floor`).
  /// - Throws: `StaleLayout`.
  package nonisolated(nonsending) func merge(
    _ entries: [(RowKey, Schema.Row)], origin: MergeOrigin, layout: LayoutStamp? = nil,
    above: Timestamp = .zero, repairFloor: Timestamp = .zero
  ) async throws -> ReplicaAnswer {
    try await answering(layout) { transaction in
      for (key, row) in entries {
        if origin == .repair, self.floors.floor(of: key.partition) > repairFloor {
          return .refused(code: RefusalCode.floorRaised, payload: [])
        }
        let answer = try self.merge(key, row, origin: origin, above: above, in: transaction)
        guard case .accepted = answer else { return answer }
      }
      return .accepted
    }
  }

  /// Writes a row under each of `keys`, of whatever partitions, in one transaction, or none when one is answered
  /// otherwise.
  ///
  /// Each row has a timestamp of its own, above what is held under its key and above the floor of its partition. One
  /// for all would have to be above the highest floor, and where that lies far ahead of the clock the
  /// partitions below it would refuse it.
  ///
  /// - Parameter row: Makes the row for a timestamp.
  package nonisolated(nonsending) func write(
    _ keys: [RowKey], _ row: @escaping @Sendable (Timestamp) -> Schema.Row
  ) async throws -> ReplicaAnswer {
    try await answering(nil) { transaction in
      for key in keys {
        var answer = try self.merge(key, row(self.clock.now()), origin: .client, in: transaction)
        if case .stale(let held) = answer {
          let row = row(self.clock.now(above: held))
          answer = try self.merge(key, row, origin: .client, above: held, in: transaction)
        }
        guard case .accepted = answer else { return answer }
      }
      return .accepted
    }
  }

  /// Merges `row` into the row at `key` within a transaction.
  ///
  /// The answers `stale` and `refused` have stored nothing, but what the transaction changed before stays: a
  /// caller that wants all or nothing throws.
  package func merge(
    _ key: RowKey, _ row: Schema.Row, origin: MergeOrigin, above: Timestamp = .zero,
    in transaction: WriteTransaction
  ) throws -> ReplicaAnswer {
    var refusal: ReplicaAnswer?
    try store(key, row, in: transaction) { held, bringsNews in
      guard origin == .client else { return true }
      refusal = obstacle(
        to: row, held: held, bringsNews: bringsNews, partition: key.partition, above: above)
      return refusal == nil
    }
    return refusal ?? .accepted
  }

  /// Runs `operation` here, with its input as a value.
  ///
  /// - Throws: `StaleLayout` when `layout` is what the writer knows, and behind.
  package nonisolated(nonsending) func operate<Operation: TableOperation>(
    _ operation: Operation, partitionKey: [UInt8], input: Operation.Input,
    layout: LayoutStamp? = nil, above: Timestamp = .zero
  ) async throws -> ReplicaAnswer where Operation.Schema == Schema {
    try await answering(layout) { transaction in
      try operation.apply(input, in: self.context(partitionKey, above, transaction))
    }
  }

  /// Runs `operation` here within a transaction that does more: a caller must throw to undo the
  /// changes of an operation whose answer is not `accepted`.
  package func operate<Operation: TableOperation>(
    _ operation: Operation, partitionKey: [UInt8], input: Operation.Input,
    in transaction: WriteTransaction
  ) throws -> ReplicaAnswer where Operation.Schema == Schema {
    try operation.apply(input, in: context(partitionKey, .zero, transaction))
  }

  /// Runs `body` in a transaction that is kept only if the answer is `accepted`.
  ///
  /// - Throws: `StaleLayout` when `layout` is behind at that moment.
  nonisolated(nonsending) func answering(
    _ layout: LayoutStamp?,
    _ body: @escaping @Sendable (WriteTransaction) throws -> ReplicaAnswer
  ) async throws -> ReplicaAnswer {
    do {
      return try await database.write { [fence] transaction in
        if let layout { try fence.check(layout) }
        let answer = try body(transaction)
        guard case .accepted = answer else { throw Unanswered(answer: answer) }
        return answer
      }
    } catch let undone as Unanswered {
      return undone.answer
    }
  }

  func context(
    _ partitionKey: [UInt8], _ above: Timestamp, _ transaction: WriteTransaction
  ) -> OperationContext<Schema> {
    let prefix = Partition.diskPrefix(partitionKey)
    return OperationContext(
      transaction: transaction, partitionKey: partitionKey,
      floor: floors.floor(of: prefix[0]), above: above, table: self, prefix: prefix)
  }

  // MARK: Answers

  private func obstacle(
    to row: Schema.Row, held: Held?, bringsNews: Bool, partition: UInt8, above: Timestamp
  ) -> ReplicaAnswer? {
    // A write that is repeated is fine. One that would be lost is not, though merging it changes as little.
    if let held, held.bytes != schema.encode(row),
      let newer = schema.newerTimestamp(held: held.row, incoming: row)
    {
      return .stale(newer)
    }
    guard bringsNews else { return nil }
    let timestamp = schema.timestamp(of: row)
    let own = held.map { schema.timestamp(of: $0.row) }
    let floor = floors.floor(of: partition)
    if timestamp <= floor { return .stale(max(floor, own ?? .zero)) }
    return clockObstacle(to: timestamp, newest: max(floor, own ?? .zero, above))
  }

  /// The answer to a write at `timestamp` where the later write wins.
  ///
  /// - Parameter above: The stale answer of another replica that the write is above.
  func obstacle(
    to timestamp: Timestamp, held: Timestamp?, floor: Timestamp, above: Timestamp
  ) -> ReplicaAnswer? {
    let newest = max(held ?? .zero, floor)
    if timestamp <= newest { return .stale(newest) }
    return clockObstacle(to: timestamp, newest: max(newest, above))
  }

  /// The answer to a write that is far ahead of this node's clock.
  ///
  /// One that goes no further than a retry has to, above `newest`, is let through: what is far ahead
  /// already, here or on another replica, came from a clock that has been set back since.
  private func clockObstacle(to timestamp: Timestamp, newest: Timestamp) -> ReplicaAnswer? {
    guard clock.isTooFarAhead(timestamp), timestamp > newest.next else { return nil }
    var writer = BinaryWriter(capacity: 8)
    writer.timestamp(clock.now())
    return .refused(code: RefusalCode.clockAhead, payload: writer.bytes)
  }

  // MARK: Storing

  /// A row as it lies in the tree.
  struct Held {
    var row: Schema.Row
    var bytes: [UInt8]
    var sequence: UInt64
    /// What this program does not know of the local part.
    var local: [UInt8]

    init(_ row: Schema.Row, _ stored: StoredRow) {
      self.row = row
      bytes = Array(stored.row)
      sequence = stored.sequence
      local = Array(stored.local.dropFirst(8))
    }
  }

  /// Stores the merge of what is held at `key` and `row`, with everything that belongs to it, and returns it.
  ///
  /// - Parameter admit: Asked before anything changes, with what is held and whether the merge differs from
  ///   it; false leaves everything as it is.
  @discardableResult
  func store(
    _ key: RowKey, _ row: Schema.Row, in transaction: WriteTransaction,
    admit: (_ held: Held?, _ bringsNews: Bool) throws -> Bool = { _, _ in true }
  ) throws -> Schema.Row {
    let diskKey = key.diskKey
    let held = try held(diskKey, in: transaction)
    return try store(key, row, diskKey, replacing: held, in: transaction, admit: admit)
  }

  /// What lies at `diskKey`.
  func held(_ diskKey: [UInt8], in transaction: WriteTransaction) throws -> Held? {
    try transaction.get(rows, diskKey) { stored in
      let parts = try StoredRow(stored)
      return Held(try schema.decode(parts.row), parts)
    }
  }

  /// As above, where `held` is what lies at `key`.
  @discardableResult
  func store(
    _ key: RowKey, _ row: Schema.Row, _ diskKey: [UInt8], replacing held: Held?,
    in transaction: WriteTransaction,
    admit: (_ held: Held?, _ bringsNews: Bool) throws -> Bool = { _, _ in true }
  ) throws -> Schema.Row {
    let merged = held.map { schema.merge($0.row, row) } ?? row
    let bytes = schema.encode(merged)
    let bringsNews = held?.bytes != bytes
    guard try admit(held, bringsNews), bringsNews else { return held?.row ?? row }

    try willChange(transaction)
    let partition = feedPartition(diskKey)
    let sequence = feed.next(partition, in: transaction)
    try transaction.put(
      rows, diskKey,
      StoredRow.bytes(sequence: sequence, local: held?.local ?? [], row: bytes))
    try feed.record(
      FeedRow(table: schema.name, diskKey: diskKey), partition, at: sequence,
      isTombstone: schema.tombstoneTimestamp(merged) != nil,
      replacing: held.map { ($0.sequence, schema.tombstoneTimestamp($0.row) != nil) },
      in: transaction)
    try schema.rowChanged(key, old: held?.row, new: merged, in: transaction)
    noteChange(of: key, in: transaction)
    return merged
  }
}
