// Reads ranges of an object's bytes, wherever they are.

package import Base
import Blocks
import Tables

/// Reads one version.
struct ObjectReader {
  private let parts: StoreParts
  private let version: ObjectVersion

  init(_ parts: StoreParts, _ version: ObjectVersion) {
    self.parts = parts
    self.version = version
  }

  /// Hands the bytes of `range` to `write`, in order.
  func read(
    _ range: Range<UInt64>, write: (UnsafeRawBufferPointer) async throws -> Void
  ) async throws {
    guard range.upperBound <= version.sizeBytes else { throw ModelError.invalidRange }
    if range.isEmpty { return }
    if let bytes = version.inlineBytes(range) { return try await Self.handOver(bytes, write) }
    try await parts.reading(version) { try await readBlocks(range, write) }
  }

  private func readBlocks(
    _ range: Range<UInt64>, _ write: (UnsafeRawBufferPointer) async throws -> Void
  ) async throws {
    var walk = BlockWalk(parts, version, range)
    var ahead: Pending<BlockBuffer>?
    defer { ahead?.cancel() }
    var piece = try await walk.next()
    while let current = piece {
      let buffer = try await ModelError.translating {
        if let ahead { return try await ahead.value }
        return try await parts.blocks.read(current.hash, current.range)
      }
      ahead = nil
      guard buffer.contents.count == current.range.count else {
        throw ModelError.corrupt(reason: "block \(current.hash) is shorter than its object says")
      }
      piece = try await walk.next()
      if let piece, mayReadAhead {
        ahead = Pending(parts.runtime) { [blocks = parts.blocks] in
          try await blocks.read(piece.hash, piece.range)
        }
      }
      try await send(buffer, write)
    }
  }

  /// Hands a block over piece by piece, so that a slow client is told from a stalled one.
  private func send(
    _ buffer: BlockBuffer, _ write: (UnsafeRawBufferPointer) async throws -> Void
  ) async throws {
    try await ModelError.translating {
      try await parts.blocks.buffers.withClient { hold in
        var rest = buffer.bytes[...]
        while !rest.isEmpty {
          let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(ClientHold.pieceBytes))
          try await write(piece)
          hold.moved(piece.count)
          rest = rest.dropFirst(piece.count)
        }
      }
    }
  }

  /// Reading ahead takes a second buffer, which a slow client would hold for long: only while most are free.
  private var mayReadAhead: Bool { parts.blocks.buffers.havePlenty }

  private static func handOver(
    _ bytes: [UInt8], _ write: (UnsafeRawBufferPointer) async throws -> Void
  ) async throws {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
    defer { memory.deallocate() }
    memory.copyBytes(from: bytes)
    try await write(UnsafeRawBufferPointer(memory))
  }
}

extension StoreParts {
  /// Runs `body`, which reads blocks of `version`.
  ///
  /// What was replaced or deleted after the reader looked it up loses its blocks under a reader who takes long: that
  /// is no damage.
  ///
  /// - Throws: `sourceChanged` then; else what `body` throws.
  func reading<Value>(
    _ version: ObjectVersion, _ body: () async throws -> Value
  ) async throws -> Value {
    do {
      return try await ModelError.translating(body)
    } catch let error as ModelError {
      guard case .corrupt = error else { throw error }
      let now: ObjectVersion?
      do {
        now = try await head(bucket: version.bucket, key: version.key)
      } catch let failure where !(failure is CancellationError) {
        throw error
      }
      throw now?.uploadID == version.uploadID ? error : .sourceChanged
    }
  }
}

/// The blocks that a range of an object touches, in order.
package struct BlockWalk {
  /// Bytes of one block.
  package struct Piece: Equatable, Sendable {
    package var hash: BlockHash
    package var range: Range<Int>
  }

  private let parts: StoreParts
  private let version: ObjectVersion
  /// What is left to walk.
  private var range: Range<UInt64>
  /// Blocks that lie one after the other from `start` on, and the next to look at.
  private var blocks: [BlockEntry] = []
  private var index = 0
  private var start: UInt64 = 0

  package init(_ parts: StoreParts, _ version: ObjectVersion, _ range: Range<UInt64>) {
    self.parts = parts
    self.version = version
    self.range = range
    if case .blocks(let blocks) = version.content { self.blocks = blocks }
  }

  /// The next piece; `nil` at the end of the range.
  package mutating func next() async throws -> Piece? {
    while !range.isEmpty {
      while index < blocks.count {
        let block = blocks[index]
        let end = start + UInt64(block.sizeBytes)
        guard range.lowerBound < end else {
          start = end
          index += 1
          continue
        }
        let lower = Int(range.lowerBound - start)
        let upper = Int(min(range.upperBound, end) - start)
        range = min(range.upperBound, end)..<range.upperBound
        return Piece(hash: block.hash, range: lower..<upper)
      }
      try await loadChunk()
    }
    return nil
  }

  /// Loads the manifest row in which the range begins.
  private mutating func loadChunk() async throws {
    guard version.content == .manifest, let place = version.parts.place(of: range.lowerBound)
    else { throw damaged }
    let chunkBytes = UInt64(place.blockBytes) * UInt64(ManifestRow.blocksMax)
    let chunk = (range.lowerBound - place.start) / chunkBytes
    guard let chunk = UInt32(exactly: chunk) else { throw damaged }
    let key = ManifestRow.key(version.uploadID, part: place.number, chunk: chunk)
    let row = try await ModelError.translating { try await parts.manifests.get(key) }
    guard let row else { throw damaged }
    blocks = row.blocks
    index = 0
    start = place.start + UInt64(chunk) * chunkBytes
    let end = blocks.reduce(start) { $0 + UInt64($1.sizeBytes) }
    guard range.lowerBound < end else { throw damaged }
  }

  private var damaged: ModelError {
    .corrupt(reason: "the manifest of upload \(version.uploadID) lacks blocks")
  }
}

extension PartLayout {
  /// A part of an object.
  struct Place: Equatable, Sendable {
    var number: UInt16
    /// Where the part begins in the object.
    var start: UInt64
    var blockBytes: UInt32
  }

  /// The part that the byte at `offset` lies in.
  func place(of offset: UInt64) -> Place? {
    var start: UInt64 = 0
    for run in runs {
      let end = start &+ UInt64(run.count) &* run.sizeBytes
      if offset < end, run.sizeBytes > 0 {
        let index = (offset - start) / run.sizeBytes
        guard index < UInt64(run.count), let number = UInt16(exactly: UInt64(run.first) + index)
        else { return nil }
        return Place(
          number: number, start: start + index * run.sizeBytes, blockBytes: run.blockBytes)
      }
      start = end
    }
    return nil
  }
}
