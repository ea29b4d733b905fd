// The first 128 bytes of a block file (docs/formats/block-file.md).
//
// Invariants:
//   1. Bytes from the disk never trap: whatever they are, decoding answers with a header or an error.
//   2. A header that decodes describes a file whose length follows from it, so no later step has to doubt a
//      length again.

package import Base
private import Crypto

/// What is wrong with the bytes of a block file.
package enum BlockFileError: Error, Equatable, Sendable {
  /// The bytes are not what was written. The fact that gave it away, for the log.
  case corrupt(String)
  /// A newer program wrote the file; it is whole as far as this one can tell.
  case unsupported(String)
}

/// Where the stored bytes of a block file begin; in the header as the format version.
package enum BlockFileLayout: UInt8, Sendable {
  /// Right behind the checksums.
  case compact = 1
  /// At the second page, so that the file can be written past the page cache (`DirectWrite`).
  case paged = 2

  /// Files with so many stored bytes have pages: for smaller ones a page more is much, and the cache is worth more.
  static let pagedBytesMin = 256 * 1024

  /// The layout that files of so many stored bytes are written with.
  init(storedLength: Int) { self = storedLength >= Self.pagedBytesMin ? .paged : .compact }
}

/// How the stored bytes of a block file follow from the plain bytes.
package enum BlockCompression: UInt8, Sendable {
  case none = 0
  case zstd = 1
}

/// The facts about a block file that stand at its beginning.
package struct BlockFileHeader: Equatable, Sendable {
  /// The length of the header on disk.
  package static let byteCount = 128

  /// The stored bytes that one checksum covers: small enough that a range request reads little more than
  /// it needs, large enough that checksums are a ten-thousandth of the file.
  package static let pieceBytes = 64 * 1024

  /// The longest block, which bounds what a corrupt length can make a reader allocate.
  package static let plainBytesMax = 16 * 1024 * 1024

  /// Where the stored bytes of a paged file begin: header and checksums of the longest block fit before it, and
  /// what begins there can be written directly (`DirectWrite`).
  private static let pagedOffset = 4096

  private static let magic: [UInt8] = Array("GRANGEBK".utf8)
  private static let blake2b: UInt8 = 1
  private static let checksumOffset = 124
  private static let zeroRanges = [20..<24, 24..<40, 40..<64, 96..<124]

  package var layout: BlockFileLayout
  /// The block's name.
  package var hash: BlockHash
  package var compression: BlockCompression
  /// The length of the block.
  package var plainLength: Int
  /// The length of its bytes as they are in the file.
  package var storedLength: Int

  /// - Parameter layout: `nil` for the one that new files of this length have.
  package init(
    hash: BlockHash, compression: BlockCompression, plainLength: Int, storedLength: Int,
    layout: BlockFileLayout? = nil
  ) {
    self.layout = layout ?? BlockFileLayout(storedLength: storedLength)
    self.hash = hash
    self.compression = compression
    self.plainLength = plainLength
    self.storedLength = storedLength
  }

  /// How many pieces the stored bytes have, and checksums the file.
  package var pieceCount: Int { (storedLength + Self.pieceBytes - 1) / Self.pieceBytes }

  /// Where the stored bytes begin in the file.
  package var storedOffset: Int {
    switch layout {
    case .compact: Self.byteCount + 4 * pieceCount
    case .paged: Self.pagedOffset
    }
  }

  /// The length of the whole file.
  package var fileLength: Int { storedOffset + storedLength }

  /// Writes the header over the first 128 bytes of `output`.
  package func encode(into output: UnsafeMutableRawBufferPointer) {
    let output = UnsafeMutableRawBufferPointer(rebasing: output[..<Self.byteCount])
    output.initializeMemory(as: UInt8.self, repeating: 0)
    output.copyBytes(from: Self.magic)
    output[8] = layout.rawValue
    output[9] = Self.blake2b
    output[10] = compression.rawValue
    output.store(UInt32(plainLength), at: 12)
    output.store(UInt32(storedLength), at: 16)
    UnsafeMutableRawBufferPointer(rebasing: output[64..<96]).copyBytes(from: hash.bytes)
    var sum = CRC32C()
    sum.update(UnsafeRawBufferPointer(rebasing: output[..<Self.checksumOffset]))
    output.store(sum.value, at: Self.checksumOffset)
  }

  /// Reads the header at the front of `input`.
  package init(decoding input: UnsafeRawBufferPointer) throws(BlockFileError) {
    guard input.count >= Self.byteCount else { throw .corrupt("the file ends within the header") }
    guard input.prefix(8).elementsEqual(Self.magic) else {
      throw .corrupt("the file does not begin as block files do")
    }
    var sum = CRC32C()
    sum.update(UnsafeRawBufferPointer(rebasing: input[..<Self.checksumOffset]))
    guard sum.value == input.word(at: Self.checksumOffset) else {
      throw .corrupt("the header's checksum is wrong")
    }
    guard let layout = BlockFileLayout(rawValue: input[8]) else {
      throw .unsupported("format version \(input[8])")
    }
    guard input[9] == Self.blake2b else { throw .unsupported("hash algorithm \(input[9])") }
    guard let compression = BlockCompression(rawValue: input[10]) else {
      throw .unsupported("compression \(input[10])")
    }
    guard input[11] == 0 else { throw .unsupported("encryption \(input[11])") }
    for range in Self.zeroRanges where input[range].contains(where: { $0 != 0 }) {
      throw .unsupported("bytes \(range) have a value")
    }
    guard let hash = BlockHash(input[64..<96]) else { throw .corrupt("no name") }
    let plain = Int(input.word(at: 12))
    let stored = Int(input.word(at: 16))
    guard plain <= Self.plainBytesMax,
      compression == .none ? stored == plain : stored > 0 && stored < plain
    else { throw .corrupt("impossible lengths: plain \(plain), stored \(stored)") }
    self.init(
      hash: hash, compression: compression, plainLength: plain, storedLength: stored, layout: layout
    )
  }
}

extension UnsafeMutableRawBufferPointer {
  /// Writes `value` big-endian.
  func store(_ value: UInt32, at offset: Int) {
    storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt32.self)
  }
}

extension UnsafeRawBufferPointer {
  /// Reads four bytes, big-endian.
  func word(at offset: Int) -> UInt32 {
    UInt32(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }
}
