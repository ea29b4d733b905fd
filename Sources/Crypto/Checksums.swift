// Checksums against accidents, not against attackers: CRC-32, CRC-32C and CRC-64/NVME.
//
// Blocks carry a CRC-32C per 64 KiB; S3 clients send any of the three with an upload. The work is done by C
// with the CPU's instructions (Sources/CShims/crc.c).

private import CShims

/// CRC-32 as in zip and Ethernet (polynomial 04C11DB7, reflected).
package struct CRC32: Sendable {
  /// The checksum of the bytes so far.
  package private(set) var value: UInt32

  /// The checksum of no bytes, or of bytes whose checksum is known.
  package init(resuming value: UInt32 = 0) { self.value = value }

  /// Appends `bytes`.
  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    value = UInt32(
      truncatingIfNeeded: cshims_crc(
        CSHIMS_CRC32, UInt64(value), bytes.baseAddress, bytes.count))
  }

  /// The checksum of `bytes`.
  package static func checksum(_ bytes: [UInt8]) -> UInt32 {
    var sum = CRC32()
    bytes.withUnsafeBytes { sum.update($0) }
    return sum.value
  }

  /// The checksum of two messages joined, from the checksum of each.
  package static func combine(_ first: UInt32, _ second: UInt32, secondBytes: UInt64) -> UInt32 {
    joined(first, second, secondBytes: secondBytes, polynomial: 0xEDB8_8320)
  }
}

/// CRC-32C (Castagnoli, RFC 3720; polynomial 1EDC6F41, reflected).
package struct CRC32C: Sendable {
  /// The checksum of the bytes so far.
  package private(set) var value: UInt32

  /// The checksum of no bytes, or of bytes whose checksum is known.
  package init(resuming value: UInt32 = 0) { self.value = value }

  /// Appends `bytes`.
  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    value = UInt32(
      truncatingIfNeeded: cshims_crc(
        CSHIMS_CRC32C, UInt64(value), bytes.baseAddress, bytes.count))
  }

  /// The checksum of `bytes`.
  package static func checksum(_ bytes: [UInt8]) -> UInt32 {
    var sum = CRC32C()
    bytes.withUnsafeBytes { sum.update($0) }
    return sum.value
  }

  /// The checksum of two messages joined, from the checksum of each.
  package static func combine(_ first: UInt32, _ second: UInt32, secondBytes: UInt64) -> UInt32 {
    joined(first, second, secondBytes: secondBytes, polynomial: 0x82F6_3B78)
  }
}

/// CRC-64/NVME (NVM Express, command set 1.0; polynomial AD93D23594C93659, reflected).
package struct CRC64NVME: Sendable {
  /// The checksum of the bytes so far.
  package private(set) var value: UInt64

  /// The checksum of no bytes, or of bytes whose checksum is known.
  package init(resuming value: UInt64 = 0) { self.value = value }

  /// Appends `bytes`.
  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    value = cshims_crc(CSHIMS_CRC64NVME, value, bytes.baseAddress, bytes.count)
  }

  /// The checksum of `bytes`.
  package static func checksum(_ bytes: [UInt8]) -> UInt64 {
    var sum = CRC64NVME()
    bytes.withUnsafeBytes { sum.update($0) }
    return sum.value
  }

  /// The checksum of two messages joined, from the checksum of each.
  package static func combine(_ first: UInt64, _ second: UInt64, secondBytes: UInt64) -> UInt64 {
    joined(first, second, secondBytes: secondBytes, polynomial: 0x9A6C_9329_AC4B_C9B5)
  }
}

/// The CRC of two messages joined: first * x^(8 * secondBytes) + second, modulo the polynomial.
///
/// The inversions at both ends cancel out.
private func joined<Word: FixedWidthInteger & UnsignedInteger>(
  _ first: Word, _ second: Word, secondBytes: UInt64, polynomial: Word
) -> Word {
  let one = Word(1) << (Word.bitWidth - 1)
  var factor = one
  var power = one >> 8  // x^8; squared once for each binary digit of the length
  var length = secondBytes
  while length != 0 {
    if length & 1 == 1 { factor = product(factor, power, polynomial: polynomial) }
    power = product(power, power, polynomial: polynomial)
    length >>= 1
  }
  return product(first, factor, polynomial: polynomial) ^ second
}

/// The product of two reflected polynomials modulo `polynomial`.
private func product<Word: FixedWidthInteger & UnsignedInteger>(
  _ left: Word, _ right: Word, polynomial: Word
) -> Word {
  var sum: Word = 0
  var shifted = right
  var bit = Word(1) << (Word.bitWidth - 1)
  while bit != 0 {
    if left & bit != 0 { sum ^= shifted }
    shifted = (shifted >> 1) ^ (shifted & 1 == 1 ? polynomial : 0)
    bit >>= 1
  }
  return sum
}
