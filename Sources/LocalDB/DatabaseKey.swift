// The keys of the tree `database` (docs/formats/metadata-database.md).

enum DatabaseKey {
  static let incarnation = Array("incarnation".utf8)
  static let commitNumber = Array("commit_number".utf8)
  static let unsynced = Array("unsynced".utf8)
}

extension UInt64 {
  /// Eight bytes, the most significant first.
  var bigEndianBytes: [UInt8] { withUnsafeBytes(of: bigEndian) { [UInt8]($0) } }

  /// Reads eight bytes; `nil` when there are more or fewer.
  init?(bigEndianBytes bytes: [UInt8]) {
    guard bytes.count == 8 else { return nil }
    self = bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }
}
