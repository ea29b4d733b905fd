// A row of an access key (docs/formats/objects.md).

package import Base
package import Codecs
import LocalDB
package import Tables

/// An access key, or the fact that it was deleted.
package struct AccessKeyRow: Equatable, Sendable {
  /// What a key is as long as it was not deleted.
  package struct Key: Equatable, Sendable {
    package var secret: String
    package var name: Register<String>
    package var mayCreateBuckets: Register<Bool>
    package var expiration: Register<WallTime?>
  }

  /// The latest time in the row.
  package var changed: Timestamp
  /// A key that is imported again after it was deleted is created again: the later creation wins.
  package var created: Timestamp
  package var createdWall: WallTime
  /// `nil`: deleted.
  package var key: Key?
  package var trailing: [UInt8] = []

  package init(created: Timestamp, createdWall: WallTime, secret: String, name: String) {
    changed = created
    self.created = created
    self.createdWall = createdWall
    key = Key(
      secret: secret, name: Register(name, at: created),
      mayCreateBuckets: Register(false, at: created), expiration: Register(nil, at: created))
  }

  static func merged(_ a: AccessKeyRow, _ b: AccessKeyRow) -> AccessKeyRow {
    var result = a
    if a.identity != b.identity {
      result = a.identity > b.identity ? a : b
    } else if let left = a.key, let right = b.key {
      result.key = merged(left, right)
      if a.trailing.lexicographicallyPrecedes(b.trailing) { result.trailing = b.trailing }
    } else if a.key == nil, b.key == nil {
      if a.trailing.lexicographicallyPrecedes(b.trailing) { result.trailing = b.trailing }
    } else {
      result = a.key == nil ? a : b
    }
    result.changed = max(a.changed, b.changed)
    return result
  }

  private var identity: (Timestamp, WallTime) { (created, createdWall) }

  private static func merged(_ a: Key, _ b: Key) -> Key {
    Key(
      // Only a faulty node gives two secrets.
      secret: isAbove(b.secret, a.secret) ? b.secret : a.secret,
      name: a.name.merged(b.name, isAbove: isAbove),
      mayCreateBuckets: a.mayCreateBuckets.merged(b.mayCreateBuckets) { $0 && !$1 },
      expiration: a.expiration.merged(b.expiration) { left, right in
        (left?.milliseconds ?? .max) < (right?.milliseconds ?? .max)
      })
  }

  /// By bytes: Swift calls two texts equal that are two spellings of one.
  private static func isAbove(_ a: String, _ b: String) -> Bool {
    b.utf8.lexicographicallyPrecedes(a.utf8)
  }

  package var encoded: [UInt8] {
    var writer = BinaryWriter(capacity: 160)
    writer.version(1)
    writer.timestamp(changed)
    writer.timestamp(created)
    writer.signed(createdWall.milliseconds)
    writer.bool(key == nil)
    if let key {
      writer.string(key.secret)
      writer.timestamp(key.name.timestamp)
      writer.string(key.name.value)
      writer.timestamp(key.mayCreateBuckets.timestamp)
      writer.bool(key.mayCreateBuckets.value)
      writer.timestamp(key.expiration.timestamp)
      writer.optional(key.expiration.value) { $0.signed($1.milliseconds) }
    }
    writer.raw(trailing)
    return writer.bytes
  }

  package init(_ bytes: UnsafeRawBufferPointer) throws(BinaryError) {
    var reader = BinaryReader(bytes)
    _ = try reader.version(upTo: 1)
    changed = try reader.timestamp()
    created = try reader.timestamp()
    createdWall = WallTime(milliseconds: try reader.signed())
    key = try reader.bool() ? nil : try Key(from: &reader)
    trailing = reader.remaining()
  }
}

extension AccessKeyRow.Key {
  init(from reader: inout BinaryReader) throws(BinaryError) {
    secret = try reader.string(max: RowLimits.nameBytesMax)
    let nameTime = try reader.timestamp()
    name = Register(try reader.string(max: RowLimits.nameBytesMax), at: nameTime)
    let createTime = try reader.timestamp()
    mayCreateBuckets = Register(try reader.bool(), at: createTime)
    let expirationTime = try reader.timestamp()
    let expires = try reader.optional { (reader: inout BinaryReader) throws(BinaryError) in
      WallTime(milliseconds: try reader.signed())
    }
    expiration = Register(expires, at: expirationTime)
  }
}

/// The table of access keys.
package struct AccessKeySchema: TableSchema {
  package init() {}

  package var name: String { "access_key" }
  package var partitionKeyBytes: Int { 0 }
  package var isFullyReplicated: Bool { true }

  package func encode(_ row: AccessKeyRow) -> [UInt8] { row.encoded }
  package func decode(_ bytes: UnsafeRawBufferPointer) throws -> AccessKeyRow {
    try AccessKeyRow(bytes)
  }
  package func merge(_ a: AccessKeyRow, _ b: AccessKeyRow) -> AccessKeyRow { .merged(a, b) }
  package func timestamp(of row: AccessKeyRow) -> Timestamp { row.changed }
  package func tombstoneTimestamp(_ row: AccessKeyRow) -> Timestamp? {
    row.key == nil ? row.changed : nil
  }
}
