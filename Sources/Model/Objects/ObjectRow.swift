// The table `object`: versions, uploads and parts of one bucket's shard under one partition key.
//
// The three kinds share a table so that one replica-side operation can put a version, close its upload and
// queue what it supersedes in one transaction.

package import Base
package import Codecs
package import LocalDB
package import Tables

/// A row of the table `object`.
package enum ObjectRow: Equatable, Sendable {
  case version(VersionRow)
  case upload(UploadRow)
  case part(PartRow)

  var kind: ObjectRowKind {
    switch self {
    case .version: .version
    case .upload: .upload
    case .part: .part
    }
  }

  var timestamp: Timestamp {
    switch self {
    case .version(let row): row.timestamp
    case .upload(let row): row.timestamp
    case .part(let row): row.timestamp
    }
  }

  var isTombstone: Bool {
    switch self {
    case .version(let row): row.object == nil
    case .upload(let row): row.state != .open
    case .part(let row): row.part == nil
    }
  }

  package static func merged(_ a: ObjectRow, _ b: ObjectRow) -> ObjectRow {
    switch (a, b) {
    case (.version(let a), .version(let b)): .version(.merged(a, b))
    case (.upload(let a), .upload(let b)): .upload(.merged(a, b))
    case (.part(let a), .part(let b)): .part(.merged(a, b))
    // Not stored (`ObjectSchema.rowChanged`), but a faulty node may send them. Replicas agree all the same, though
    // the timestamp need not be the newer one.
    default: a.encoded.lexicographicallyPrecedes(b.encoded) ? b : a
    }
  }

  package var encoded: [UInt8] {
    var writer = BinaryWriter(capacity: 256 + inlineBytes)
    writer.version(1)
    writer.u8(kind.rawValue)
    switch self {
    case .version(let row): row.write(to: &writer)
    case .upload(let row): row.write(to: &writer)
    case .part(let row): row.write(to: &writer)
    }
    return writer.bytes
  }

  private var inlineBytes: Int {
    if case .version(let row) = self, case .inline(let bytes) = row.object?.content {
      bytes.count
    } else {
      0
    }
  }

  package init(_ bytes: UnsafeRawBufferPointer) throws(BinaryError) {
    var reader = BinaryReader(bytes)
    _ = try reader.version(upTo: 1)
    switch ObjectRowKind(rawValue: try reader.u8()) {
    case .version: self = .version(try VersionRow(from: &reader))
    case .upload: self = .upload(try UploadRow(from: &reader))
    case .part: self = .part(try PartRow(from: &reader))
    case nil: throw .invalidValue
    }
  }
}

/// Where rows of a bucket lie.
package enum ObjectPartition {
  /// Bucket ID and shard.
  static let bytes = BucketID.byteCount + 2

  /// The partition key of a bucket's shard.
  ///
  /// There is one shard for now.
  package static func key(_ bucket: BucketID, shard: UInt16 = 0) -> [UInt8] {
    var bytes = bucket.bytes
    bytes.append(UInt8(shard >> 8))
    bytes.append(UInt8(truncatingIfNeeded: shard))
    return bytes
  }

  /// The bucket of a partition key.
  static func bucket(of key: [UInt8]) -> BucketID? {
    guard key.count == bytes else { return nil }
    return key.withUnsafeBytes {
      BucketID(UnsafeRawBufferPointer(rebasing: $0[..<BucketID.byteCount]))
    }
  }
}

/// The table of objects.
package struct ObjectSchema: TableSchema {
  private let journal: ObjectJournal

  package init(journal: ObjectJournal) { self.journal = journal }

  package var name: String { "object" }
  package var partitionKeyBytes: Int { ObjectPartition.bytes }
  /// Some 2,000 objects of 1 KiB, or 4,000 whose bytes are in blocks.
  package var cacheBytes: Int { 4 << 20 }

  package func encode(_ row: ObjectRow) -> [UInt8] { row.encoded }
  package func decode(_ bytes: UnsafeRawBufferPointer) throws -> ObjectRow { try ObjectRow(bytes) }

  package func merge(_ a: ObjectRow, _ b: ObjectRow) -> ObjectRow { .merged(a, b) }

  package func timestamp(of row: ObjectRow) -> Timestamp { row.timestamp }

  package func tombstoneTimestamp(_ row: ObjectRow) -> Timestamp? {
    row.isTombstone ? row.timestamp : nil
  }

  package func newerTimestamp(held: ObjectRow, incoming: ObjectRow) -> Timestamp? {
    merge(held, incoming) == held ? held.timestamp : nil
  }

  /// Objects and unfinished multipart uploads are listed; other rows prove nothing to a reader.
  package func isWitness(_ row: ObjectRow) -> Bool {
    switch row {
    case .version(let row): row.object != nil
    case .upload(let row): row.state == .open && row.purpose == .multipart
    case .part(let row): row.part != nil
    }
  }

  /// Of a version only the beginning is read, as the content may follow in the row.
  package func isWitness(encoded bytes: UnsafeRawBufferPointer) throws -> Bool {
    guard bytes.count > 1, bytes[1] == ObjectRowKind.version.rawValue else {
      return isWitness(try decode(bytes))
    }
    return try VersionRow.contentReader(ofRow: bytes) != nil
  }

  package func rowChanged(
    _ key: RowKey, old: ObjectRow?, new: ObjectRow?, in transaction: WriteTransaction
  ) throws {
    // A faulty node's: writes that it wins against would be acknowledged and lost.
    if let new, key.sortKey.first != new.kind.rawValue {
      throw TableError.malformed(table: name, detail: "a row of another kind than its key")
    }
    try journal.rowChanged(key, old: old, new: new, in: transaction)
  }
}
