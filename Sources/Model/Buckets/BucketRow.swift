// A row of a bucket (docs/formats/objects.md).

package import Base
package import Codecs
package import LocalDB
package import Tables

/// A bucket: its state, who may do what, and the names that it goes by.
package struct BucketRow: Equatable, Sendable {
  /// The raw values are on disk.
  ///
  /// A plain register: the last one that was set stays (Buckets+Deleting.swift).
  package enum State: UInt8, Sendable {
    case live = 0
    /// Being deleted: no object is accepted until the deletion is confirmed or taken back.
    case deleting = 1
    /// Unless a writer that took the deletion for forgotten has made it live again.
    case deleted = 2
  }

  /// The latest time in the row.
  package var changed: Timestamp
  package var created: Timestamp
  package var createdWall: WallTime
  package var state: Register<State>
  /// By key ID.
  package var grants = RegisterMap<String, UInt8>()
  /// By the alias' key in the table of names; whether the bucket still has it.
  package var names = RegisterMap<AliasName, Bool>()
  package var quota: Register<BucketQuota>
  package var trailing: [UInt8] = []

  package init(created: Timestamp, createdWall: WallTime) {
    changed = created
    self.created = created
    self.createdWall = createdWall
    state = Register(.live, at: created)
    quota = Register(.none, at: created)
  }

  /// What travels with writes of objects.
  var stamp: BucketStamp { BucketStamp(rawValue: state.timestamp.rawValue) }

  package static func merged(_ a: BucketRow, _ b: BucketRow) -> BucketRow {
    var result = a
    result.changed = max(a.changed, b.changed)
    // Only a faulty node gives two times of creation.
    if (b.created, b.createdWall) < (a.created, a.createdWall) {
      (result.created, result.createdWall) = (b.created, b.createdWall)
    }
    result.trailing = a.trailing.lexicographicallyPrecedes(b.trailing) ? b.trailing : a.trailing
    result.state = a.state.merged(b.state) { $0.rawValue > $1.rawValue }
    result.grants = a.grants.merged(b.grants, isAbove: >)
    result.names = a.names.merged(b.names) { $0 && !$1 }
    result.quota = a.quota.merged(b.quota, isAbove: BucketQuota.isAbove)
    return result
  }

  package var encoded: [UInt8] {
    var writer = BinaryWriter(capacity: 128)
    writer.version(1)
    writer.timestamp(changed)
    writer.timestamp(created)
    writer.signed(createdWall.milliseconds)
    writer.timestamp(state.timestamp)
    writer.u8(state.value.rawValue)
    writer.list(grants.entries) { writer, entry in
      writer.string(entry.key)
      writer.timestamp(entry.register.timestamp)
      writer.u8(entry.register.value)
    }
    writer.list(names.entries) { writer, entry in
      writer.bytes(entry.key.sortKey)
      writer.timestamp(entry.register.timestamp)
      writer.bool(entry.register.value)
    }
    writer.timestamp(quota.timestamp)
    quota.value.write(to: &writer)
    writer.raw(trailing)
    return writer.bytes
  }

  package init(_ bytes: UnsafeRawBufferPointer) throws(BinaryError) {
    var reader = BinaryReader(bytes)
    _ = try reader.version(upTo: 1)
    changed = try reader.timestamp()
    created = try reader.timestamp()
    createdWall = WallTime(milliseconds: try reader.signed())
    let stateTime = try reader.timestamp()
    guard let value = State(rawValue: try reader.u8()) else { throw .invalidValue }
    state = Register(value, at: stateTime)
    grants.entries = try Self.grants(&reader)
    names.entries = try Self.names(&reader)
    let quotaTime = try reader.timestamp()
    quota = Register(try BucketQuota(from: &reader), at: quotaTime)
    trailing = reader.remaining()
  }

  private static func grants(
    _ reader: inout BinaryReader
  ) throws(BinaryError) -> [RegisterMap<String, UInt8>.Entry] {
    var previous: String?
    return try reader.list(max: Self.entriesMax) {
      (reader: inout BinaryReader) throws(BinaryError) in
      let key = try reader.string(max: RowLimits.nameBytesMax)
      // As IDs are. Of other texts Swift calls some equal whose bytes differ.
      guard key.utf8.allSatisfy({ $0 < 0x80 }) else { throw .invalidValue }
      if let previous, previous >= key { throw .notCanonical }
      previous = key
      let time = try reader.timestamp()
      return .init(key: key, register: Register(try reader.u8(), at: time))
    }
  }

  private static func names(
    _ reader: inout BinaryReader
  ) throws(BinaryError) -> [RegisterMap<AliasName, Bool>.Entry] {
    var previous: AliasName?
    return try reader.list(max: Self.entriesMax) {
      (reader: inout BinaryReader) throws(BinaryError) in
      guard let key = AliasName(sortKey: try reader.bytes(max: RowLimits.nameBytesMax)) else {
        throw .invalidValue
      }
      if let previous, previous >= key { throw .notCanonical }
      previous = key
      let time = try reader.timestamp()
      return .init(key: key, register: Register(try reader.bool(), at: time))
    }
  }

  /// More keys or names than a bucket ever has; it bounds what a peer can make this node hold.
  private static let entriesMax = 100_000
}

/// What an object write says about the bucket row that its coordinator knew.
struct BucketStamp: Equatable, Comparable, Sendable {
  /// The timestamp of the bucket's state.
  var rawValue: UInt64

  static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// The table of buckets.
package struct BucketSchema: TableSchema {
  private let journal: ObjectJournal

  package init(journal: ObjectJournal) { self.journal = journal }

  static let tableName = "bucket"

  package var name: String { Self.tableName }
  package var partitionKeyBytes: Int { 0 }
  package var isFullyReplicated: Bool { true }

  package func encode(_ row: BucketRow) -> [UInt8] { row.encoded }
  package func decode(_ bytes: UnsafeRawBufferPointer) throws -> BucketRow { try BucketRow(bytes) }
  package func merge(_ a: BucketRow, _ b: BucketRow) -> BucketRow { .merged(a, b) }
  package func timestamp(of row: BucketRow) -> Timestamp { row.changed }
  package func tombstoneTimestamp(_ row: BucketRow) -> Timestamp? {
    row.state.value == .deleted ? row.changed : nil
  }

  package func rowChanged(
    _ key: RowKey, old: BucketRow?, new: BucketRow?, in transaction: WriteTransaction
  ) throws {
    try journal.bucketChanged(key, old: old, new: new, in: transaction)
  }
}
