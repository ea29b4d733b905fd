// Names of objects.
//
// A key is 1 to 1,024 bytes of UTF-8, compared by its bytes. Nothing is normalised and nothing is special:
// `a//b`, `..` and U+0000 are keys like any other.

/// The name of an object within its bucket.
package struct ObjectKey: Hashable, Comparable, Sendable {
  /// S3's limit, in bytes of UTF-8.
  package static let bytesMax = 1024

  /// The key's UTF-8.
  package let bytes: [UInt8]

  /// Checks `bytes`.
  ///
  /// - Throws: `keyTooLong`, or `invalidKey` when there is no byte or they are not UTF-8.
  package init(_ bytes: [UInt8]) throws(ModelError) {
    guard bytes.count <= Self.bytesMax else { throw .keyTooLong }
    guard !bytes.isEmpty else { throw .invalidKey }
    // Most keys are ASCII, which need not become a text to be valid.
    guard bytes.allSatisfy({ $0 < 0x80 }) || String(validating: bytes, as: UTF8.self) != nil else {
      throw .invalidKey
    }
    self.bytes = bytes
  }

  /// Checks `text`'s UTF-8.
  ///
  /// - Throws: `keyTooLong`, `invalidKey` when it is empty.
  package init(_ text: String) throws(ModelError) {
    try self.init(Array(text.utf8))
  }

  /// The key as text.
  package var string: String { String(decoding: bytes, as: UTF8.self) }

  package static func < (left: Self, right: Self) -> Bool {
    left.bytes.lexicographicallyPrecedes(right.bytes)
  }
}

extension ObjectKey: CustomStringConvertible {
  package var description: String { string }
}
