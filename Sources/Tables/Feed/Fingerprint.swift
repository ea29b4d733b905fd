// What all rows of a table in a partition come to: replicas that hold the same have the same.
//
// A fingerprint is the sum of the hashes of its rows, so that it does not depend on the order in which they came. It is
// computed when it is asked for, now and then, by reading the rows: no write pays for it.

package import Base
import Codecs

/// The sum and the number of the rows of a table in a partition.
package struct Fingerprint: Equatable, Sendable {
  /// A 128-bit number, modulo 2^128.
  package private(set) var sum = RowHash(high: 0, low: 0)
  package private(set) var rowCount: UInt64 = 0

  /// Of no rows.
  package init() {}

  package mutating func add(_ hash: RowHash) {
    let (low, carry) = sum.low.addingReportingOverflow(hash.low)
    sum = RowHash(high: sum.high &+ hash.high &+ (carry ? 1 : 0), low: low)
    rowCount &+= 1
  }

  func write(to writer: inout BinaryWriter) {
    sum.write(to: &writer)
    writer.varint(rowCount)
  }

  init(from reader: inout BinaryReader) throws(BinaryError) {
    sum = try RowHash(from: &reader)
    rowCount = try reader.varint()
  }
}

/// The fingerprint of one table.
package struct TableFingerprint: Equatable, Sendable {
  package var table: String
  package var fingerprint: Fingerprint

  package init(table: String, fingerprint: Fingerprint) {
    self.table = table
    self.fingerprint = fingerprint
  }
}

/// A table of which another node holds other rows than this one, after both have read each other to the end.
package struct ReplicaDifference: Hashable, Sendable {
  package var node: NodeID
  package var partition: UInt16
  package var table: String
  package var ownRows: UInt64
  package var otherRows: UInt64
}
