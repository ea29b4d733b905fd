// How the two messages of the join protocol lie in the stream (ALPN `grange-join/1`): each is a record behind a
// length of four bytes, big-endian. Then the connection ends.

/// Lengths before messages.
package enum JoinFrame {
  /// The bytes of a length.
  package static let lengthBytes = 4

  /// `record` behind its length.
  ///
  /// - Requires: It is shorter than 4 GiB.
  package static func framed(_ record: [UInt8]) -> [UInt8] {
    withUnsafeBytes(of: UInt32(record.count).bigEndian) { Array($0) } + record
  }

  /// The length that `bytes` are, four of them; `nil` when it is above `max`, before anything is allocated for it.
  package static func length(_ bytes: some Collection<UInt8>, max: Int) -> Int? {
    guard bytes.count == lengthBytes else { return nil }
    let length = bytes.reduce(0) { $0 << 8 | Int($1) }
    return length <= max ? length : nil
  }
}
