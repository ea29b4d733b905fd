/// Room on a disk that objects do not take, so that the database, logs and deletions go on when it is full.
package enum DiskReserve: Sendable {
  /// A twentieth of the disk, at most 1 GiB: what a database of millions of objects needs for its log and
  /// its growth, without wasting a large disk or all of a small one.
  case automatic
  case bytes(UInt64)

  /// The reserve of a disk that holds `totalBytes`.
  package func bytes(totalBytes: UInt64) -> UInt64 {
    switch self {
    case .automatic: min(totalBytes / 20, 1 << 30)
    case .bytes(let bytes): bytes
    }
  }
}
