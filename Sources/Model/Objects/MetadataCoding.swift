// How metadata and contents are written in rows (docs/formats/objects.md).

import Base
import Codecs

/// Limits of what a row may hold.
///
/// Rows come from peers and from disk, so a reader needs limits; they lie above what the interfaces
/// accept.
enum RowLimits {
  /// S3 takes 2 KiB of user metadata and 8 KiB of headers; 64 KiB leaves room for names and other headers.
  static let headerBytesMax = 64 << 10
  static let headersMax = 512
  static let etagBytesMax = 256
  static let checksumsMax = 16
  static let checksumBytesMax = 64
  /// Far above the greatest `inline_threshold`, 64 KiB.
  static let inlineBytesMax = 1 << 20
  /// A row lists 16 blocks at most; room for a later, greater choice.
  static let blocksInRowMax = 64
  static let blocksInManifestRowMax = 4096
  static let runsMax = 10_001
  static let partChecksumBytesMax = checksumBytesMax * 10_001
  static let tagsMax = 64
  static let tagBytesMax = 1024
  static let reservedBytesMax = 16 << 10
  /// 64 TiB, above S3's greatest object of 50 TB.
  ///
  /// Sums of sizes cannot overflow below it.
  static let objectBytesMax: UInt64 = 1 << 46
  static let sortKeyBytesMax = 4096
  static let nameBytesMax = 1024
}

extension ObjectMetadata {
  func write(to writer: inout BinaryWriter) {
    writer.string(etag)
    writer.list(headers) { writer, header in
      writer.string(header.name)
      writer.bytes(header.value)
    }
    ObjectChecksum.write(checksums, to: &writer)
    writer.u8(checksumType.rawValue)
  }

  init(from reader: inout BinaryReader) throws(BinaryError) {
    let etag = try reader.string(max: RowLimits.etagBytesMax)
    let headers = try reader.list(max: RowLimits.headersMax) {
      (reader: inout BinaryReader) throws(BinaryError) in
      ObjectHeader(
        name: try reader.string(max: RowLimits.headerBytesMax),
        value: try reader.bytes(max: RowLimits.headerBytesMax))
    }
    let checksums = try ObjectChecksum.readList(from: &reader)
    guard let type = ChecksumType(rawValue: try reader.u8()) else { throw .invalidValue }
    self.init(etag: etag, headers: headers, checksums: checksums, checksumType: type)
  }
}

extension ObjectChecksum {
  static func write(_ checksums: [ObjectChecksum], to writer: inout BinaryWriter) {
    writer.list(checksums) { writer, checksum in
      writer.u8(checksum.algorithm.rawValue)
      writer.bytes(checksum.value)
    }
  }

  static func readList(from reader: inout BinaryReader) throws(BinaryError) -> [ObjectChecksum] {
    try reader.list(max: RowLimits.checksumsMax) {
      (reader: inout BinaryReader) throws(BinaryError) in
      guard let algorithm = ChecksumAlgorithm(rawValue: try reader.u8()) else {
        throw .invalidValue
      }
      let value = try reader.bytes(max: RowLimits.checksumBytesMax)
      return ObjectChecksum(algorithm: algorithm, value: value)
    }
  }
}

extension BlockEntry {
  static func write(_ blocks: [BlockEntry], to writer: inout BinaryWriter) {
    writer.list(blocks) { writer, block in
      writer.id(block.hash)
      writer.u32(block.sizeBytes)
    }
  }

  static func readList(
    from reader: inout BinaryReader, max: Int
  ) throws(BinaryError) -> [BlockEntry] {
    try reader.list(max: max) { (reader: inout BinaryReader) throws(BinaryError) in
      BlockEntry(hash: try reader.id(), sizeBytes: try reader.u32())
    }
  }
}

extension ObjectContent {
  func write(to writer: inout BinaryWriter) {
    switch self {
    case .inline(let bytes):
      writer.u8(0)
      writer.bytes(bytes)
    case .blocks(let blocks):
      writer.u8(1)
      BlockEntry.write(blocks, to: &writer)
    case .manifest:
      writer.u8(2)
    }
  }

  /// Reads the content of `sizeBytes` bytes.
  ///
  /// - Throws: `invalidValue` when the sizes disagree.
  init(from reader: inout BinaryReader, sizeBytes: UInt64) throws(BinaryError) {
    try self.init(anySizeFrom: &reader)
    switch self {
    case .inline(let bytes):
      guard UInt64(bytes.count) == sizeBytes else { throw .invalidValue }
    case .blocks(let blocks):
      guard blocks.reduce(UInt64(0), { $0 + UInt64($1.sizeBytes) }) == sizeBytes else {
        throw .invalidValue
      }
    case .manifest: break
    }
  }

  /// Reads a content whose size is not known.
  init(anySizeFrom reader: inout BinaryReader) throws(BinaryError) {
    switch try reader.u8() {
    case 0: self = .inline(try reader.bytes(max: RowLimits.inlineBytesMax))
    case 1: self = .blocks(try BlockEntry.readList(from: &reader, max: RowLimits.blocksInRowMax))
    case 2: self = .manifest
    default: throw .invalidValue
    }
  }
}

extension PartLayout {
  func write(to writer: inout BinaryWriter) {
    writer.list(runs) { writer, run in
      writer.u16(run.first)
      writer.u16(run.count)
      writer.varint(run.sizeBytes)
      writer.u32(run.blockBytes)
    }
  }

  /// Reads the parts of an object of `sizeBytes` bytes: runs in ascending order, none empty, which make up the
  /// whole object.
  init(from reader: inout BinaryReader, sizeBytes: UInt64) throws(BinaryError) {
    try self.init(runsFrom: &reader)
    guard !runs.isEmpty else { return }
    guard try sum() == sizeBytes else { throw .invalidValue }
  }

  /// Reads the parts of an object whose size is not known.
  init(runsFrom reader: inout BinaryReader) throws(BinaryError) {
    runs = try reader.list(max: RowLimits.runsMax) {
      (reader: inout BinaryReader) throws(BinaryError) in
      PartRun(
        first: try reader.u16(), count: try reader.u16(), sizeBytes: try reader.varint(),
        blockBytes: try reader.u32())
    }
    _ = try sum()
  }

  /// The size of all parts.
  ///
  /// - Throws: `invalidValue` unless runs ascend and none is empty.
  private func sum() throws(BinaryError) -> UInt64 {
    var next: UInt32 = 0
    var sum: UInt64 = 0
    for run in runs {
      // 65,535 parts of 2^46 bytes stay below 2^62, and each partial sum is checked.
      guard run.count > 0, run.blockBytes > 0, UInt32(run.first) >= next,
        run.sizeBytes <= RowLimits.objectBytesMax
      else { throw .invalidValue }
      next = UInt32(run.first) + UInt32(run.count)
      guard next <= UInt32(UInt16.max) + 1 else { throw .invalidValue }
      sum += UInt64(run.count) * run.sizeBytes
      guard sum <= RowLimits.objectBytesMax else { throw .invalidValue }
    }
    return sum
  }
}
