// Why bytes are no value of the binary coding.

/// What is wrong with bytes that should be a value of `docs/formats/binary-coding.md`.
public enum BinaryError: Error, Equatable, Sendable {
  /// The bytes end within the value.
  case truncated
  /// The value is written in another way than the one allowed: a longer varint, a boolean of 2.
  case notCanonical
  /// A count is above the limit that the reader gave.
  case overLimit
  /// A string is not UTF-8.
  case invalidUTF8
  /// The record has a version that this program does not know; a newer program wrote it.
  case unknownVersion(UInt8)
  /// Bytes follow where none may.
  case unexpectedBytes
  /// A field has a value without a meaning, for example an unknown kind.
  case invalidValue
}
