import Base
import Codecs
import LocalDB
import Tables

/// A row where the later write wins: what an unversioned object is.
struct Register: Equatable, Sendable {
  var timestamp: Timestamp
  /// Breaks ties, and names the write.
  var writer: UInt64
  /// `nil` for a tombstone.
  var value: String?
}

/// A table of registers whose hook counts live rows, for the tests.
struct RegisterSchema: TableSchema {
  /// How many rows are alive on this replica, kept by `rowChanged`.
  let counts: Tree
  var name = "register"
  var partitionKeyBytes = 4
  var isFullyReplicated = false
  /// Little, so that rows are forgotten too.
  var cacheBytes = 8 << 10

  /// While `counts` has this key, dropping a tombstone fails at its end.
  static let dropFails: [UInt8] = [1]
  struct DropFailed: Error {}

  init(_ database: LocalDatabase) throws { counts = try database.tree("register_count") }

  func encode(_ row: Register) -> [UInt8] {
    var writer = BinaryWriter()
    writer.version(1)
    writer.u64(row.timestamp.rawValue)
    writer.u64(row.writer)
    writer.optional(row.value) { $0.string($1) }
    return writer.bytes
  }

  func decode(_ bytes: UnsafeRawBufferPointer) throws -> Register {
    var reader = BinaryReader(bytes)
    _ = try reader.version(upTo: 1)
    let timestamp = Timestamp(rawValue: try reader.u64())
    let writer = try reader.u64()
    let value = try reader.optional { reader throws(BinaryError) in try reader.string(max: 1000) }
    return Register(timestamp: timestamp, writer: writer, value: value)
  }

  func merge(_ a: Register, _ b: Register) -> Register {
    (a.timestamp.rawValue, a.writer) >= (b.timestamp.rawValue, b.writer) ? a : b
  }

  func timestamp(of row: Register) -> Timestamp { row.timestamp }

  func tombstoneTimestamp(_ row: Register) -> Timestamp? { row.value == nil ? row.timestamp : nil }

  func newerTimestamp(held: Register, incoming: Register) -> Timestamp? {
    held.timestamp >= incoming.timestamp ? held.timestamp : nil
  }

  func rowChanged(
    _ key: RowKey, old: Register?, new: Register?, in transaction: WriteTransaction
  ) throws {
    if new == nil, try transaction.get(counts, Self.dropFails) != nil { throw DropFailed() }
    let change = (new?.value != nil ? 1 : 0) - (old?.value != nil ? 1 : 0)
    let count = Int(try transaction.get(counts, [0])?.first ?? 0) + change
    try transaction.put(counts, [0], [UInt8(truncatingIfNeeded: count)])
  }

  func liveCount(_ database: LocalDatabase) throws -> UInt8 {
    try database.get(counts, [0])?.first ?? 0
  }
}

/// Writes a register if nothing newer is held.
struct SetRegister: TableOperation {
  typealias Schema = RegisterSchema

  struct Input: Equatable, Sendable {
    var sortKey: [UInt8]
    var row: Register
  }

  let schema: RegisterSchema
  var name = "set"

  func encode(_ input: Input) -> [UInt8] {
    var writer = BinaryWriter()
    writer.bytes(input.sortKey)
    writer.bytes(schema.encode(input.row))
    return writer.bytes
  }

  func decode(_ bytes: [UInt8]) throws -> Input {
    try bytes.withUnsafeBytes { bytes in
      var reader = BinaryReader(bytes)
      let sortKey = try reader.bytes(max: 1000)
      let row = try reader.bytes(max: 2000)
      return Input(sortKey: sortKey, row: try row.withUnsafeBytes { try schema.decode($0) })
    }
  }

  func apply(
    _ input: Input, in context: OperationContext<RegisterSchema>
  ) throws -> ReplicaAnswer {
    let held = try context.row(input.sortKey)
    if held?.writer == input.row.writer, held?.timestamp == input.row.timestamp { return .accepted }
    if let obstacle = context.obstacle(to: input.row.timestamp, held: held?.timestamp) {
      return obstacle
    }
    try context.put(input.sortKey, input.row)
    return .accepted
  }
}

/// Refuses after having changed a row, to see that the change is undone.
struct ChangeAndRefuse: TableOperation {
  typealias Schema = RegisterSchema
  var name = "change_and_refuse"

  func encode(_ input: UInt8) -> [UInt8] { [input] }
  func decode(_ bytes: [UInt8]) throws -> UInt8 { bytes.first ?? 0 }
  func apply(_ input: UInt8, in context: OperationContext<RegisterSchema>) throws -> ReplicaAnswer {
    try context.put(
      [input], Register(timestamp: Timestamp(milliseconds: 1), writer: 1, value: "undone"))
    return .refused(code: RefusalCode.firstOfOperations, payload: [input])
  }
}
