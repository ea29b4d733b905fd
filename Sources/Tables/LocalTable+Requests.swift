// Requests in the form in which other nodes send them. Everything in them is checked: a precondition of the
// local functions must not be in a peer's hands.

import LocalDB
import Synchronization

extension LocalTable: TableEndpoint {
  var name: String { schema.name }

  /// The most keys, rows or entries of one request: a listing page is 1,000.
  private static var rowsMax: Int { 4096 }

  nonisolated(nonsending) func perform(
    _ request: ReplicaRequest
  ) async throws -> ReplicaResponse.Body {
    switch request.body {
    case .read(let keys):
      try check(keys, request.partition)
      return .rows(try read(keys))
    case .range(let range):
      try check([RowKey(partitionKey: range.partitionKey)], request.partition)
      guard (0...Self.rowsMax).contains(range.limit) else {
        throw malformed("limit \(range.limit)")
      }
      return .range(try answer(range))
    case .merge(let rows, let origin):
      try check(rows.map(\.key), request.partition)
      let entries = try rows.map { row in
        (row.key, try row.bytes.withUnsafeBytes { try schema.decode($0) })
      }
      return .answer(try await merge(entries, origin: origin))
    case .operate(let name, let partitionKey, let input):
      try check([RowKey(partitionKey: partitionKey)], request.partition)
      guard let operation = operations.withLock({ $0[name] }) else {
        throw TableError.unknown(name: "\(schema.name).\(name)")
      }
      return .answer(
        try await answering { transaction in
          try operation.apply(input, self.context(partitionKey, transaction))
        })
    }
  }

  private func read(_ keys: [RowKey]) throws -> [[UInt8]?] {
    if keys.count == 1 {
      return [try database.get(rows, keys[0].diskKey) { Array(try rowBytes($0)) }]
    }
    return try database.read { transaction in
      try keys.map { try transaction.get(rows, $0.diskKey) { Array(try rowBytes($0)) } }
    }
  }

  private func check(_ keys: [RowKey], _ partition: UInt8) throws {
    guard keys.count <= Self.rowsMax else { throw malformed("\(keys.count) rows in one request") }
    for key in keys {
      guard key.partitionKey.count == schema.partitionKeyBytes else {
        throw malformed("a partition key of \(key.partitionKey.count) bytes")
      }
      guard key.partition == partition else { throw malformed("a key of another partition") }
    }
  }

  private func malformed(_ detail: String) -> TableError {
    .malformed(table: schema.name, detail: detail)
  }
}
