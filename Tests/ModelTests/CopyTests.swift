import Base
import Blocks
import Crypto
import Model
import SimulatedWorld
import Testing

@Suite struct CopyTests {
  private func world() -> ModelWorld {
    ModelWorld(seed: 1, blockBytes: 512) { $0.partBytesMin = 1000 }
  }

  /// In the row, a few blocks, and a manifest of several rows.
  private static let sizes = [3, 5000, 600_000]

  /// Each block keeps a reference, so its file is not deleted; files are a matter of Blocks' own tests.
  @Test(arguments: sizes)
  func aCopyHoldsAllBlocksOfItsSource(size: Int) throws {
    try world().run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let source = try await node.put(bucket, "k", noise(size))
      let copy = try await node.store.objects.copy(
        source, to: bucket, key: ObjectKey("copy"), metadata: source.metadata)
      #expect(copy.uploadID != source.uploadID)
      let held = try node.liveReferences()
      let own = held.filter { $0.starts(with: copy.uploadID.bytes) }
      #expect(own.count == (size > 3 ? (size + 511) / 512 : 0))
      #expect(held.count == 2 * own.count)
      _ = try await node.delete(bucket, "k")
      try await node.settle()
      #expect(try await node.get(bucket, "copy") == noise(size))
      #expect(try node.liveReferences() == own)
    }
  }

  @Test(arguments: [false, true])
  func aSourceThatIsGoneIsNotCopied(isReplaced: Bool) throws {
    try world().run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let source = try await node.put(bucket, "k", noise(600_000))
      if isReplaced {
        _ = try await node.put(bucket, "k", noise(4))
      } else {
        _ = try await node.delete(bucket, "k")
      }
      await #expect(throws: ModelError.sourceChanged) {
        _ = try await node.store.objects.copy(
          source, to: bucket, key: ObjectKey("copy"), metadata: source.metadata)
      }
      try await node.settle()
      #expect(try await node.get(bucket, "copy") == nil)
      #expect(try node.liveReferences().isEmpty)
    }
  }

  @Test func aRangeBecomesAPart() throws {
    try world().run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let bytes = noise(100_000)
      let source = try await node.put(bucket, "k", bytes)
      let inline = try await node.put(bucket, "inline", noise(40))
      let key = try ObjectKey("parts")
      let id = try await node.store.uploads.create(
        bucket: bucket, key: key, metadata: ObjectMetadata())
      let random = Seeded(seed: 5)
      var whole: [UInt8] = []
      var named: [CompletedPart] = []
      for number in 1...20 {
        let lower = random.below(bytes.count - 1500)
        let range = lower..<(lower + 1000 + random.below(bytes.count - lower - 1000))
        let piece = try await copyPart(node, bucket, key, id, number, source, range)
        whole += bytes[range]
        named.append(piece)
      }
      named.append(try await copyPart(node, bucket, key, id, 21, inline, 3..<40))
      whole += noise(40)[3...]
      let version = try await node.store.uploads.complete(
        bucket: bucket, key: key, id: id, parts: named)
      #expect(try await node.read(version) == whole)
      // Copies are rare: their memory is not kept for the next.
      let buffers = node.store.objects.parts.copyBuffers
      #expect(buffers.usedBytes == 0)
      #expect(buffers.idleBytes == 0)
    }
  }

  @Test(arguments: [(1, 128, 8), (1, 8, 2), (4, 128, 16), (16, 128, 32)])
  func memoryOfCopiesIsBounded(blockMiB: Int, buffersMiB: Int, expectedMiB: Int) {
    let bytes = StoreParts.copyBuffersBytes(
      blockBytes: blockMiB << 20, buffersBytes: buffersMiB << 20)
    #expect(bytes == expectedMiB << 20)
  }

  /// Bytes in a row may be more than the memory that a copy of blocks gathers in.
  @Test func aLargeInlineObjectBecomesAPart() throws {
    try ModelWorld(seed: 1, blockBytes: 512) { $0.inlineThresholdBytes = 3000 }.run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let source = try await node.put(bucket, "k", noise(3000))
      let key = try ObjectKey("parts")
      let id = try await node.store.uploads.create(
        bucket: bucket, key: key, metadata: ObjectMetadata())
      let part = try await copyPart(node, bucket, key, id, 1, source, 0..<3000)
      let version = try await node.store.uploads.complete(
        bucket: bucket, key: key, id: id, parts: [part])
      #expect(try await node.read(version) == noise(3000))
    }
  }

  private func copyPart(
    _ node: Node, _ bucket: Bucket, _ key: ObjectKey, _ id: UploadID, _ number: Int,
    _ source: ObjectVersion, _ range: Range<Int>
  ) async throws -> CompletedPart {
    let writer = try await node.store.uploads.partWriter(
      bucket: bucket, key: key, id: id, number: number)
    let md5 = Digest(.md5)
    try await writer.append(copying: source, UInt64(range.lowerBound)..<UInt64(range.upperBound)) {
      md5.update($0)
    }
    let etag = Hex.encode(md5.finish())
    _ = try await writer.commit(etag: etag, checksums: [])
    return CompletedPart(number: number, etag: etag)
  }
}
