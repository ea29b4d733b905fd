// Sort keys, and the files of blocks.

import Base
import Blocks
import Crypto
import Model
import SimulatedWorld
import Synchronization
import Tables

extension Fuzzer {
  /// The input is a sort key; or, cut in two, two keys of objects.
  static let sortKeys = Fuzzer("sort-keys", of: ["Model/Objects/ObjectSortKey", "Tables/RowKey"]) {
    input in
    if let key = ObjectSortKey(input) {
      try require(key.bytes == input, "two sort keys of one row")
    }
    var nullVersion: ObjectKey?
    if case .version(let key, .null) = ObjectSortKey(input) { nullVersion = key }
    try require(
      input.withUnsafeBytes { ObjectSortKey.keyOfNullVersion($0) } == nullVersion,
      "the key of a null version")
    if let name = AliasName(sortKey: input) {
      try require(name.sortKey == input, "two sort keys of one name")
    }
    for count in [0, 1, 32, 34] {
      let key = input.withUnsafeBytes { RowKey(diskKey: $0, partitionKeyBytes: count) }
      guard let key else { continue }
      try require(
        key.partitionKey.count == count, "a partition key of \(key.partitionKey.count) bytes")
      try require(
        key.diskKey.dropFirst().elementsEqual(input.dropFirst()), "a disk key written again")
      try require(key.diskKey.first == key.partition, "a disk key in another partition")
      let next = RowKey(partitionKey: key.partitionKey, sortKey: key.sortKey + [0])
      let above = RowKey(partitionKey: key.partitionKey + [0])
      if let reference = BlockReferenceKey(key) {
        try require(reference.rowKey == key, "two keys of one block reference")
      }
      try require(key < next && !(next < key) && key < above, "the order of rows")
      try require(Set([key, next, above, key]).count == 3, "rows with one key")
    }
    if let end = Partition.end(ofPrefix: input) {
      try require(
        input.lexicographicallyPrecedes(end)
          && (input + [0xFF, 0xFF]).lexicographicallyPrecedes(end),
        "the end of a prefix")
    } else {
      try require(input.allSatisfy { $0 == 0xFF }, "a prefix without an end")
    }
    if let text = String(validating: input, as: UTF8.self) {
      for name in [AliasName.global(text), .local(text, of: "GK")] {
        try require(AliasName(sortKey: name.sortKey) == name, "the sort key of a name")
      }
    }
    let random = choices(input)
    let cut = random.below(input.count + 1)
    try checkOrder(Array(input[..<cut]), Array(input[cut...]), random)
  }

  private static func checkOrder(_ a: [UInt8], _ b: [UInt8], _ random: SeededRandom) throws {
    let upload = UploadID(random: random)
    let number = UInt16(truncatingIfNeeded: random.next())
    let time = Timestamp(rawValue: random.next())
    let kinds: [(ObjectKey) -> ObjectSortKey] = [
      { .version($0, .null) }, { .version($0, .numbered(time, upload)) }, { .upload($0, upload) },
      { .part($0, upload, number: number) },
    ]
    guard let left = try? ObjectKey(a) else { return }
    for kind in kinds {
      try require(ObjectSortKey(kind(left).bytes) == kind(left), "a sort key written and read")
    }
    guard let right = try? ObjectKey(b) else { return }
    for kind in kinds {
      let isBefore = kind(left).bytes.lexicographicallyPrecedes(kind(right).bytes)
      try require(isBefore == (left < right), "the order of keys is not that of their names")
    }
    let kind = ObjectRowKind.version
    for key in kinds[..<2].map({ $0(right).bytes }) {
      let isOfLeft =
        !key.lexicographicallyPrecedes(ObjectSortKey.keyBytes(kind, left))
        && key.lexicographicallyPrecedes(ObjectSortKey.endOfKey(kind, a))
      try require(isOfLeft == (left == right), "the rows of a key are not neighbours")
      let isBelow =
        !key.lexicographicallyPrecedes(ObjectSortKey.prefixBytes(kind, a))
        && key.lexicographicallyPrecedes(ObjectSortKey.endOfPrefix(kind, a))
      try require(isBelow == b.starts(with: a), "the rows below a prefix are not neighbours")
    }
  }

  // MARK: Block files

  /// The input is a file, as it is and with the checksums that would be right; and the content of a block.
  static let blockFile = Fuzzer(
    "block-file", of: ["Blocks/Files/BlockFileHeader", "Blocks/Files/BlockFile"]
  ) { input in
    try checkFile(input)
    try checkFile(withChecksums(input))
    try checkBlock(input)
    // More pieces than are read with the header, and more bytes than a block has.
    if input.elementsEqual("many pieces".utf8) {
      let random = choices(input)
      try checkBlock(
        (0..<150_000).flatMap { _ in withUnsafeBytes(of: random.next()) { Array($0) } })
      let long = [UInt8](repeating: 0, count: BlockFileHeader.plainBytesMax + 1)
      try require((try? file(of: long)) == nil, "a block that is too long")
    }
  }

  private static let compressor = BlockCompressor(level: 1)

  private static func withChecksums(_ file: [UInt8]) -> [UInt8] {
    guard file.count >= BlockFileHeader.byteCount else { return file }
    var file = file
    for (place, byte) in "GRANGEBK".utf8.enumerated() { file[place] = byte }
    replace(&file, at: 124, by: CRC32C.checksum(Array(file[..<124])))
    guard let header = try? file.withUnsafeBytes({ try BlockFileHeader(decoding: $0) }),
      file.count == header.fileLength
    else { return file }
    for piece in 0..<header.pieceCount {
      let start = header.storedOffset + piece * BlockFileHeader.pieceBytes
      let end = min(start + BlockFileHeader.pieceBytes, file.count)
      replace(
        &file, at: BlockFileHeader.byteCount + 4 * piece,
        by: CRC32C.checksum(Array(file[start..<end])))
    }
    return file
  }

  private static func replace(_ bytes: inout [UInt8], at place: Int, by sum: UInt32) {
    withUnsafeBytes(of: sum.bigEndian) { for index in 0..<4 { bytes[place + index] = $0[index] } }
  }

  private static func checkFile(_ file: [UInt8]) throws {
    let decoded = try? withExactBytes(file) {
      try BlockFileHeader(decoding: UnsafeRawBufferPointer($0))
    }
    guard let header = decoded else { return }
    var again = [UInt8](repeating: 0xAA, count: BlockFileHeader.byteCount)
    again.withUnsafeMutableBytes { header.encode(into: $0) }
    try require(file.starts(with: again), "a header written again")
    try require(
      (try? BlockFileReader(
        FileOfBytes(file), hash: BlockHash(naming: UnsafeRawBufferPointer(start: nil, count: 0)),
        waiting: true)) == nil, "another block")
    for waiting in [true, false] {
      guard
        let reader = try? BlockFileReader(FileOfBytes(file), hash: header.hash, waiting: waiting)
      else { continue }
      let stored = UnsafeMutableRawBufferPointer.allocate(
        byteCount: header.storedLength, alignment: 1)
      defer { stored.deallocate() }
      let pieces = reader.pieces(holding: 0..<header.plainLength)
      guard (try? reader.readStored(pieces, into: stored, waiting: waiting)) == header.storedLength
      else { continue }
      guard header.compression == .zstd, header.plainLength <= 1 << 20 else { continue }
      let plain = UnsafeMutableRawBufferPointer.allocate(
        byteCount: header.plainLength, alignment: 1)
      defer { plain.deallocate() }
      try? compressor.decompress(UnsafeRawBufferPointer(stored), into: plain)
    }
  }

  /// A block written and read, whole and in part; with one bit changed it is refused.
  private static func checkBlock(_ plain: [UInt8]) throws {
    let hash = plain.withUnsafeBytes { BlockHash(naming: $0) }
    let file = try file(of: plain)
    try require(try content(file, hash) == plain, "a block written and read")
    let random = choices(plain)
    var changed = file
    changed[random.below(file.count)] ^= UInt8(1 << random.below(8))
    try require((try? content(changed, hash)) == nil, "a changed bit was not seen")
    for cut in [random.below(file.count), file.count] {
      let reader = FileOfBytes(file, readable: cut, readsCached: random.below(4))
      let found = try? content(reader, hash, waiting: random.below(2) == 0)
      try require(found == nil || found == plain, "bytes that are not in the file")
    }
    let range = 0..<random.below(plain.count + 1)
    let pieces = try BlockFileReader(FileOfBytes(file), hash: hash, waiting: true)?.pieces(
      holding: range)
    try require(pieces?.lowerBound == 0, "pieces of a range")
  }

  private static func file(of plain: [UInt8]) throws -> [UInt8] {
    let hash = plain.withUnsafeBytes { BlockHash(naming: $0) }
    var scratch = [UInt8](repeating: 0, count: plain.count)
    return try scratch.withUnsafeMutableBytes { scratch in
      try plain.withUnsafeBytes { plain in
        try BlockFile.withParts(plain, hash: hash, compressor: compressor, scratch: scratch) {
          $0.flatMap { Array($0) }
        }
      }
    }
  }

  private static func content(_ file: [UInt8], _ hash: BlockHash) throws -> [UInt8]? {
    try content(FileOfBytes(file), hash, waiting: true)
  }

  private static func content(_ file: FileOfBytes, _ hash: BlockHash, waiting: Bool) throws
    -> [UInt8]?
  {
    guard let reader = try BlockFileReader(file, hash: hash, waiting: waiting) else { return nil }
    var stored = [UInt8](repeating: 0, count: reader.header.storedLength)
    let pieces = reader.pieces(holding: 0..<reader.header.plainLength)
    let count = try stored.withUnsafeMutableBytes {
      try reader.readStored(pieces, into: $0, waiting: waiting)
    }
    guard count != nil || waiting else { return nil }
    try require(count == stored.count, "\(count ?? 0) of \(stored.count) bytes")
    guard reader.header.compression == .zstd else { return stored }
    var plain = [UInt8](repeating: 0, count: reader.header.plainLength)
    try plain.withUnsafeMutableBytes { plain in
      try stored.withUnsafeBytes { try compressor.decompress($0, into: plain) }
    }
    return plain
  }
}

/// A file in memory, of which the disk gives as much as is readable, and the first reads without being waited for.
private final class FileOfBytes: ReadableFile {
  private let bytes: [UInt8]
  private let readable: Int
  private let readsCached: Mutex<Int>

  init(_ bytes: [UInt8], readable: Int = .max, readsCached: Int = .max) {
    self.bytes = bytes
    self.readable = readable
    self.readsCached = Mutex(readsCached)
  }

  var byteCount: Int { bytes.count }

  func read(
    _ output: UnsafeMutableRawBufferPointer, at offset: Int, waiting: Bool
  ) throws(FileError) -> Int? {
    let isCached = readsCached.withLock { left in
      left -= 1
      return left >= 0
    }
    if !waiting && !isCached { return nil }
    let piece = bytes.prefix(readable).dropFirst(offset).prefix(output.count)
    output.copyBytes(from: piece)
    return piece.count
  }
}
