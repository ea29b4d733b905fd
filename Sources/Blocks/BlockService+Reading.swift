// Reading a block: from the page cache on the caller's loop, from the disk on the pool, or else from
// another node.

package import Base

extension BlockService {
  /// Reads `range` of a block's bytes, as far as the block has them, verified.
  ///
  /// Takes one buffer of the pool: the caller must hold none while it waits for this, unless it is sure of the
  /// pool's size.
  ///
  /// - Returns: A buffer whose contents are the bytes.
  /// - Throws: `BlockError.missing` or `.directoryLost`; `FileError` when the disk does not give the bytes;
  ///   `CancellationError`.
  package nonisolated(nonsending) func read(
    _ hash: BlockHash, _ range: Range<Int> = 0..<BlockFileHeader.plainBytesMax
  ) async throws -> BlockBuffer {
    var byteCount = 0
    while true {
      let buffer = try await buffers.take(byteCount)
      switch try await readHere(hash, range, into: buffer) {
      case .done:
        metrics.readBytes.add(UInt64(buffer.contents.count))
        return buffer
      case .needsBuffer(let count) where byteCount == 0:
        // A block from a time when `block_size` was larger.
        byteCount = count
      case .corrupt(let place, _):
        try await setAside(place)
        return try await fetch(hash, range, into: buffer, instead: .missing(hash))
      case .missing, .wouldWait, .needsBuffer:
        let lost = try await runtime.blocking(.reading) { [store, logger] in
          store.directories.checkMarkers(logger)
        }
        return try await fetch(
          hash, range, into: buffer,
          instead: lost.map { .directoryLost($0) } ?? .missing(hash))
      }
    }
  }

  private nonisolated(nonsending) func readHere(
    _ hash: BlockHash, _ range: Range<Int>, into buffer: BlockBuffer
  ) async throws -> BlockStore.ReadOutcome {
    // What goes wrong without waiting is looked at again with all means.
    let cached = try? store.read(hash, range, into: buffer, waiting: false)
    switch cached {
    case .done, .needsBuffer:
      metrics.readsFromCache.add()
      return cached ?? .wouldWait
    case .wouldWait, .missing, .corrupt, nil: break
    }
    let store = store
    metrics.readsFromDisk.add()
    return try await runtime.blocking(.reading) {
      try store.read(hash, range, into: buffer, waiting: true)
    }
  }

  /// Sets a corrupt file aside, unless someone has replaced it with a whole one meanwhile.
  private nonisolated(nonsending) func setAside(_ place: BlockPlace) async throws {
    let store = store
    let metrics = metrics
    do {
      try await locks.withLock(place.hash) {
        try await runtime.blocking {
          guard case .corrupt(_, let fault) = store.examine(place, thoroughly: true) else { return }
          metrics.corrupt.add()
          try store.setAside(place, fault)
        }
      }
    } catch let error where !(error is CancellationError) {
      // The reader can be helped all the same.
      logger.error(
        "A damaged block file could not be set aside.",
        [("file", place.path), ("error", "\(error)")])
    }
  }

  /// Gets a block from another node and puts it in its place here, if it is still needed.
  ///
  /// It works in the buffer that the reader has: to wait for another one while holding it could be for ever.
  private nonisolated(nonsending) func fetch(
    _ hash: BlockHash, _ range: Range<Int>, into buffer: BlockBuffer, instead error: BlockError
  ) async throws -> BlockBuffer {
    buffer.contents = 0..<0
    guard try await source.fetch(hash, into: buffer) else {
      // Without references it belonged to what was replaced or deleted while someone read it.
      let isNeeded = try counts.count(hash).map { $0.live > 0 } ?? false
      logger.log(
        isNeeded ? .error : .debug,
        "A block cannot be read.", [("block", hash.hex), ("error", "\(error)")])
      throw error
    }
    let found = try await runtime.blocking(.reading) { BlockHash(naming: buffer.bytes) }
    guard found == hash else { throw error }
    try await restore(hash, buffer)
    let whole = buffer.contents
    let range = range.clamped(to: 0..<whole.count)
    buffer.contents =
      (whole.lowerBound + range.lowerBound)..<(whole.lowerBound + range.upperBound)
    metrics.readBytes.add(UInt64(buffer.contents.count))
    return buffer
  }

  private nonisolated(nonsending) func restore(
    _ hash: BlockHash, _ bytes: BlockBuffer
  ) async throws {
    do {
      try await locks.withLock(hash) {
        guard let count = try counts.count(hash), count.live > 0 else { return }
        _ = try await makeWhole(hash, bytes)
      }
    } catch let error where !(error is CancellationError) {
      // The reader has its bytes all the same; a later read tries again.
      logger.warning(
        "A block from another node could not be stored.",
        [("block", hash.hex), ("error", "\(error)")])
    }
  }
}
