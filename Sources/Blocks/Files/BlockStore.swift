// The block files of a node. All calls block, except reading with `waiting: false`.
//
// It knows nothing of references and takes no locks: BlockService calls it under the lock of the hash where
// that matters.
//
// Invariants:
//   1. A file has its final name only after its contents are on stable storage.
//   2. `write` is complete, and may be relied upon, only after `DirectorySyncs` has put the name on
//      stable storage too.

import Base
private import Synchronization

/// Where a block file was found or written.
struct BlockPlace: Sendable {
  var directory: DataDirectory
  var hash: BlockHash

  var path: String { directory.filePath(hash) }
  var folderPath: String { directory.folderPath(hash) }
}

/// The block files in a node's data directories.
package final class BlockStore: Sendable {
  package let directories: DataDirectories
  let files: any FileSystem
  private let compressor: BlockCompressor
  private let scratch = ScratchMemory()
  private let syncing: Bool
  private let random: any RandomSource
  let logger: Logger

  init(
    directories: DataDirectories, files: any FileSystem, compressor: BlockCompressor, syncing: Bool,
    random: any RandomSource, logger: Logger
  ) {
    self.directories = directories
    self.files = files
    self.compressor = compressor
    self.syncing = syncing
    self.random = random
    self.logger = logger
  }

  // MARK: Writing

  /// Writes the file of a block that no directory has; its name is not yet on stable storage.
  ///
  /// - Throws: `BlockError.storageFull`, `.directoryLost`, `.tooLong` or `FileError`.
  func write(_ plain: UnsafeRawBufferPointer, hash: BlockHash) throws -> BlockPlace {
    try scratch.with(plain.count) { scratch in
      try BlockFile.withParts(plain, hash: hash, compressor: compressor, scratch: scratch) {
        parts in
        let byteCount = parts.reduce(0) { $0 + $1.count }
        var fault: FileError?
        for directory in try directories.forWriting(byteCount, logger) {
          do {
            let place = try write(parts, byteCount, hash, directory)
            directory.noteWriting(fault: nil, logger)
            return place
          } catch let error as FileError {
            // The next one may have room, be there, or be whole.
            if error.isShortage { throw error }
            if error.isMissing { _ = directories.checkMarkers(logger) }
            if error.isFull || error.isMissing && directory.isLost { continue }
            directory.noteWriting(fault: error, logger)
            fault = error
          }
        }
        if let fault { throw fault }
        throw directories.noRoom(logger)
      }
    }
  }

  private func write(
    _ parts: [UnsafeRawBufferPointer], _ byteCount: Int, _ hash: BlockHash,
    _ directory: DataDirectory
  ) throws(FileError) -> BlockPlace {
    let place = BlockPlace(directory: directory, hash: hash)
    let temporary = directory.temporaryPath(random: random)
    do {
      try files.write(temporary, parts, syncing: syncing)
      try files.rename(temporary, to: place.path)
    } catch {
      _ = try? files.remove(temporary)
      throw error
    }
    directory.addUsed(byteCount)
    return place
  }

  /// Removes the file of a block from every directory.
  ///
  /// - Returns: The folders that it was removed from.
  /// - Throws: `FileError`; `BlockError.directoryLost` when it may be in a directory that is not there.
  func remove(_ hash: BlockHash) throws -> [String] {
    var changed: [String] = []
    for directory in directories.all {
      let place = BlockPlace(directory: directory, hash: hash)
      let byteCount = try fileLength(place)
      guard let byteCount else { continue }
      do {
        if try files.remove(place.path) {
          directory.addUsed(-byteCount)
          changed.append(place.folderPath)
        }
      } catch {
        // A disk that is mounted read-only keeps its files; nothing is lost by that.
        guard error.isReadOnly, directory.options.isReadOnly else { throw error }
      }
    }
    if changed.isEmpty, let lost = directories.checkMarkers(logger) {
      throw BlockError.directoryLost(lost)
    }
    return changed
  }

  func fileLength(_ place: BlockPlace) throws -> Int? {
    guard case .file(let file) = try files.open(place.path, waiting: true) else { return nil }
    return file.byteCount
  }

  // MARK: Reading

  /// What came of reading a block.
  enum ReadOutcome: Sendable {
    case done
    /// Not in the page cache; only when not `waiting`.
    case wouldWait
    /// No directory has the file.
    case missing
    /// A file is not what was written, and no other is whole; it is still in its place.
    case corrupt(BlockPlace, BlockFileError)
    /// The buffer must have so many bytes.
    case needsBuffer(Int)
  }

  /// Blocks longer than this are decompressed on the pool: a millisecond on a loop is a millisecond for all of
  /// its connections, while handing a small one over costs more than decompressing it.
  private static let decompressedInlineMax = 128 * 1024

  /// Reads and verifies `range` of a block's bytes, as far as it has them, into `buffer`'s contents.
  ///
  /// - Throws: `FileError`: the disk does not give the bytes.
  func read(
    _ hash: BlockHash, _ range: Range<Int>, into buffer: BlockBuffer, waiting: Bool
  ) throws -> ReadOutcome {
    var corrupt: ReadOutcome?
    var unreadable: FileError?
    for directory in directories.all {
      let place = BlockPlace(directory: directory, hash: hash)
      do {
        switch try files.open(place.path, waiting: waiting) {
        case .missing: continue
        case .wouldWait: return .wouldWait
        case .file(let file):
          return try read(file, hash, range, into: buffer, waiting: waiting)
        }
      } catch let error as BlockFileError {
        // The next one may have a whole copy.
        corrupt = corrupt ?? .corrupt(place, error)
      } catch let error as FileError {
        unreadable = error
      }
    }
    if let corrupt { return corrupt }
    if let unreadable { throw unreadable }
    return .missing
  }

  private func read(
    _ file: any ReadableFile, _ hash: BlockHash, _ range: Range<Int>, into buffer: BlockBuffer,
    waiting: Bool
  ) throws -> ReadOutcome {
    guard let reader = try BlockFileReader(file, hash: hash, waiting: waiting) else {
      return .wouldWait
    }
    let header = reader.header
    let range = range.clamped(to: 0..<header.plainLength)
    let pieces = reader.pieces(holding: range)
    switch header.compression {
    case .none:
      let needed = pieces.count * BlockFileHeader.pieceBytes
      if min(needed, header.storedLength) > buffer.memory.count { return .needsBuffer(needed) }
      guard try reader.readStored(pieces, into: buffer.memory, waiting: waiting) != nil else {
        return .wouldWait
      }
      let start = range.lowerBound - pieces.lowerBound * BlockFileHeader.pieceBytes
      buffer.contents = range.isEmpty ? 0..<0 : start..<(start + range.count)
    case .zstd:
      if header.plainLength > buffer.memory.count { return .needsBuffer(header.plainLength) }
      if !waiting, header.plainLength > Self.decompressedInlineMax { return .wouldWait }
      let isRead = try scratch.with(header.storedLength) { stored in
        guard try reader.readStored(pieces, into: stored, waiting: waiting) != nil else {
          return false
        }
        let plain = UnsafeMutableRawBufferPointer(rebasing: buffer.memory[..<header.plainLength])
        try compressor.decompress(UnsafeRawBufferPointer(stored), into: plain)
        return true
      }
      if !isRead { return .wouldWait }
      buffer.contents = range
    }
    return .done
  }

  // MARK: Verifying

  /// What is known of a block's file after looking at it.
  enum Examined: Sendable {
    case whole(BlockPlace)
    case missing
    case corrupt(BlockPlace, BlockFileError)
    case unreadable(FileError)
  }

  /// Looks at the file of a block in each directory: its header, and with `thoroughly` all its checksums.
  func examine(_ hash: BlockHash, thoroughly: Bool) -> Examined {
    var result = Examined.missing
    for directory in directories.all {
      let place = BlockPlace(directory: directory, hash: hash)
      switch examine(place, thoroughly: thoroughly) {
      case .whole(let place): return .whole(place)
      case .missing: continue
      case let other: result = other
      }
    }
    return result
  }

  /// Looks at one file.
  func examine(_ place: BlockPlace, thoroughly: Bool) -> Examined {
    do {
      guard case .file(let file) = try files.open(place.path, waiting: true),
        let reader = try BlockFileReader(file, hash: place.hash, waiting: true)
      else { return .missing }
      guard thoroughly else { return .whole(place) }
      try scratch.with(BlockFileHeader.pieceBytes) { memory in
        for piece in 0..<reader.header.pieceCount {
          _ = try reader.readStored(piece..<(piece + 1), into: memory, waiting: true)
        }
      }
      return .whole(place)
    } catch let error as BlockFileError {
      return .corrupt(place, error)
    } catch let error as FileError {
      return .unreadable(error)
    } catch {
      return .corrupt(place, .corrupt("\(error)"))
    }
  }

  /// Gives a corrupt file a name under which it is never read, for the operator to look at.
  ///
  /// A file of a newer program stays where it is, and so does one on a disk that is mounted read-only.
  func setAside(_ place: BlockPlace, _ fault: BlockFileError) throws {
    guard case .corrupt(let fact) = fault else { return }
    do {
      try files.rename(place.path, to: place.path + ".corrupted")
    } catch {
      guard error.isReadOnly, place.directory.options.isReadOnly else { throw error }
      logger.error(
        "A block file is damaged in a read-only data directory and stays there; look at the disk's health "
          + "(smartctl, dmesg).",
        [("file", place.path), ("fault", fact)])
      return
    }
    if syncing { try files.syncDirectory(place.folderPath) }
    logger.error(
      "A block file is damaged and was set aside; look at the disk's health (smartctl, dmesg).",
      [("file", place.path + ".corrupted"), ("fault", fact)])
  }
}
