// zstd, with contexts that are kept for the next caller.
//
// Much of what people store is compressed already (photographs, films, archives). Trying all of it would
// cost a core for nothing, so a sample decides first: four runs of 4 KiB spread over the block, a
// sixty-fourth of the work. What compresses only by repeats at a distance is missed; that is rare, and
// such a block is stored as it is.

private import CZstd
private import Synchronization

/// Compresses and decompresses blocks; any thread may use it.
package final class BlockCompressor: Sendable {
  /// What compression must save to be worth decompressing at each read: one sixteenth.
  private static let savingShift = 4
  private static let sampleBytes = 4 * 1024
  private static let sampleCount = 4
  /// Contexts kept for later: more threads than this rarely compress at once on the machines Grange is for.
  ///
  /// A context of level 1 takes about 1 MiB. A thread that finds none makes its own.
  private static let keptMax = 8

  /// The contexts nobody uses now.
  private struct Kept: @unchecked Sendable {
    // Safe because zstd's contexts have no thread affinity, and one is in this list or with one user.
    var compressing: [OpaquePointer] = []
    var decompressing: [OpaquePointer] = []
  }

  private let level: Int32?
  private let kept = Mutex(Kept())

  /// Compresses at zstd's `level`; `nil` never compresses.
  package init(level: Int32?) {
    self.level = level.map { min(max($0, ZSTD_minCLevel()), ZSTD_maxCLevel()) }
  }

  deinit {
    kept.withLock { kept in
      for context in kept.compressing { ZSTD_freeCCtx(context) }
      for context in kept.decompressing { ZSTD_freeDCtx(context) }
    }
  }

  /// Compresses `plain` into `output` when that saves enough.
  ///
  /// - Returns: The length of the one zstd frame in `output`; `nil` to store the plain bytes.
  package func compress(
    _ plain: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) -> Int? {
    guard let level, plain.count >= 64, let context = takeCompressing() else { return nil }
    defer { kept.withLock { Self.keep(context, &$0.compressing, free: { ZSTD_freeCCtx($0) }) } }
    guard sampleShrinks(plain, level: level, context: context, scratch: output) else { return nil }
    // zstd gives up as soon as the output is full.
    let room = min(output.count, plain.count - plain.count >> Self.savingShift - 1)
    let length = ZSTD_compressCCtx(
      context, output.baseAddress, room, plain.baseAddress, plain.count, level)
    return ZSTD_isError(length) == 0 ? length : nil
  }

  private func sampleShrinks(
    _ plain: UnsafeRawBufferPointer, level: Int32, context: OpaquePointer,
    scratch: UnsafeMutableRawBufferPointer
  ) -> Bool {
    let total = Self.sampleBytes * Self.sampleCount
    guard plain.count >= 4 * total, scratch.count >= total else { return true }
    let stride = (plain.count - Self.sampleBytes) / (Self.sampleCount - 1)
    var compressed = 0
    for index in 0..<Self.sampleCount {
      let sample = UnsafeRawBufferPointer(
        rebasing: plain[(index * stride)..<(index * stride + Self.sampleBytes)])
      // A full output counts as a sample that does not shrink.
      let length = ZSTD_compressCCtx(
        context, scratch.baseAddress, Self.sampleBytes, sample.baseAddress, sample.count, level)
      compressed += ZSTD_isError(length) == 0 ? length : Self.sampleBytes
    }
    return compressed < total - total >> Self.savingShift
  }

  /// Decompresses the frame `stored` into exactly all of `output`.
  package func decompress(
    _ stored: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) throws(BlockFileError) {
    guard let context = takeDecompressing() else { throw .corrupt("no memory to decompress with") }
    defer { kept.withLock { Self.keep(context, &$0.decompressing, free: { ZSTD_freeDCtx($0) }) } }
    let length = ZSTD_decompressDCtx(
      context, output.baseAddress, output.count, stored.baseAddress, stored.count)
    guard ZSTD_isError(length) == 0, length == output.count else {
      throw .corrupt("the compressed bytes do not give the block")
    }
  }

  private func takeCompressing() -> OpaquePointer? {
    kept.withLock { $0.compressing.popLast() } ?? ZSTD_createCCtx()
  }

  private func takeDecompressing() -> OpaquePointer? {
    kept.withLock { $0.decompressing.popLast() } ?? ZSTD_createDCtx()
  }

  private static func keep(
    _ context: OpaquePointer, _ list: inout [OpaquePointer], free: (OpaquePointer) -> Void
  ) {
    if list.count < keptMax { list.append(context) } else { free(context) }
  }
}
