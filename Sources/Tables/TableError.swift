// Why a table did not answer.

/// What a reader or writer of a table may have to react to.
package enum TableError: Error, Equatable, Sendable {
  /// Too few replicas answered in time.
  ///
  /// A write may still take effect.
  case unavailable(table: String, partition: UInt16, reason: String)
  /// Other writes of the same row kept coming in between.
  ///
  /// Nothing was acknowledged.
  case contended(table: String)
  /// Bytes on disk or from another node are not what they should be.
  case malformed(table: String, detail: String)
  /// This node does not know the table or the operation that another node asks for.
  case unknown(name: String)
}

extension TableError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .unavailable(let table, let partition, let reason):
      "too few nodes answered for partition \(partition) of table \(table): \(reason)"
    case .contended(let table): "too many writers of one row of table \(table)"
    case .malformed(let table, let detail): "malformed row of table \(table): \(detail)"
    case .unknown(let name):
      "unknown table or operation \(name): is this node older than its peers?"
    }
  }
}
