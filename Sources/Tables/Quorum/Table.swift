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
//   3. Who is refused for its layout sends the same bytes again, to the nodes of the newer one.

import Base
import LocalDB

/// Reads and writes rows of `Schema` wherever they live.
public final class Table<Schema: TableSchema>: Sendable {
  /// The rows on this node.
  @usableFromInline
  package let local: LocalTable<Schema>
  @usableFromInline let coordinator: TableCoordinator

  @inlinable package var schema: Schema { local.schema }

  /// Whether this node holds all rows alone.
  package var isSole: Bool { coordinator.sole != nil }

  /// How often a request is sent again because a replica knows a newer layout, or dropped tombstones meanwhile.
  ///
  /// With the waits in between some seconds: a layout reaches everybody in less.
  private static var triesMax: Int { 50 }
  private static var pause: Duration { .milliseconds(100) }

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

  /// As above; each replica has to hold `companion` before it answers.
  package nonisolated(nonsending) func get(
    _ key: RowKey, companion: CompanionRow
  ) async throws -> Schema.Row? {
    guard let row = try await replicatedEntry(key, companion: companion),
      schema.tombstoneTimestamp(row) == nil
    else { return nil }
    return row
  }

  /// The row at `key`, tombstones included.
  ///
  /// A fully replicated table answers from this node when it has a live row; before "no" a quorum is asked.
  @inlinable
  package nonisolated(nonsending) func entry(_ key: RowKey) async throws -> Schema.Row? {
    if coordinator.sole != nil { return try local.entry(key) }
    return try await replicatedEntry(key)
  }

  @usableFromInline
  nonisolated(nonsending) func replicatedEntry(_ key: RowKey) async throws -> Schema.Row? {
    try await replicatedEntry(key, companion: nil)
  }

  private nonisolated(nonsending) func replicatedEntry(
    _ key: RowKey, companion: CompanionRow?
  ) async throws -> Schema.Row? {
    if schema.isFullyReplicated, let row = try local.entry(key),
      schema.tombstoneTimestamp(row) == nil
    {
      return row
    }
    return try await current(key, companion: companion)
  }

  /// The row at `key` as a quorum has it, tombstones included: also where this node has one.
  package nonisolated(nonsending) func current(
    _ key: RowKey, companion: CompanionRow? = nil
  ) async throws -> Schema.Row? {
    if coordinator.sole != nil { return try local.entry(key) }
    guard let row = try await quorumEntries([key], companion)[0] else { return nil }
    if schema.isFullyReplicated { _ = try await local.merge([(key, row)], origin: .feed) }
    return row
  }

  /// The rows at `keys`, which share one partition key, tombstones included: one round trip for all.
  package nonisolated(nonsending) func entries(_ keys: [RowKey]) async throws -> [Schema.Row?] {
    guard let first = keys.first else { return [] }
    precondition(
      keys.allSatisfy { $0.partitionKey == first.partitionKey }, "keys of one partition key")
    if coordinator.sole != nil {
      return try local.database.read { transaction in
        try keys.map { try local.entry($0, in: transaction) }
      }
    }
    return try await quorumEntries(keys)
  }

  private nonisolated(nonsending) func quorumEntries(
    _ keys: [RowKey], _ companion: CompanionRow? = nil
  ) async throws -> [Schema.Row?] {
    try await again(partition(of: keys[0].partitionKey)) { group, floors in
      var request = request(.read(keys), group)
      request.companion = companion
      let answers = try await coordinator.read(request, from: group.replicas)
        .map { body in
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
      try await writeBack(repairs, group, floors)
      return merged
    }
  }

  /// Writes `rows` to a write quorum, so that no later read can miss them.
  ///
  /// - Parameter floors: What was known of the replicas' floors before the rows were read.
  /// - Throws: `ReadAgain` when a replica has dropped tombstones since.
  nonisolated(nonsending) func writeBack(
    _ rows: [EncodedRow], _ group: PlacedGroup, _ floors: [NodeID: Timestamp]
  ) async throws {
    guard !rows.isEmpty else { return }
    let outcome = try await coordinator.write(
      request(.merge(rows, .repair), group), to: group.replicas, floors: floors)
    if case .refused(RefusalCode.floorRaised, _, _) = outcome { throw ReadAgain() }
    guard outcome.isAccepted else {
      throw TableError.unavailable(
        table: schema.name, partition: group.partition, reason: "a repair was answered \(outcome)")
    }
  }

  // MARK: Writing

  /// Merges `row` into the row at `key`.
  package nonisolated(nonsending) func merge(
    _ key: RowKey, _ row: Schema.Row, above: Timestamp? = nil
  ) async throws -> WriteOutcome {
    try await merge(partitionKey: key.partitionKey, [(key.sortKey, row)], above: above)
  }

  /// Merges rows of one partition key, given with their sort keys: all of them on each replica, or none.
  ///
  /// - Parameter above: The stale answer that this is above, if it was tried before.
  package nonisolated(nonsending) func merge(
    partitionKey: [UInt8], _ rows: [([UInt8], Schema.Row)], above: Timestamp? = nil
  ) async throws -> WriteOutcome {
    let entries = rows.map { (RowKey(partitionKey: partitionKey, sortKey: $0.0), $0.1) }
    if let layout = coordinator.sole {
      do {
        return WriteOutcome(
          try await local.merge(
            entries, origin: .client, layout: layout, above: above ?? .zero))
      } catch is StaleLayout {
        // Another node holds rows too from here on.
      }
    }
    let encoded = entries.map { EncodedRow(key: $0.0, bytes: schema.encode($0.1)) }
    let outcome = try await send(.merge(encoded, .client), partitionKey) { request in
      request.above = above ?? .zero
    }
    // A copy without a vote: who wrote here reads here what was written.
    if outcome.isAccepted, schema.isFullyReplicated {
      _ = try await local.merge(entries, origin: .feed)
    }
    return outcome
  }

  /// Runs `operation` on the replicas of `partitionKey`.
  ///
  /// - Parameters:
  ///   - above: The stale answer that this is above, if it was tried before.
  ///   - companion: Makes the row that each replica has to hold before; it is not asked for on a sole node.
  package nonisolated(nonsending) func operate<Operation: TableOperation>(
    _ operation: Operation, partitionKey: [UInt8], input: Operation.Input,
    above: Timestamp? = nil, companion: () -> CompanionRow? = { nil }
  ) async throws -> WriteOutcome where Operation.Schema == Schema {
    if let layout = coordinator.sole {
      do {
        return WriteOutcome(
          try await local.operate(
            operation, partitionKey: partitionKey, input: input, layout: layout,
            above: above ?? .zero))
      } catch is StaleLayout {
        // Another node holds rows too from here on.
      }
    }
    let body = body(operation, partitionKey, input)
    let companion = companion()
    return try await send(body, partitionKey) { request in
      request.above = above ?? .zero
      request.companion = companion
    }
  }

  /// Runs `operation` on every replica of `partitionKey` and returns each one's answer: for what
  /// needs all of them, such as undoing an upload.
  ///
  /// - Throws: `TableError.unavailable` unless every replica answered.
  package nonisolated(nonsending) func operateOnAll<Operation: TableOperation>(
    _ operation: Operation, partitionKey: [UInt8], input: Operation.Input
  ) async throws -> [ReplicaAnswer] where Operation.Schema == Schema {
    if let layout = coordinator.sole {
      do {
        return [
          try await local.operate(
            operation, partitionKey: partitionKey, input: input, layout: layout)
        ]
      } catch is StaleLayout {
        // Another node holds rows too from here on.
      }
    }
    let body = body(operation, partitionKey, input)
    return try await again(partition(of: partitionKey)) { group, _ in
      try await coordinator.writeToAll(request(body, group), to: group.replicas).map { $0.1 }
    }
  }

  /// Sends a write to its replicas, and the same bytes again to those of a newer layout.
  ///
  /// Whatever the last of them say, a replica that had taken an earlier copy has it.
  private nonisolated(nonsending) func send(
    _ body: ReplicaRequest.Body, _ partitionKey: [UInt8],
    _ complete: (inout ReplicaRequest) -> Void
  ) async throws -> WriteOutcome {
    var mayExist = false
    let outcome = try await again(partition(of: partitionKey)) { group, _ in
      var request = request(body, group)
      complete(&request)
      do {
        return try await coordinator.write(request, to: group.replicas)
      } catch let stale as StaleLayout {
        mayExist = mayExist || stale.mayExist
        throw stale
      }
    }
    return mayExist ? outcome.afterCopies : outcome
  }

  // MARK: Requests

  /// A partition with its replicas, at the moment of a request.
  struct PlacedGroup {
    var partition: UInt16
    var replicas: ReplicaGroup
  }

  /// A replica dropped tombstones after the rows were read.
  struct ReadAgain: Error {}

  /// Calls `body` with the replicas of `partition` and what is known of their floors; again, with those of then, when it
  /// throws `StaleLayout` or `ReadAgain`.
  nonisolated(nonsending) func again<Value>(
    _ partition: UInt16,
    _ body: nonisolated(nonsending) (PlacedGroup, [NodeID: Timestamp]) async throws -> Value
  ) async throws -> Value {
    for _ in 0..<Self.triesMax {
      let replicas = coordinator.placement.group(for: partition)
      let group = PlacedGroup(partition: partition, replicas: replicas)
      let floors = coordinator.floors.known(replicas.readNodes, schema.name, partition)
      do {
        return try await body(group, floors)
      } catch is StaleLayout {
        try await coordinator.runtime.sleep(for: Self.pause)
      } catch is ReadAgain {
        continue
      }
    }
    throw TableError.unavailable(
      table: schema.name, partition: partition,
      reason: "this node does not know yet where it is held: the layout has changed")
  }

  func partition(of partitionKey: [UInt8]) -> UInt16 {
    schema.isFullyReplicated ? Partition.everywhere : UInt16(Partition.of(partitionKey))
  }

  func request(_ body: ReplicaRequest.Body, _ group: PlacedGroup) -> ReplicaRequest {
    ReplicaRequest(
      table: schema.name, partition: group.partition, layout: group.replicas.layout, body: body)
  }

  private func body<Operation: TableOperation>(
    _ operation: Operation, _ partitionKey: [UInt8], _ input: Operation.Input
  ) -> ReplicaRequest.Body where Operation.Schema == Schema {
    .operate(name: operation.name, partitionKey: partitionKey, input: operation.encode(input))
  }
}

extension WriteOutcome {
  /// The outcome when there is one replica.
  init(_ answer: ReplicaAnswer) {
    switch answer {
    case .accepted(let payload): self = .accepted([payload])
    case .stale(let timestamp): self = .stale(timestamp, mayExist: false)
    case .refused(let code, let payload):
      self = .refused(code: code, payload: payload, mayExist: false)
    }
  }
}
