// Writes one object.
//
// Bytes gather in a small buffer first. If the end comes before the inline threshold, they go into the row, and
// the whole write is one transaction; otherwise they become blocks while they arrive.

import Base
import Blocks
import Tables

/// Receives the bytes of one object, stores them, and makes them the object with `commit`.
///
/// It belongs to one task. After `commit` or `abandon`, or after either threw, it is of no more use.
package final class ObjectWriter {
  private let parts: StoreParts
  private let bucket: Bucket
  private let key: ObjectKey
  private let session: UploadSession
  private let pipeline: BlockPipeline
  private var inline: [UInt8] = []
  private var usesBlocks = false
  private var hasSentEntry = false

  init(_ parts: StoreParts, bucket: Bucket, key: ObjectKey) {
    self.parts = parts
    self.bucket = bucket
    self.key = key
    session = UploadSession(parts, bucket: bucket, key: key, purpose: .object)
    pipeline = BlockPipeline(parts, session: session)
  }

  /// How many bytes were received.
  package var sizeBytes: UInt64 { usesBlocks ? pipeline.sizeBytes : UInt64(inline.count) }

  /// Reads from `source` until it returns 0.
  ///
  /// To be called once.
  ///
  /// Memory stays constant: at most a few blocks are under way, and `source` is not asked for more before
  /// one of them is durable.
  ///
  /// - Parameters:
  ///   - announced: How many bytes there will be, if that is known.
  ///   - source: Writes the next bytes into the buffer and returns how many; 0 at the end.
  ///   - observe: Sees every byte once, in order, one call at a time, possibly on another thread; all calls
  ///     are over when `append` returns. Digests go here.
  /// - Throws: what `source` throws, `entityTooLarge`, `storageFull`, `quotaExceeded`, `quorumUnavailable`,
  ///   `noSuchBucket`.
  ///   `abandon` must follow.
  package func append(
    announced: UInt64? = nil,
    from source: (UnsafeMutableRawBufferPointer) async throws -> Int,
    observe: @escaping @Sendable (UnsafeRawBufferPointer) -> Void
  ) async throws {
    precondition(!usesBlocks && inline.isEmpty, "append is called once")
    var forecast = try QuotaForecast(parts, bucket, .version(key, .null))
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
    let threshold = parts.options.inlineThresholdBytes
    let head = try await HeadReader.read(from: limited, max: threshold + 1)
    guard head.count > threshold else {
      head.withUnsafeBytes { observe($0) }
      inline = head
      return
    }
    try parts.requireBlocks()
    usesBlocks = true
    try await ModelError.translating {
      try await pipeline.append(head: head, from: limited, observe: observe)
    }
  }

  /// Makes the bytes the object.
  ///
  /// When it returns, they are durable and every later read sees them.
  ///
  /// - Throws: `noSuchBucket`, `quotaExceeded`, `quorumUnavailable` (the write may still take effect), `clockTooFar`.
  package func commit(_ metadata: ObjectMetadata) async throws -> ObjectVersion {
    let content = try await finish()
    var layout = PartLayout()
    if content == .manifest {
      layout.append(number: 0, sizeBytes: sizeBytes, blockBytes: UInt32(pipeline.blockBytes))
    }
    let object = VersionRow.Object(
      lastModified: parts.runtime.wallNow, sizeBytes: sizeBytes, metadata: metadata,
      parts: layout, content: content)
    hasSentEntry = true
    do {
      return try await parts.put(object, uploadID: session.id, bucket: bucket, key: key)
    } catch let error as ModelError where error.isRefusal {
      // The replicas said no. Should one have stored it all the same, the undoing finds out.
      await session.undo()
      throw error
    }
  }

  /// Where the bytes are, once they are durable.
  private func finish() async throws -> ObjectContent {
    guard usesBlocks else { return .inline(inline) }
    do {
      return try await pipeline.finish()
    } catch {
      // The last blocks fail only here: `append` does not wait for them.
      await abandon()
      throw error
    }
  }

  /// Gives up: what was stored is released.
  ///
  /// Once the entry was sent to a replica nothing is undone here: whether it took effect is not known.
  package func abandon() async {
    await pipeline.settle()
    guard session.isOpen, !hasSentEntry else { return }
    await session.undo()
  }
}

/// Reads the beginning of a body.
enum HeadReader {
  /// Up to `max` bytes; fewer only when `source` is at its end.
  static func read(
    from source: (UnsafeMutableRawBufferPointer) async throws -> Int, max: Int
  ) async throws -> [UInt8] {
    // One read, as a rule: the kernel has the whole body of a small request.
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max, alignment: 16)
    defer { memory.deallocate() }
    var count = 0
    while count < max {
      let free = UnsafeMutableRawBufferPointer(rebasing: memory[count...])
      let read = try await source(free)
      guard read > 0 else { break }
      count += min(read, free.count)
    }
    return Array(memory[..<count])
  }
}

extension StoreParts {
  /// Makes `object` the current version of the key.
  func put(
    _ object: VersionRow.Object, uploadID: UploadID, bucket: Bucket, key: ObjectKey
  ) async throws -> ObjectVersion {
    try await checkQuota(of: bucket, key, sizeBytes: object.sizeBytes)
    var uploadID = uploadID
    _ = try await write(to: bucket) { bucket, attempt in
      if attempt.isAnother { uploadID = try another(object) }
      return try await objects.operate(
        PutVersion(guards: guards), partitionKey: ObjectPartition.key(bucket.id),
        input: .init(
          key: key,
          row: VersionRow(timestamp: attempt.timestamp, uploadID: uploadID, object: object),
          stamp: bucket.stamp),
        above: attempt.above, companion: { bucket.companion })
    }
    return ObjectVersion(bucket: bucket.id, key: key, uploadID: uploadID, object: object)
  }

  /// An upload ID for a further attempt to write `object`, when the one before may be on some replica.
  ///
  /// - Throws: `mayExist` for an object of blocks, whose references belong to the attempt before.
  private func another(_ object: VersionRow.Object) throws -> UploadID {
    guard case .inline = object.content else {
      throw ModelError.mayExist(reason: "other writers of the same key came in between")
    }
    return UploadID(random: runtime.random)
  }
}
