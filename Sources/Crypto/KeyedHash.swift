// Keyed hashes of rows: BLAKE2b with a key (RFC 7693, section 2.9), shortened to 128 bits.
//
// Anti-entropy sums the hashes of all rows of a range. A sum of unkeyed hashes could be steered by a client
// that chooses its rows; with a secret key it cannot.

private import COpenSSL
private import Synchronization

/// A keyed hash with 16 bytes of output.
package final class KeyedHash: Sendable {
  /// The length of a key.
  package static let keyBytes = 32

  private let context: Mutex<MACContext>

  /// Prepares `key`; `nil` unless it has 32 bytes.
  package init?(key: [UInt8]) {
    guard key.count == Self.keyBytes else { return nil }
    let context = MACContext(name: "BLAKE2BMAC", outputBytes: 16)
    context.setKey(key)
    self.context = Mutex(context)
  }

  /// The hash of two parts as two big-endian words.
  ///
  /// What is hashed is the length of `first` as eight big-endian bytes, `first`, `second`: no two pairs
  /// share a message.
  package func hash(
    _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer
  ) -> (UInt64, UInt64) {
    context.withLock { context in
      context.restart()
      withUnsafeBytes(of: UInt64(first.count).bigEndian) { context.update($0) }
      context.update(first)
      context.update(second)
      return withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { output in
        context.finish(into: output)
        return (
          UInt64(bigEndian: output.load(as: UInt64.self)),
          UInt64(bigEndian: output.load(fromByteOffset: 8, as: UInt64.self))
        )
      }
    }
  }

  /// The hash of two parts as two big-endian words.
  package func hash(_ first: [UInt8], _ second: [UInt8]) -> (UInt64, UInt64) {
    first.withUnsafeBytes { first in second.withUnsafeBytes { hash(first, $0) } }
  }
}
