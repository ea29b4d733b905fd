// From a client's bytes to durable blocks, with the next block arriving while earlier ones are written.
//
//   source ──> buffer ──> observe + hash (one at a time, in order) ──> block and reference durable
//             1 block                     1 block                            2 blocks
//
// Invariants:
//   1. `observe` sees every byte once, in order, one call at a time.
//   2. At most `inFlightMax` blocks and the one being received are in memory; one less while memory is short.
//   3. Every block but the last has `blockBytes` bytes.
//   4. Nothing is under way after `settle`.

import Base
import Blocks
import Codecs
import Tables

/// Stores the bytes of one upload as blocks.
///
/// It belongs to the task of its writer.
package final class BlockPipeline {
  /// How many full blocks are hashed and written while the next arrives: one to hash, one that
  /// waits for its fsync.
  ///
  /// More would fill memory without making a disk faster. With many uploads at once one of each keeps the disk busy.
  package static let inFlightMax = 2
  private var inFlightLimit: Int { parts.blocks.buffers.havePlenty ? Self.inFlightMax : 1 }
  /// The most blocks that a row lists itself.
  static let blocksInRowMax = 16

  typealias Source = (UnsafeMutableRawBufferPointer) async throws -> Int
  typealias Observer = @Sendable (UnsafeRawBufferPointer) -> Void

  let parts: StoreParts
  let session: UploadSession
  private let partNumber: UInt16
  private var hashing: Pending<BlockHash>?
  private var storing: [Pending<BlockEntry>] = []
  /// Durable blocks that no manifest row lists yet.
  private var listed: [BlockEntry] = []
  private var chunkCount: UInt32 = 0
  private(set) var sizeBytes: UInt64 = 0

  init(_ parts: StoreParts, session: UploadSession) {
    self.parts = parts
    self.session = session
    partNumber = session.part?.number ?? 0
  }

  /// The size of all blocks but the last.
  var blockBytes: Int { parts.blocks.buffers.bufferBytes }

  /// Reads `source` to its end, after `head`, which was read from it before.
  func append(
    head: [UInt8], from source: Source, observe: @escaping Observer
  ) async throws {
    session.open()
    var head = head[...]
    var isAtEnd = false
    while !isAtEnd {
      let buffer = try await parts.blocks.buffers.take()
      while buffer.contents.count < blockBytes, !head.isEmpty {
        let piece = head.prefix(blockBytes - buffer.contents.count)
        piece.withUnsafeBytes { buffer.free.copyMemory(from: $0) }
        buffer.didAppend(piece.count)
        head = head.dropFirst(piece.count)
      }
      isAtEnd = try await parts.blocks.buffers.withClient { hold in
        while buffer.contents.count < blockBytes {
          let count = try await source(buffer.free)
          guard count > 0 else { return true }
          buffer.didAppend(min(count, buffer.free.count))
          hold.moved(count)
        }
        return false
      }
      if !buffer.contents.isEmpty { try await submit(buffer, observe) }
    }
    try await waitForObserver()
  }

  /// Waits until the observer has seen everything that was handed over.
  func waitForObserver() async throws { _ = try await hashing?.value }

  /// Hands a block over to be made durable, once there is room for it.
  func submit(_ buffer: BlockBuffer, _ observe: @escaping Observer) async throws {
    sizeBytes += UInt64(buffer.contents.count)
    try await session.renewIfDue()
    // In order: the block before must have been observed.
    _ = try await hashing?.value
    while storing.count >= inFlightLimit { try await finishFirst() }
    let hashing = Pending(parts.runtime) { [runtime = parts.runtime] in
      try await runtime.blocking {
        observe(buffer.bytes)
        return BlockHash(naming: buffer.bytes)
      }
    }
    self.hashing = hashing
    let opening = session.open()
    storing.append(
      Pending(parts.runtime) { [blocks = parts.blocks, id = session.id, owner = session.owner] in
        let hash = try await hashing.value
        try await opening.value
        let size = UInt32(buffer.contents.count)
        let key = BlockReferenceKey(hash: hash, upload: id)
        _ = try await blocks.put(key, owner: owner, bytes: buffer)
        return BlockEntry(hash: hash, sizeBytes: size)
      })
  }

  private func finishFirst() async throws {
    let first = storing.removeFirst()
    listed.append(try await first.value)
    if listed.count == ManifestRow.blocksMax { try await writeManifestRow() }
  }

  /// Waits until all blocks are durable, and says where the bytes are.
  ///
  /// - Throws: `writeRefused` when the upload was silent for as long as the reaper waits.
  func finish() async throws -> ObjectContent {
    try await ModelError.translating {
      while !storing.isEmpty { try await finishFirst() }
      let fitsTheRow = chunkCount == 0 && listed.count <= Self.blocksInRowMax
      if !fitsTheRow, !listed.isEmpty { try await writeManifestRow() }
      try session.requireAlive()
      return fitsTheRow ? .blocks(listed) : .manifest
    }
  }

  /// Waits until nothing is under way, whatever came of it.
  func settle() async {
    for pending in storing { await pending.settle() }
    await hashing?.settle()
    storing = []
  }

  private func writeManifestRow() async throws {
    let chunk = chunkCount
    let owner = RowKey(
      partitionKey: session.owner.partitionKey, sortKey: session.owner.sortKey)
    let blocks = listed
    let part = partNumber
    try await parts.merge(parts.manifests, partitionKey: session.id.bytes) { now in
      let row = ManifestRow(timestamp: now, owner: owner, blocks: blocks)
      return [(ManifestRow.sortKey(part: part, chunk: chunk), row)]
    }
    listed.removeAll(keepingCapacity: true)
    chunkCount += 1
  }
}
