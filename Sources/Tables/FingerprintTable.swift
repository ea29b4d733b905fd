// Fingerprints: sums by which two replicas find out, without sending rows, where they differ.
//
// The sum of the hashes of all rows of a bucket does not depend on the order in which they came, and is
// adjusted by a subtraction and an addition when one changes. The hash is keyed, so that no client can
// choose rows whose hashes cancel out (docs/formats/tables.md).

package import Codecs
import Crypto
package import LocalDB

/// The sum and the number of the rows of a bucket.
package struct Fingerprint: Equatable, Sendable {
  /// A 128-bit number, modulo 2^128.
  package private(set) var high: UInt64 = 0
  package private(set) var low: UInt64 = 0
  package private(set) var rowCount: UInt64 = 0

  /// Of no rows.
  package init() {}

  mutating func add(_ hash: (UInt64, UInt64)) {
    let (sum, carry) = low.addingReportingOverflow(hash.1)
    low = sum
    high = high &+ hash.0 &+ (carry ? 1 : 0)
    rowCount &+= 1
  }

  mutating func subtract(_ hash: (UInt64, UInt64)) {
    let (difference, borrow) = low.subtractingReportingOverflow(hash.1)
    low = difference
    high = high &- hash.0 &- (borrow ? 1 : 0)
    rowCount &-= 1
  }

  package init(_ bytes: UnsafeRawBufferPointer) throws(BinaryError) {
    var reader = BinaryReader(bytes)
    high = try reader.u64()
    low = try reader.u64()
    rowCount = try reader.u64()
  }

  package var bytes: [UInt8] {
    var writer = BinaryWriter(capacity: 24)
    writer.u64(high)
    writer.u64(low)
    writer.u64(rowCount)
    return writer.bytes
  }
}

/// The fingerprints of one table.
struct FingerprintTable: Sendable {
  /// So many that a bucket of a partition of a million rows holds 60 of them, and so few that all
  /// of a table's fingerprints fit in 700 KiB.
  static let bucketCount: UInt8 = 64

  let tree: Tree
  let hash: KeyedHash

  /// The bucket of a row within its partition.
  func bucket(of diskKey: [UInt8]) -> UInt8 {
    UInt8(truncatingIfNeeded: hash.hash(diskKey, []).0 >> 56) & (Self.bucketCount - 1)
  }

  /// Adjusts the sum of the row's bucket; `nil` stands for no row.
  func change(
    _ diskKey: [UInt8], from old: [UInt8]?, to new: [UInt8]?, in transaction: WriteTransaction
  ) throws {
    let key = [diskKey[0], bucket(of: diskKey)]
    var fingerprint = try read(key, in: transaction)
    if let old { fingerprint.subtract(hash.hash(diskKey, old)) }
    if let new { fingerprint.add(hash.hash(diskKey, new)) }
    try transaction.put(tree, key, fingerprint.bytes)
  }

  /// The fingerprint of a bucket of a partition.
  func fingerprint(
    partition: UInt8, bucket: UInt8, in transaction: ReadTransaction
  ) throws -> Fingerprint { try read([partition, bucket], in: transaction) }

  private func read(_ key: [UInt8], in transaction: ReadTransaction) throws -> Fingerprint {
    try transaction.get(tree, key) { try decode($0) } ?? Fingerprint()
  }

  func decode(_ bytes: UnsafeRawBufferPointer) throws -> Fingerprint {
    do {
      return try Fingerprint(bytes)
    } catch {
      throw TableError.malformed(table: tree.name, detail: "\(error)")
    }
  }
}

extension LocalTable {
  /// The stored fingerprint of a bucket of a partition.
  package func fingerprint(
    partition: UInt8, bucket: UInt8, in transaction: ReadTransaction
  ) throws -> Fingerprint {
    try fingerprints.fingerprint(partition: partition, bucket: bucket, in: transaction)
  }

  /// The buckets whose stored fingerprint does not match their rows; empty unless something is broken.
  ///
  /// Reads all rows of the table: for tests.
  package func fingerprintFaults() throws -> [(partition: UInt8, bucket: UInt8)] {
    try database.read { transaction in
      let buckets = Int(FingerprintTable.bucketCount)
      var sums = [Fingerprint](repeating: Fingerprint(), count: Partition.count * buckets)
      try transaction.scan(rows) { key, value in
        guard let partition = key.first else { return true }
        let diskKey = Array(key)
        sums[Int(partition) * buckets + Int(fingerprints.bucket(of: diskKey))]
          .add(fingerprints.hash.hash(diskKey, Array(try rowBytes(value))))
        return true
      }
      var stored = [Fingerprint](repeating: Fingerprint(), count: sums.count)
      try transaction.scan(fingerprints.tree) { key, value in
        guard key.count == 2, Int(key[1]) < buckets else { return true }
        stored[Int(key[0]) * buckets + Int(key[1])] = try fingerprints.decode(value)
        return true
      }
      let faults = sums.indices.filter { sums[$0] != stored[$0] }
        .map { (partition: UInt8($0 / buckets), bucket: UInt8($0 % buckets)) }
      return faults
    }
  }
}
