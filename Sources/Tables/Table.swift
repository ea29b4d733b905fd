// A replicated table, as its users see it.
//
// Writes go to all replicas and return at the write quorum; reads ask a read quorum, merge, and write the merge
// back to a write quorum before they answer, if replicas differed. So a read never shows what a later
// read could miss. On a node that holds everything alone each call is one read or one write of the
// local database: no task, no encoding, no message.
//
// Invariants:
//   1. An accepted write is durable on a write quorum of every live layout version.
//   2. What a read returned is held by a write quorum.

import LocalDB

/// Reads and writes rows of `Schema` wherever they live.
public final class Table<Schema: TableSchema>: Sendable {
  /// The rows on this node.
  @usableFromInline
  package let local: LocalTable<Schema>
  @usableFromInline let coordinator: TableCoordinator

  @inlinable package var schema: Schema { local.schema }

  /// The table whose local rows are `local`.
  package init(local: LocalTable<Schema>, coordinator: TableCoordinator) {
    self.local = local
    self.coordinator = coordinator
  }

  // MARK: Reading

  /// The row at `key`, or `nil` when there is none or it is a tombstone.
  @inlinable
  package nonisolated(nonsending) func get(_ key: RowKey) async throws -> Schema.Row? {
    guard let row = try await entry(key), schema.tombstoneTimestamp(row) == nil else { return nil }
    return row
  }

  /// The row at `key`, tombstones included.
  ///
  /// A fully replicated table answers from this node when it has a live row; before "no" a majority is asked.
  @inlinable
  package nonisolated(nonsending) func entry(_ key: RowKey) async throws -> Schema.Row? {
    if coordinator.isSole { return try local.entry(key) }
    return try await replicatedEntry(key)
  }

  @usableFromInline
  nonisolated(nonsending) func replicatedEntry(_ key: RowKey) async throws -> Schema.Row? {
    if schema.isFullyReplicated {
      if let row = try local.entry(key), schema.tombstoneTimestamp(row) == nil { return row }
      guard let row = try await quorumEntries([key])[0] else { return nil }
      _ = try await local.merge([(key, row)], origin: .repair)
      return row
    }
    return try await quorumEntries([key])[0]
  }

  /// The rows at `keys`, which share one partition key, tombstones included: one round trip for all.
  package nonisolated(nonsending) func entries(_ keys: [RowKey]) async throws -> [Schema.Row?] {
    guard let first = keys.first else { return [] }
    precondition(
      keys.allSatisfy { $0.partitionKey == first.partitionKey }, "keys of one partition key")
    if coordinator.isSole {
      return try local.database.read { transaction in
        try keys.map { try local.entry($0, in: transaction) }
      }
    }
    return try await quorumEntries(keys)
  }

  private nonisolated(nonsending) func quorumEntries(
    _ keys: [RowKey]
  ) async throws -> [Schema.Row?] {
    let partition = keys[0].partition
    let group = group(of: partition)
    let answers = try await coordinator.read(
      request(.read(keys), partition, group), from: group
    ).map { body in
      guard case .rows(let rows) = body, rows.count == keys.count else {
        throw TableError.malformed(table: schema.name, detail: "an answer of another kind")
      }
      return rows
    }
    var merged: [Schema.Row?] = []
    var repairs: [EncodedRow] = []
    for (index, key) in keys.enumerated() {
      let result = try RowMerge(schema, answers.map { $0[index] })
      merged.append(result?.row)
      if let result, result.isDisputed { repairs.append(.init(key: key, bytes: result.bytes)) }
    }
    try await writeBack(repairs, partition, group)
    return merged
  }

  /// Writes `rows` to a write quorum, so that no later read can miss them.
  nonisolated(nonsending) func writeBack(
    _ rows: [EncodedRow], _ partition: UInt8, _ group: ReplicaGroup
  ) async throws {
    guard !rows.isEmpty else { return }
    let outcome = try await coordinator.write(
      request(.merge(rows, .repair), partition, group), to: group)
    guard outcome.isAccepted else {
      throw TableError.unavailable(
        table: schema.name, partition: partition, reason: "a repair was answered \(outcome)")
    }
  }

  // MARK: Writing

  /// Merges `row` into the row at `key`.
  package nonisolated(nonsending) func merge(
    _ key: RowKey, _ row: Schema.Row
  ) async throws -> WriteOutcome {
    try await merge(partitionKey: key.partitionKey, [(key.sortKey, row)])
  }

  /// Merges rows of one partition key, given with their sort keys: all of them on each replica, or none.
  package nonisolated(nonsending) func merge(
    partitionKey: [UInt8], _ rows: [([UInt8], Schema.Row)]
  ) async throws -> WriteOutcome {
    let entries = rows.map { (RowKey(partitionKey: partitionKey, sortKey: $0.0), $0.1) }
    if coordinator.isSole {
      return WriteOutcome(try await local.merge(entries, origin: .client))
    }
    let partition = Partition.of(partitionKey)
    let group = group(of: partition)
    let encoded = entries.map { EncodedRow(key: $0.0, bytes: schema.encode($0.1)) }
    return try await coordinator.write(
      request(.merge(encoded, .client), partition, group), to: group)
  }

  /// Runs `operation` on the replicas of `partitionKey`.
  package nonisolated(nonsending) func operate<Operation: TableOperation>(
    _ operation: Operation, partitionKey: [UInt8], input: Operation.Input
  ) async throws -> WriteOutcome where Operation.Schema == Schema {
    if coordinator.isSole {
      return WriteOutcome(
        try await local.operate(operation, partitionKey: partitionKey, input: input))
    }
    let partition = Partition.of(partitionKey)
    let group = group(of: partition)
    return try await coordinator.write(
      operateRequest(operation, partitionKey, input, partition, group), to: group)
  }

  /// Runs `operation` on every replica of `partitionKey` and returns each one's answer: for what
  /// needs all of them, such as undoing an upload.
  ///
  /// - Throws: `TableError.unavailable` unless every replica answered.
  package nonisolated(nonsending) func operateOnAll<Operation: TableOperation>(
    _ operation: Operation, partitionKey: [UInt8], input: Operation.Input
  ) async throws -> [ReplicaAnswer] where Operation.Schema == Schema {
    if coordinator.isSole {
      return [try await local.operate(operation, partitionKey: partitionKey, input: input)]
    }
    let partition = Partition.of(partitionKey)
    let group = group(of: partition)
    return try await coordinator.writeToAll(
      operateRequest(operation, partitionKey, input, partition, group), to: group
    ).map { $0.1 }
  }

  // MARK: Requests

  func group(of partition: UInt8) -> ReplicaGroup {
    schema.isFullyReplicated
      ? coordinator.placement.everyone : coordinator.placement.group(for: partition)
  }

  func request(
    _ body: ReplicaRequest.Body, _ partition: UInt8, _ group: ReplicaGroup
  ) -> ReplicaRequest {
    ReplicaRequest(table: schema.name, partition: partition, layout: group.layout, body: body)
  }

  private func operateRequest<Operation: TableOperation>(
    _ operation: Operation, _ partitionKey: [UInt8], _ input: Operation.Input, _ partition: UInt8,
    _ group: ReplicaGroup
  ) -> ReplicaRequest where Operation.Schema == Schema {
    let body = ReplicaRequest.Body.operate(
      name: operation.name, partitionKey: partitionKey, input: operation.encode(input))
    return request(body, partition, group)
  }
}

extension WriteOutcome {
  /// The outcome when there is one replica.
  init(_ answer: ReplicaAnswer) {
    switch answer {
    case .accepted(let payload): self = .accepted([payload])
    case .stale(let timestamp): self = .stale(timestamp)
    case .refused(let code, let payload): self = .refused(code: code, payload: payload)
    }
  }
}
