// Making and reading block files (docs/formats/block-file.md).
//
// Invariants:
//   1. No byte leaves `BlockFileReader` that was not verified: by its piece's checksum and, through the
//      header, by the name that was asked for.
//   2. Whatever the file holds, no memory is touched outside of what the header's verified lengths allow.

package import Base
private import Crypto

/// Makes the contents of block files.
package enum BlockFile {
  /// Calls `body` with the parts, to be written one after the other, of the file for `plain`.
  ///
  /// - Parameter scratch: As long as `plain`, for the compressed bytes.
  package static func withParts<Result>(
    _ plain: UnsafeRawBufferPointer, hash: BlockHash, compressor: BlockCompressor,
    scratch: UnsafeMutableRawBufferPointer,
    _ body: ([UnsafeRawBufferPointer]) throws -> Result
  ) throws -> Result {
    guard plain.count <= BlockFileHeader.plainBytesMax else {
      throw BlockError.tooLong(plain.count)
    }
    var stored = plain
    var compression = BlockCompression.none
    if let length = compressor.compress(plain, into: scratch) {
      stored = UnsafeRawBufferPointer(rebasing: scratch[..<length])
      compression = .zstd
    }
    let header = BlockFileHeader(
      hash: hash, compression: compression, plainLength: plain.count, storedLength: stored.count)
    return try withUnsafeTemporaryAllocation(
      byteCount: header.storedOffset, alignment: directWriteBytes
    ) { head in
      header.encode(into: head)
      let behind = UnsafeMutableRawBufferPointer(rebasing: head[BlockFileHeader.byteCount...])
      behind.initializeMemory(as: UInt8.self, repeating: 0)
      for piece in 0..<header.pieceCount {
        let sum = checksum(of: piece, in: stored)
        head.store(sum, at: BlockFileHeader.byteCount + 4 * piece)
      }
      return try body([UnsafeRawBufferPointer(head), stored])
    }
  }

  static func checksum(of piece: Int, in stored: UnsafeRawBufferPointer) -> UInt32 {
    let start = piece * BlockFileHeader.pieceBytes
    let end = min(start + BlockFileHeader.pieceBytes, stored.count)
    var sum = CRC32C()
    sum.update(UnsafeRawBufferPointer(rebasing: stored[start..<end]))
    return sum.value
  }
}

/// A block file whose header was read and verified.
package struct BlockFileReader {
  /// Header and checksums of a block of 1 MiB, read with one call.
  private static let headBytes = BlockFileHeader.byteCount + 4 * 16

  package let header: BlockFileHeader
  private let file: any ReadableFile
  private let checksums: [UInt32]

  /// Reads the header of `file`, which must be that of the block `hash`; `nil` when `waiting` is false and the
  /// disk would have to be waited for.
  package init?(_ file: any ReadableFile, hash: BlockHash, waiting: Bool) throws {
    self.file = file
    let first = try withUnsafeTemporaryAllocation(byteCount: Self.headBytes, alignment: 8) {
      head -> (BlockFileHeader, [UInt32])? in
      guard let count = try file.read(head, at: 0, waiting: waiting) else { return nil }
      let header = try BlockFileHeader(
        decoding: UnsafeRawBufferPointer(rebasing: head[..<count]))
      let known = min(header.pieceCount, (count - BlockFileHeader.byteCount) / 4)
      let sums = (0..<known).map {
        UnsafeRawBufferPointer(head).word(at: BlockFileHeader.byteCount + 4 * $0)
      }
      return (header, sums)
    }
    guard let (header, sums) = first else { return nil }
    guard header.hash == hash else {
      throw BlockFileError.corrupt("the file is that of block \(header.hash)")
    }
    guard file.byteCount == header.fileLength else {
      throw BlockFileError.corrupt(
        "the file has \(file.byteCount) bytes instead of \(header.fileLength)")
    }
    self.header = header
    guard let rest = try Self.rest(of: header, after: sums.count, file, waiting) else { return nil }
    checksums = sums + rest
  }

  private static func rest(
    of header: BlockFileHeader, after known: Int, _ file: any ReadableFile, _ waiting: Bool
  ) throws -> [UInt32]? {
    let count = header.pieceCount - known
    if count == 0 { return [] }
    return try withUnsafeTemporaryAllocation(byteCount: 4 * count, alignment: 8) { bytes in
      let offset = BlockFileHeader.byteCount + 4 * known
      guard let got = try file.read(bytes, at: offset, waiting: waiting) else { return nil }
      guard got == bytes.count else { throw BlockFileError.corrupt("the file ends too early") }
      return (0..<count).map { UnsafeRawBufferPointer(bytes).word(at: 4 * $0) }
    }
  }

  /// The stored bytes in which a range of the plain bytes lies.
  package func pieces(holding range: Range<Int>) -> Range<Int> {
    if header.compression != .none { return 0..<header.pieceCount }
    if range.isEmpty { return 0..<0 }
    let size = BlockFileHeader.pieceBytes
    return (range.lowerBound / size)..<((range.upperBound + size - 1) / size)
  }

  /// Fills the front of `output` with the stored bytes of `pieces`, and verifies them.
  ///
  /// - Returns: How many bytes that is; `nil` when `waiting` is false and the disk would have to be waited for.
  package func readStored(
    _ pieces: Range<Int>, into output: UnsafeMutableRawBufferPointer, waiting: Bool
  ) throws -> Int? {
    let size = BlockFileHeader.pieceBytes
    let start = pieces.lowerBound * size
    let end = min(pieces.upperBound * size, header.storedLength)
    let count = max(0, end - start)
    let target = UnsafeMutableRawBufferPointer(rebasing: output[..<count])
    guard let got = try file.read(target, at: header.storedOffset + start, waiting: waiting) else {
      return nil
    }
    guard got == count else { throw BlockFileError.corrupt("the file ends too early") }
    for (index, piece) in pieces.enumerated() {
      let sum = BlockFile.checksum(of: index, in: UnsafeRawBufferPointer(target))
      guard sum == checksums[piece] else {
        throw BlockFileError.corrupt("the checksum of piece \(piece) is wrong")
      }
    }
    return count
  }
}
