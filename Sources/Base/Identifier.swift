// Fixed-size identifiers.
//
// Every thing that crosses the wire or reaches the disk by name has a random or derived name of 16 or
// 32 bytes. They are values of machine words: comparing and hashing one costs a few instructions and
// no allocation. A phantom tag keeps a bucket's ID from being passed for a block's hash.
//
// The order of identifiers is the order of their bytes, so that a sorted table on disk and a sorted
// array in memory agree.

/// An identifier of 16 bytes, distinguished by `Tag`.
@frozen
public struct Identifier16<Tag>: Hashable, Comparable, Sendable {
  /// Big-endian words: the first holds the first eight bytes.
  @usableFromInline var high: UInt64
  @usableFromInline var low: UInt64

  /// The number of bytes.
  @inlinable public static var byteCount: Int { 16 }

  /// The identifier whose bytes, read as two big-endian words, are `high` and `low`.
  @inlinable
  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// Reads 16 bytes; `nil` when there are more or fewer.
  @inlinable
  public init?(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count == Self.byteCount else { return nil }
    self.init(
      high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
      low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
  }

  /// Reads 16 bytes; `nil` when there are more or fewer.
  @inlinable
  public init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == Self.byteCount else { return nil }
    var high: UInt64 = 0
    var low: UInt64 = 0
    var position = 0
    for byte in bytes {
      if position < 8 { high = high << 8 | UInt64(byte) } else { low = low << 8 | UInt64(byte) }
      position += 1
    }
    self.init(high: high, low: low)
  }

  /// A random identifier.
  package init(random: some RandomSource) {
    self.init(high: random.next(), low: random.next())
  }

  /// Reads 32 hexadecimal digits of either case; `nil` for anything else.
  package init?(hex: some StringProtocol) {
    guard let bytes = Hex.decode(hex) else { return nil }
    self.init(bytes)
  }

  /// The bytes, in order.
  @inlinable public var bytes: [UInt8] {
    [UInt8](count: 16) { buffer in
      withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { buffer.copyMemory(from: $0) }
    }
  }

  /// Appends the bytes to `array`.
  @inlinable public func append(to array: inout [UInt8]) {
    withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { array.append(contentsOf: $0) }
  }

  /// 32 lowercase hexadecimal digits.
  package var hex: String { Hex.encode(bytes) }

  /// The numbers' order, which is the bytes' order.
  @inlinable public static func < (left: Self, right: Self) -> Bool {
    (left.high, left.low) < (right.high, right.low)
  }
}

/// An identifier of 32 bytes, distinguished by `Tag`.
@frozen
public struct Identifier32<Tag>: Hashable, Comparable, Sendable {
  @usableFromInline var first: UInt64
  @usableFromInline var second: UInt64
  @usableFromInline var third: UInt64
  @usableFromInline var fourth: UInt64

  /// The number of bytes.
  @inlinable public static var byteCount: Int { 32 }

  @inlinable
  init(words first: UInt64, _ second: UInt64, _ third: UInt64, _ fourth: UInt64) {
    self.first = first
    self.second = second
    self.third = third
    self.fourth = fourth
  }

  /// Reads 32 bytes; `nil` when there are more or fewer.
  @inlinable
  public init?(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count == Self.byteCount else { return nil }
    self.init(
      words: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
      UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
      UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)),
      UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self)))
  }

  /// Reads 32 bytes; `nil` when there are more or fewer.
  @inlinable
  public init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == Self.byteCount else { return nil }
    var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    var position = 0
    for byte in bytes {
      let value = UInt64(byte)
      switch position >> 3 {
      case 0: words.0 = words.0 << 8 | value
      case 1: words.1 = words.1 << 8 | value
      case 2: words.2 = words.2 << 8 | value
      default: words.3 = words.3 << 8 | value
      }
      position += 1
    }
    self.init(words: words.0, words.1, words.2, words.3)
  }

  /// A random identifier.
  package init(random: some RandomSource) {
    self.init(words: random.next(), random.next(), random.next(), random.next())
  }

  /// Reads 64 hexadecimal digits of either case; `nil` for anything else.
  package init?(hex: some StringProtocol) {
    guard let bytes = Hex.decode(hex) else { return nil }
    self.init(bytes)
  }

  /// The first byte: which of 256 equal ranges the identifier lies in.
  @inlinable public var firstByte: UInt8 { UInt8(truncatingIfNeeded: first >> 56) }

  /// The bytes, in order.
  @inlinable public var bytes: [UInt8] {
    [UInt8](count: 32) { buffer in
      withUnsafeBytes(
        of: (first.bigEndian, second.bigEndian, third.bigEndian, fourth.bigEndian)
      ) { buffer.copyMemory(from: $0) }
    }
  }

  /// Appends the bytes to `array`.
  @inlinable public func append(to array: inout [UInt8]) {
    withUnsafeBytes(of: (first.bigEndian, second.bigEndian, third.bigEndian, fourth.bigEndian)) {
      array.append(contentsOf: $0)
    }
  }

  /// 64 lowercase hexadecimal digits.
  package var hex: String { Hex.encode(bytes) }

  /// The bytes' order.
  @inlinable public static func < (left: Self, right: Self) -> Bool {
    (left.first, left.second, left.third, left.fourth)
      < (right.first, right.second, right.third, right.fourth)
  }
}

extension Identifier16: CustomStringConvertible {
  public var description: String { hex }
}

extension Identifier32: CustomStringConvertible {
  public var description: String { hex }
}

/// Tags of `NodeID`, `ClusterID`, `BucketID`, `BlockHash`, `UploadID` and `RecordID`.
public enum NodeTag: Sendable {}
public enum ClusterTag: Sendable {}
public enum BucketTag: Sendable {}
public enum BlockTag: Sendable {}
public enum UploadTag: Sendable {}
package enum RecordTag: Sendable {}

/// A node's name: its Ed25519 public key.
public typealias NodeID = Identifier32<NodeTag>

/// A cluster's name: random, minted once.
public typealias ClusterID = Identifier32<ClusterTag>

/// A bucket's name, random, for the bucket's whole life; aliases point at it.
public typealias BucketID = Identifier32<BucketTag>

/// A block's name: the first 256 bits of the BLAKE2b-512 of its bytes.
public typealias BlockHash = Identifier32<BlockTag>

/// Names one attempt to write an object, a part or a multipart upload, and owns the references and the
/// manifest that the attempt made.
///
/// Timestamps order; they never identify.
public typealias UploadID = Identifier16<UploadTag>

/// The name of a signed record of the cluster: the first 256 bits of the BLAKE2b-512 of all its bytes, the
/// signature's too.
package typealias RecordID = Identifier32<RecordTag>
