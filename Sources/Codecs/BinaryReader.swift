// Reads the canonical binary coding of docs/formats/binary-coding.md.
//
// Invariants:
//   1. No input traps: every read checks what is left, and throws.
//   2. Nothing is allocated but the arrays and strings that are returned, and a count from the input
//      never reserves more than the input could fill.

public import Base

/// Takes values from the front of a run of bytes.
///
/// It borrows: the bytes must stay in place while the reader is used. `BinaryReader.read` makes one for an
/// array or a slice.
@frozen
public struct BinaryReader {
  @usableFromInline let input: UnsafeRawBufferPointer
  @usableFromInline var position: Int

  /// Reads `input`, which must outlive the reader.
  @inlinable
  public init(_ input: UnsafeRawBufferPointer) {
    self.input = input
    position = 0
  }

  /// Calls `body` with a reader of `bytes`; bytes that `body` leaves are not an error.
  @inlinable
  public static func read<Value, Failure: Error>(
    _ bytes: [UInt8], _ body: (inout BinaryReader) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    try bytes.withUnsafeBufferPointer { buffer throws(Failure) -> Value in
      var reader = BinaryReader(UnsafeRawBufferPointer(buffer))
      return try body(&reader)
    }
  }

  /// Calls `body` with a reader of `bytes`; bytes that `body` leaves are not an error.
  @inlinable
  public static func read<Value, Failure: Error>(
    _ bytes: ArraySlice<UInt8>, _ body: (inout BinaryReader) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    try bytes.withUnsafeBufferPointer { buffer throws(Failure) -> Value in
      var reader = BinaryReader(UnsafeRawBufferPointer(buffer))
      return try body(&reader)
    }
  }

  /// How many bytes are left.
  @inlinable public var remainingCount: Int { input.count - position }

  /// Whether no byte is left.
  @inlinable public var isAtEnd: Bool { position == input.count }

  /// Takes all that is left: the trailing bytes of a record, to be written again after its fields.
  @inlinable
  public mutating func remaining() -> [UInt8] {
    let rest = [UInt8](input[position...])
    position = input.count
    return rest
  }

  /// Throws `unexpectedBytes` unless everything was read.
  @inlinable
  public func expectEnd() throws(BinaryError) {
    if !isAtEnd { throw .unexpectedBytes }
  }

  /// Takes `count` bytes without copying them; they are valid as long as the input.
  @inlinable
  public mutating func view(_ count: Int) throws(BinaryError) -> UnsafeRawBufferPointer {
    guard count >= 0, count <= remainingCount else { throw .truncated }
    let start = position
    position += count
    return UnsafeRawBufferPointer(rebasing: input[start..<position])
  }

  /// The version byte of a record; throws `unknownVersion` for one above `newest` or 0.
  @inlinable
  public mutating func version(upTo newest: UInt8) throws(BinaryError) -> UInt8 {
    let version = try u8()
    guard version >= 1, version <= newest else { throw .unknownVersion(version) }
    return version
  }

  /// One byte.
  @inlinable
  public mutating func u8() throws(BinaryError) -> UInt8 {
    guard position < input.count else { throw .truncated }
    let value = input[position]
    position += 1
    return value
  }

  /// Two bytes, big-endian.
  @inlinable
  public mutating func u16() throws(BinaryError) -> UInt16 {
    UInt16(bigEndian: try fixed(UInt16.self))
  }

  /// Four bytes, big-endian.
  @inlinable
  public mutating func u32() throws(BinaryError) -> UInt32 {
    UInt32(bigEndian: try fixed(UInt32.self))
  }

  /// Eight bytes, big-endian.
  @inlinable
  public mutating func u64() throws(BinaryError) -> UInt64 {
    UInt64(bigEndian: try fixed(UInt64.self))
  }

  @inlinable
  mutating func fixed<Word: FixedWidthInteger & BitwiseCopyable>(
    _: Word.Type
  ) throws(BinaryError) -> Word {
    let size = MemoryLayout<Word>.size
    guard size <= remainingCount else { throw .truncated }
    let value = input.loadUnaligned(fromByteOffset: position, as: Word.self)
    position += size
    return value
  }

  /// One byte, 0 or 1.
  @inlinable
  public mutating func bool() throws(BinaryError) -> Bool {
    switch try u8() {
    case 0: false
    case 1: true
    default: throw .notCanonical
    }
  }

  /// A number of up to 64 bits, in no more bytes than it needs.
  @inlinable
  public mutating func varint() throws(BinaryError) -> UInt64 {
    var byte = try u8()
    if byte < 0x80 { return UInt64(byte) }
    var value = UInt64(byte & 0x7F)
    var shift: UInt64 = 7
    while true {
      byte = try u8()
      // The tenth byte holds bit 63 alone.
      if shift == 63, byte > 1 { throw .notCanonical }
      value |= UInt64(byte & 0x7F) &<< shift
      if byte < 0x80 { break }
      shift += 7
    }
    if byte == 0 { throw .notCanonical }
    return value
  }

  /// A varint that is a count of at most `max`.
  @inlinable
  public mutating func count(max: Int) throws(BinaryError) -> Int {
    let value = try varint()
    guard let count = Int(exactly: value), count <= max else { throw .overLimit }
    return count
  }

  /// A signed number.
  @inlinable
  public mutating func signed() throws(BinaryError) -> Int64 {
    let value = try varint()
    return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
  }

  /// `count` bytes.
  @inlinable
  public mutating func raw(_ count: Int) throws(BinaryError) -> [UInt8] {
    [UInt8](try view(count))
  }

  /// A count of at most `max` and so many bytes.
  @inlinable
  public mutating func bytes(max: Int) throws(BinaryError) -> [UInt8] {
    [UInt8](try view(try count(max: max)))
  }

  /// A count of at most `max` and so many bytes of UTF-8.
  @inlinable
  public mutating func string(max: Int) throws(BinaryError) -> String {
    let view = try view(try count(max: max))
    guard let text = String(validating: view, as: UTF8.self) else { throw .invalidUTF8 }
    return text
  }

  /// 16 bytes.
  @inlinable
  public mutating func id<Tag>(
    _: Identifier16<Tag>.Type = Identifier16<Tag>.self
  ) throws(BinaryError) -> Identifier16<Tag> {
    guard let id = Identifier16<Tag>(try view(16)) else { throw .truncated }
    return id
  }

  /// 32 bytes.
  @inlinable
  public mutating func id<Tag>(
    _: Identifier32<Tag>.Type = Identifier32<Tag>.self
  ) throws(BinaryError) -> Identifier32<Tag> {
    guard let id = Identifier32<Tag>(try view(32)) else { throw .truncated }
    return id
  }

  /// A value that may be absent, as `read` reads it.
  @inlinable
  public mutating func optional<Value>(
    _ read: (inout BinaryReader) throws(BinaryError) -> Value
  ) throws(BinaryError) -> Value? {
    try bool() ? try read(&self) : nil
  }

  /// At most `max` elements, each as `read` reads it.
  @inlinable
  public mutating func list<Element>(
    max: Int, _ read: (inout BinaryReader) throws(BinaryError) -> Element
  ) throws(BinaryError) -> [Element] {
    let count = try count(max: max)
    if count == 0 { return [] }
    var elements: [Element] = []
    // An element takes at least one byte, unless it has no content at all: the input bounds the memory.
    elements.reserveCapacity(Swift.min(count, remainingCount))
    for _ in 0..<count {
      if isAtEnd { throw .truncated }
      elements.append(try read(&self))
    }
    return elements
  }

  /// A list of `read` values whose order is that of `isBefore`, none twice: one form for each set.
  package mutating func ascending<Element>(
    max: Int, _ read: (inout BinaryReader) throws(BinaryError) -> Element,
    by isBefore: (Element, Element) -> Bool
  ) throws(BinaryError) -> [Element] {
    let elements = try list(max: max, read)
    for (element, next) in zip(elements, elements.dropFirst()) where !isBefore(element, next) {
      throw .notCanonical
    }
    return elements
  }

  /// A record inside another: `read` sees its bytes only.
  ///
  /// Bytes that `read` leaves are `unexpectedBytes`: a record's trailing bytes are kept, not skipped.
  @inlinable
  public mutating func nested<Value>(
    max: Int, _ read: (inout BinaryReader) throws(BinaryError) -> Value
  ) throws(BinaryError) -> Value {
    var inner = BinaryReader(try view(try count(max: max)))
    let value = try read(&inner)
    try inner.expectEnd()
    return value
  }
}
