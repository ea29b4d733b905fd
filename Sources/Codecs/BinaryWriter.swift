// Writes the canonical binary coding of docs/formats/binary-coding.md.

public import Base

/// Appends values to a growing array of bytes.
///
/// Everything is `@inlinable`, so that encoding a row compiles to stores and one growing array.
@frozen
public struct BinaryWriter: Sendable {
  /// What was written so far.
  public var bytes: [UInt8]

  /// An empty writer; `capacity` is a guess of the final size that saves growing.
  @inlinable
  public init(capacity: Int = 0) {
    bytes = []
    if capacity > 0 { bytes.reserveCapacity(capacity) }
  }

  /// Starts a record: its version byte.
  @inlinable public mutating func version(_ version: UInt8) { bytes.append(version) }

  /// One byte.
  @inlinable public mutating func u8(_ value: UInt8) { bytes.append(value) }

  /// Two bytes, big-endian.
  @inlinable public mutating func u16(_ value: UInt16) { fixed(value.bigEndian) }

  /// Four bytes, big-endian.
  @inlinable public mutating func u32(_ value: UInt32) { fixed(value.bigEndian) }

  /// Eight bytes, big-endian.
  @inlinable public mutating func u64(_ value: UInt64) { fixed(value.bigEndian) }

  @inlinable
  mutating func fixed(_ bigEndian: some FixedWidthInteger) {
    withUnsafeBytes(of: bigEndian) { bytes.append(contentsOf: $0) }
  }

  /// One byte, 0 or 1.
  @inlinable public mutating func bool(_ value: Bool) { bytes.append(value ? 1 : 0) }

  /// A number in as few groups of seven bits as it needs.
  @inlinable
  public mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  /// A count that is not negative.
  @inlinable public mutating func count(_ value: Int) { varint(UInt64(value)) }

  /// A signed number, small when it is near zero.
  @inlinable
  public mutating func signed(_ value: Int64) {
    varint(UInt64(bitPattern: value << 1 ^ value >> 63))
  }

  /// Bytes whose count the reader knows.
  @inlinable
  public mutating func raw(_ value: some Sequence<UInt8>) { bytes.append(contentsOf: value) }

  /// Bytes whose count the reader knows.
  ///
  /// Not generic: an array that meets the function above in an unspecialized caller is appended byte by byte.
  @inlinable
  public mutating func raw(_ value: [UInt8]) { bytes.append(contentsOf: value) }

  /// A count and the bytes.
  @inlinable
  public mutating func bytes(_ value: [UInt8]) {
    count(value.count)
    bytes.append(contentsOf: value)
  }

  /// A count and the bytes.
  @inlinable
  public mutating func bytes(_ value: some Collection<UInt8>) {
    count(value.count)
    bytes.append(contentsOf: value)
  }

  /// A count and the text's UTF-8.
  @inlinable
  public mutating func string(_ value: String) {
    count(value.utf8.count)
    bytes.append(contentsOf: value.utf8)
  }

  /// 16 bytes.
  @inlinable
  public mutating func id<Tag>(_ value: Identifier16<Tag>) { value.append(to: &bytes) }

  /// 32 bytes.
  @inlinable
  public mutating func id<Tag>(_ value: Identifier32<Tag>) { value.append(to: &bytes) }

  /// Whether there is a value, and the value as `write` writes it.
  @inlinable
  public mutating func optional<Value>(
    _ value: Value?, _ write: (inout BinaryWriter, Value) -> Void
  ) {
    bool(value != nil)
    if let value { write(&self, value) }
  }

  /// How many elements there are, and each as `write` writes it.
  @inlinable
  public mutating func list<Elements: Collection>(
    _ elements: Elements, _ write: (inout BinaryWriter, Elements.Element) -> Void
  ) {
    count(elements.count)
    for element in elements { write(&self, element) }
  }

  /// What `write` writes, after its count of bytes: a record inside another.
  @inlinable
  public mutating func nested(_ write: (inout BinaryWriter) -> Void) {
    let start = bytes.count
    // Most nested records are below 128 bytes, whose count takes one byte.
    bytes.append(0)
    write(&self)
    let length = bytes.count - start - 1
    if length < 0x80 {
      bytes[start] = UInt8(truncatingIfNeeded: length)
    } else {
      var prefix = BinaryWriter()
      prefix.count(length)
      bytes.replaceSubrange(start...start, with: prefix.bytes)
    }
  }
}
