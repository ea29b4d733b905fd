// Storing bytes of another object, cut into blocks anew.
//
// A range seldom begins where a block begins, and a part has an MD5 of its own: so the bytes are read. They
// gather outside of the node's block buffers, as who holds one of those must not wait for another; the
// memory for that is a pool of its own, which lets a few copies run at a time.

import Base
import Blocks

extension BlockPipeline {
  /// Reads `range` of `source` to its end.
  func append(
    copying source: ObjectVersion, _ range: Range<UInt64>, observe: @escaping Observer
  ) async throws {
    guard range.upperBound <= source.sizeBytes else { throw ModelError.invalidRange }
    let gathered: BlockBuffer
    if case .inline(let bytes) = source.content {
      let bytes = bytes[Int(range.lowerBound)..<Int(range.upperBound)]
      // Another node's `inline_threshold` may be more than two blocks of ours.
      gathered = try await parts.copyBuffers.take(bytes.count)
      session.open()
      bytes.withUnsafeBytes { gathered.fill($0) }
    } else {
      // The upload begins once it is this copy's turn: while it waits there is nothing to renew.
      gathered = try await parts.copyBuffers.take()
      session.open()
      var walk = BlockWalk(parts, source, range)
      while let piece = try await next(&walk, of: source) {
        var start = piece.range.lowerBound
        // A block may be larger than ours: from a time when `block_size` was larger.
        while start < piece.range.upperBound {
          let end = min(start + blockBytes, piece.range.upperBound)
          try await parts.reading(source) {
            try await gather(piece.hash, start..<end, in: gathered)
          }
          start = end
          while gathered.contents.count >= blockBytes { try await flush(gathered, observe) }
        }
      }
    }
    while !gathered.contents.isEmpty { try await flush(gathered, observe) }
    try await waitForObserver()
  }

  private func next(
    _ walk: inout BlockWalk, of source: ObjectVersion
  ) async throws -> BlockWalk.Piece? {
    try await parts.reading(source) { try await walk.next() }
  }

  private func gather(
    _ hash: BlockHash, _ range: Range<Int>, in gathered: BlockBuffer
  ) async throws {
    let read = try await parts.blocks.read(hash, range)
    guard read.contents.count == range.count else {
      throw ModelError.corrupt(reason: "block \(hash) is shorter than its object says")
    }
    // The bytes go back to the pool, for others to write to, with the last use of `read`.
    withExtendedLifetime(read) { gathered.free.copyMemory(from: read.bytes) }
    gathered.didAppend(range.count)
  }

  /// Hands over the first block of what was gathered.
  private func flush(_ gathered: BlockBuffer, _ observe: @escaping Observer) async throws {
    let buffer = try await parts.blocks.buffers.take()
    let count = min(gathered.contents.count, blockBytes)
    buffer.fill(UnsafeRawBufferPointer(rebasing: gathered.bytes[..<count]))
    let rest = UnsafeRawBufferPointer(rebasing: gathered.bytes[count...])
    gathered.memory.copyMemory(from: rest)
    gathered.contents = 0..<rest.count
    try await submit(buffer, observe)
  }
}
