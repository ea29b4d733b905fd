// Writes one part of a multipart upload.

import Base
import Blocks
import Tables

/// Receives the bytes of one part, stores them, and makes them the part with `commit`.
///
/// It belongs to one task. After `commit` or `abandon`, or after either threw, it is of no more use.
package final class PartWriter {
  private let parts: StoreParts
  private let bucket: Bucket
  private let key: ObjectKey
  private let part: UploadRow.PartOf
  private let session: UploadSession
  private let pipeline: BlockPipeline
  private var hasSentEntry = false

  init(_ parts: StoreParts, bucket: Bucket, key: ObjectKey, part: UploadRow.PartOf) {
    self.parts = parts
    self.bucket = bucket
    self.key = key
    self.part = part
    session = UploadSession(parts, bucket: bucket, key: key, purpose: .part, part: part)
    pipeline = BlockPipeline(parts, session: session)
  }

  /// How many bytes were received.
  package var sizeBytes: UInt64 { pipeline.sizeBytes }

  /// As `ObjectWriter.append`.
  package func append(
    announced: UInt64? = nil,
    from source: (UnsafeMutableRawBufferPointer) async throws -> Int,
    observe: @escaping @Sendable (UnsafeRawBufferPointer) -> Void
  ) async throws {
    var forecast = try forecast()
    var limit = UploadLimit(parts)
    try limit.check(announced ?? 0)
    try forecast.check(announced ?? 0)
    try await parts.requireRoom()
    func limited(_ buffer: UnsafeMutableRawBufferPointer) async throws -> Int {
      let count = try await source(buffer)
      try limit.didReceive(count)
      try forecast.didReceive(count)
      return count
    }
    try await ModelError.translating {
      try await pipeline.append(head: [], from: limited, observe: observe)
    }
  }

  /// As `append`, with bytes of an object: `range` of `source`.
  ///
  /// - Throws: `invalidRange`; `entityTooLarge`; `sourceChanged` when the source was replaced or deleted and its
  ///   bytes are gone.
  package func append(
    copying source: ObjectVersion, _ range: Range<UInt64>,
    observe: @escaping @Sendable (UnsafeRawBufferPointer) -> Void
  ) async throws {
    try UploadLimit(parts).check(UInt64(range.count))
    try forecast().check(UInt64(range.count))
    try await parts.requireRoom()
    try await ModelError.translating {
      try await pipeline.append(copying: source, range, observe: observe)
    }
  }

  private func forecast() throws -> QuotaForecast {
    try QuotaForecast(parts, bucket, .part(key, part.multipart, number: part.number))
  }

  /// Makes the bytes the part, in place of an earlier one with the same number.
  ///
  /// - Parameter etag: 32 hex digits: the MD5 of the part.
  /// - Throws: `noSuchUpload` when it was completed or aborted in the meantime, and as `ObjectWriter.commit`.
  package func commit(etag: String, checksums: [ObjectChecksum]) async throws -> UploadedPart {
    let content = try await finish()
    let row = PartRow.Part(
      lastModified: parts.runtime.wallNow, sizeBytes: sizeBytes, etag: etag, checksums: checksums,
      blockBytes: UInt32(pipeline.blockBytes), content: content)
    hasSentEntry = true
    do {
      try await put(row)
    } catch let error as ModelError where error.isRefusal {
      await session.undo()
      throw error
    }
    return UploadedPart(number: Int(part.number), part: row)
  }

  /// Where the bytes are, once they are durable.
  private func finish() async throws -> ObjectContent {
    do {
      return try await pipeline.finish()
    } catch {
      // The last blocks fail only here: `append` does not wait for them.
      await abandon()
      throw error
    }
  }

  private func put(_ row: PartRow.Part) async throws {
    _ = try await parts.write(to: bucket) { bucket, attempt in
      try await parts.objects.operate(
        PutPart(guards: parts.guards), partitionKey: ObjectPartition.key(bucket.id),
        input: .init(
          key: key, multipart: part.multipart, number: part.number,
          row: PartRow(timestamp: attempt.timestamp, uploadID: session.id, part: row),
          stamp: bucket.stamp),
        above: attempt.above, companion: { bucket.companion })
    }
  }

  /// Gives up: what was stored is released.
  package func abandon() async {
    await pipeline.settle()
    guard session.isOpen, !hasSentEntry else { return }
    await session.undo()
  }
}

extension UploadedPart {
  init(number: Int, part: PartRow.Part) {
    self.init(
      number: number, sizeBytes: part.sizeBytes, etag: part.etag, checksums: part.checksums,
      lastModified: part.lastModified)
  }
}
