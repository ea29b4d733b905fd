// Requests in the form in which other nodes send them. Everything in them is checked: a precondition of the
// local functions must not be in a peer's hands.

import Base
import LocalDB
import Synchronization

extension LocalTable: TableEndpoint {
  var name: String { schema.name }

  nonisolated(nonsending) func perform(
    _ request: ReplicaRequest
  ) async throws -> ReplicaResponse.Body {
    switch request.body {
    case .read(let keys):
      try check(keys, request.partition)
      try fence.check(request.layout)
      return .rows(try read(keys))
    case .range(let range):
      try check([RowKey(partitionKey: range.partitionKey)], request.partition)
      guard (0...TableMessageLimits.rowsMax).contains(range.limit) else {
        throw malformed("limit \(range.limit)")
      }
      try fence.check(request.layout)
      return .range(try answer(range))
    case .merge(let rows, let origin):
      try check(rows.map(\.key), request.partition)
      let entries = try rows.map { row in
        (row.key, try row.bytes.withUnsafeBytes { try schema.decode($0) })
      }
      return .answer(
        try await merge(
          entries, origin: origin, layout: request.layout, above: request.above,
          repairFloor: request.floor))
    case .operate(let name, let partitionKey, let input):
      try check([RowKey(partitionKey: partitionKey)], request.partition)
      guard let operation = operations.withLock({ $0[name] }) else {
        throw TableError.unknown(name: "\(schema.name).\(name)")
      }
      return .answer(
        try await answering(request.layout) { transaction in
          try operation.apply(input, self.context(partitionKey, request.above, transaction))
        })
    }
  }

  nonisolated(nonsending) func hold(_ row: EncodedRow) async throws -> [UInt8]? {
    try check([row.key], feedPartition(row.key.diskKey))
    let isHeld = try database.get(rows, row.key.diskKey) { stored in
      try row.bytes.withUnsafeBytes { try rowBytes(stored).equals($0) }
    }
    if isHeld ?? false { return nil }
    let decoded = try row.bytes.withUnsafeBytes { try schema.decode($0) }
    let held = try stored(row.key)?.row
    let merged = held.map { schema.encode(schema.merge($0, decoded)) } ?? row.bytes
    if held.map({ schema.encode($0) }) != merged {
      _ = try await merge([(row.key, decoded)], origin: .feed)
    }
    return merged == row.bytes ? nil : merged
  }

  func floor(of partition: UInt16) -> Timestamp {
    floors.floor(of: schema.isFullyReplicated ? Partition.of([]) : UInt8(clamping: partition))
  }

  private func read(_ keys: [RowKey]) throws -> [[UInt8]?] {
    if keys.count == 1 {
      return [try database.get(rows, keys[0].diskKey) { Array(try rowBytes($0)) }]
    }
    return try database.read { transaction in
      try keys.map { try transaction.get(rows, $0.diskKey) { Array(try rowBytes($0)) } }
    }
  }

  private func check(_ keys: [RowKey], _ partition: UInt16) throws {
    guard keys.count <= TableMessageLimits.rowsMax else {
      throw malformed("\(keys.count) rows in one request")
    }
    for key in keys {
      guard key.partitionKey.count == schema.partitionKeyBytes else {
        throw malformed("a partition key of \(key.partitionKey.count) bytes")
      }
      let isThere =
        schema.isFullyReplicated
        ? partition == Partition.everywhere : partition == UInt16(key.partition)
      guard isThere else { throw malformed("a key of another partition") }
    }
  }

  private func malformed(_ detail: String) -> TableError {
    .malformed(table: schema.name, detail: detail)
  }
}
