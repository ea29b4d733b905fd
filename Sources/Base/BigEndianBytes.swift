// Numbers as keys and values on disk: eight bytes that sort as the numbers do.

extension UInt64 {
  /// Eight bytes, the most significant first.
  package var bigEndianBytes: [UInt8] { withUnsafeBytes(of: bigEndian) { [UInt8]($0) } }

  /// Reads eight bytes; `nil` when there are more or fewer.
  package init?(bigEndianBytes bytes: [UInt8]) {
    guard bytes.count == 8 else { return nil }
    self = bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }
}
