// Where a row lives: which of 256 partitions, and where in its order.

import Base
private import Crypto

/// The name of a row within its table.
public struct RowKey: Hashable, Comparable, Sendable {
  /// Rows with one partition key live on the same nodes and are ordered by sort key.
  ///
  /// Each table has one length of partition keys.
  @usableFromInline
  package var partitionKey: [UInt8]
  /// The place in that order.
  @usableFromInline
  package var sortKey: [UInt8]

  /// A key from its two parts.
  package init(partitionKey: [UInt8], sortKey: [UInt8] = []) {
    self.partitionKey = partitionKey
    self.sortKey = sortKey
  }

  /// The partition that the row lives in.
  package var partition: UInt8 { Partition.of(partitionKey) }

  public static func < (left: Self, right: Self) -> Bool {
    left.partitionKey == right.partitionKey
      ? left.sortKey.lexicographicallyPrecedes(right.sortKey)
      : left.partitionKey.lexicographicallyPrecedes(right.partitionKey)
  }

  // By hand: what the compiler makes of them looks at one byte at a time.

  public static func == (left: Self, right: Self) -> Bool {
    left.sortKey.withUnsafeBytes { sortKey in
      right.sortKey.withUnsafeBytes { sortKey.equals($0) }
    }
      && left.partitionKey.withUnsafeBytes { partitionKey in
        right.partitionKey.withUnsafeBytes { partitionKey.equals($0) }
      }
  }

  public func hash(into hasher: inout Hasher) {
    partitionKey.withUnsafeBytes { hasher.combine(bytes: $0) }
    sortKey.withUnsafeBytes { hasher.combine(bytes: $0) }
  }

  /// The key in the table's tree (docs/formats/tables.md).
  package var diskKey: [UInt8] { Partition.diskPrefix(partitionKey) + sortKey }

  /// Reads a disk key; `nil` when it is too short.
  package init?(diskKey: UnsafeRawBufferPointer, partitionKeyBytes: Int) {
    guard diskKey.count >= 1 + partitionKeyBytes else { return nil }
    partitionKey = Array(diskKey[1..<(1 + partitionKeyBytes)])
    sortKey = Array(diskKey[(1 + partitionKeyBytes)...])
  }
}

/// The 256 parts that every table is divided into.
package enum Partition {
  /// How many there are.
  package static let count = 256
  /// The number of one more: all tables that every storage node holds whole.
  package static let everywhere: UInt16 = 256

  /// The partition of the rows with `partitionKey`: the first byte of its BLAKE2b-512.
  package static func of(_ partitionKey: [UInt8]) -> UInt8 {
    partitionKey.isEmpty ? ofNothing : hashed(partitionKey)
  }

  /// Of the tables that every node holds whole: with them a request begins.
  private static let ofNothing = hashed([])

  private static func hashed(_ partitionKey: [UInt8]) -> UInt8 {
    partitionKey.withUnsafeBytes { Digests.blockHash($0).firstByte }
  }

  /// What the disk keys of all rows with `partitionKey` begin with.
  static func diskPrefix(_ partitionKey: [UInt8]) -> [UInt8] {
    var prefix: [UInt8] = []
    prefix.reserveCapacity(1 + partitionKey.count + 64)
    prefix.append(of(partitionKey))
    prefix.append(contentsOf: partitionKey)
    return prefix
  }

  /// The first key after all keys that begin with `prefix`; `nil` when there is none.
  package static func end(ofPrefix prefix: [UInt8]) -> [UInt8]? {
    guard let last = prefix.lastIndex(where: { $0 != 0xFF }) else { return nil }
    var end = Array(prefix[...last])
    end[last] += 1
    return end
  }
}
