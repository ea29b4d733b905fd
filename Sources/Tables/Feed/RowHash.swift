// Hashes of rows, by which replicas tell whether they hold the same.
//
// They are keyed with the cluster's secret, so that no client can choose rows whose hashes, or whose sums of hashes, agree
// and whose bytes do not. They are computed when they are asked for: nothing is kept that a change would have to change.

import Codecs
private import Crypto

/// The hash of a row: 128 bits.
package struct RowHash: Hashable, Sendable {
  package var high: UInt64
  package var low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }
}

extension RowHash {
  func write(to writer: inout BinaryWriter) {
    writer.u64(high)
    writer.u64(low)
  }

  init(from reader: inout BinaryReader) throws(BinaryError) {
    let high = try reader.u64()
    self.init(high: high, low: try reader.u64())
  }
}

/// Makes hashes of rows.
package struct RowHasher: Sendable {
  private let hash: KeyedHash

  /// - Parameter secret: The cluster's: 32 bytes.
  package init(secret: [UInt8]) {
    guard let hash = KeyedHash(key: secret) else {
      preconditionFailure("a cluster's secret has \(KeyedHash.keyBytes) bytes")
    }
    self.hash = hash
  }

  /// The hash of a row with a disk key: BLAKE2b keyed with the secret, of the length of the key (u64), the key and the row.
  ///
  /// Without the table's name, as no two tables' rows are ever compared.
  func hash(_ diskKey: UnsafeRawBufferPointer, _ row: UnsafeRawBufferPointer) -> RowHash {
    let (high, low) = hash.hash(diskKey, row)
    return RowHash(high: high, low: low)
  }
}
