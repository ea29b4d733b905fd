// Rows as change feeds carry them: by disk key, in bytes.

import LocalDB

extension LocalTable {
  func bytes(_ diskKey: [UInt8], in transaction: ReadTransaction) throws -> [UInt8]? {
    try transaction.get(rows, diskKey) { Array(try rowBytes($0)) }
  }

  func hash(
    _ diskKey: [UInt8], _ hasher: RowHasher, in transaction: ReadTransaction
  ) throws -> RowHash? {
    try diskKey.withUnsafeBytes { key in
      try transaction.get(rows, diskKey) { hasher.hash(key, try rowBytes($0)) }
    }
  }

  func take(
    _ diskKey: [UInt8], _ bytes: [UInt8], in transaction: WriteTransaction
  ) throws -> Bool {
    guard
      let key = diskKey.withUnsafeBytes({
        RowKey(diskKey: $0, partitionKeyBytes: schema.partitionKeyBytes)
      }), key.diskKey == diskKey
    else {
      throw TableError.malformed(table: schema.name, detail: "a disk key of another partition")
    }
    let row = try bytes.withUnsafeBytes { try schema.decode($0) }
    var isNews = false
    try store(key, row, in: transaction) { _, bringsNews in
      isNews = bringsNews
      return true
    }
    return isNews
  }

  func fingerprint(
    of partition: UInt16, _ hasher: RowHasher, in transaction: ReadTransaction
  ) throws -> Fingerprint {
    var fingerprint = Fingerprint()
    guard schema.isFullyReplicated == (partition == Partition.everywhere) else {
      return fingerprint
    }
    let from = schema.isFullyReplicated ? [] : [UInt8(partition)]
    try transaction.scan(rows, from: from, to: Partition.end(ofPrefix: from)) { key, stored in
      fingerprint.add(hasher.hash(key, try rowBytes(stored)))
      return true
    }
    return fingerprint
  }

  func walk(in transaction: ReadTransaction, _ body: (WalkedRow) throws -> Void) throws {
    try transaction.scan(rows) { key, stored in
      let (diskKey, parts) = (Array(key), try StoredRow(stored))
      try body(
        WalkedRow(
          diskKey: diskKey, partition: feedPartition(diskKey), sequence: parts.sequence,
          isTombstone: schema.tombstoneTimestamp(try schema.decode(parts.row)) != nil))
      return true
    }
  }

  func hasRow(of partition: UInt16, _ diskKey: [UInt8]) -> Bool {
    !diskKey.isEmpty && feedPartition(diskKey) == partition
  }

  func clear(in transaction: WriteTransaction) throws {
    guard schema.isFullyReplicated else { return }
    var keys: [([UInt8], Held)] = []
    try transaction.scan(rows) { key, stored in
      let parts = try StoredRow(stored)
      keys.append((Array(key), Held(try schema.decode(parts.row), parts)))
      return true
    }
    for (diskKey, held) in keys {
      try transaction.delete(rows, diskKey)
      try feed.forget(
        Partition.everywhere,
        (held.sequence, schema.tombstoneTimestamp(held.row) != nil), in: transaction)
      guard
        let key = diskKey.withUnsafeBytes({
          RowKey(diskKey: $0, partitionKeyBytes: schema.partitionKeyBytes)
        })
      else { continue }
      try schema.rowChanged(key, old: held.row, new: nil, in: transaction)
      noteChange(of: key, in: transaction)
    }
    try floors.clear(Partition.of([]), in: transaction)
  }
}
