// Memory for the length of one call: compressed bytes between the disk and a buffer.
//
// It does not count against `block_ram_buffer_max`: a call uses at most one piece of it and never waits while it
// has it, so there are no more pieces than threads.

private import Synchronization

/// Pieces of memory that are kept for the next call.
final class ScratchMemory: Sendable {
  /// Threads that compress or decompress at once; one more finds nothing kept and allocates.
  private static let keptMax = 4

  private struct Kept: @unchecked Sendable {
    // Safe because a piece is in this list or with one user.
    var pieces: [UnsafeMutableRawBufferPointer] = []
  }

  private let kept = Mutex(Kept())

  deinit { kept.withLock { for piece in $0.pieces { piece.deallocate() } } }

  /// Runs `body` with memory of `byteCount`, whose contents are anything.
  func with<Result>(
    _ byteCount: Int, _ body: (UnsafeMutableRawBufferPointer) throws -> Result
  ) rethrows -> Result {
    let piece = take(byteCount)
    defer { keep(piece) }
    return try body(UnsafeMutableRawBufferPointer(rebasing: piece.memory[..<byteCount]))
  }

  private struct Piece: @unchecked Sendable {
    // Safe because it has one holder at a time.
    var memory: UnsafeMutableRawBufferPointer
  }

  private func take(_ byteCount: Int) -> Piece {
    let found = kept.withLock { kept -> Piece? in
      guard let index = kept.pieces.lastIndex(where: { $0.count >= byteCount }) else { return nil }
      return Piece(memory: kept.pieces.remove(at: index))
    }
    if let found { return found }
    return Piece(
      memory: .allocate(byteCount: max(byteCount, 1), alignment: directWriteBytes))
  }

  /// Keeps the largest.
  private func keep(_ piece: Piece) {
    let surplus = kept.withLock { kept -> Piece? in
      kept.pieces.append(piece.memory)
      guard kept.pieces.count > Self.keptMax,
        let smallest = kept.pieces.indices.min(by: { kept.pieces[$0].count < kept.pieces[$1].count }
        )
      else { return nil }
      return Piece(memory: kept.pieces.remove(at: smallest))
    }
    surplus?.memory.deallocate()
  }
}
