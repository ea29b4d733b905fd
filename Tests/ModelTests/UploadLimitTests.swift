import Base
import Model
import SimulatedWorld
import Testing

/// A body that announces nothing ends where it becomes too large.
@Suite struct UploadLimitTests {
  private static let maxBytes: UInt64 = 3000

  private static func world() -> ModelWorld {
    ModelWorld(seed: 1, blockBytes: 512) { $0.uploadBytesMax = maxBytes }
  }

  @Test(arguments: [(3000, true), (3001, false), (1 << 20, false)])
  func anObjectEndsAtTheLimit(_ row: (bytes: Int, isTaken: Bool)) throws {
    try Self.world().run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let writer = node.store.objects.writer(bucket: bucket, key: try ObjectKey("k"))
      let body = Body(noise(row.bytes), pieceBytes: 100)
      let error = await Self.refusal {
        try await writer.append(from: { body.read(into: $0) }, observe: { _ in })
      }
      await writer.abandon()
      #expect((error == nil) == row.isTaken)
      if let error { Self.expectTooLarge(error, atMost: Self.maxBytes + 100) }
    }
  }

  @Test(arguments: [(3000, true), (3001, false), (1 << 20, false)])
  func aPartEndsAtTheLimit(_ row: (bytes: Int, isTaken: Bool)) throws {
    try Self.world().run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let key = try ObjectKey("k")
      let id = try await node.store.uploads.create(
        bucket: bucket, key: key, metadata: ObjectMetadata())
      let writer = try await node.store.uploads.partWriter(
        bucket: bucket, key: key, id: id, number: 1)
      let body = Body(noise(row.bytes), pieceBytes: 100)
      let error = await Self.refusal {
        try await writer.append(from: { body.read(into: $0) }, observe: { _ in })
      }
      await writer.abandon()
      #expect((error == nil) == row.isTaken)
      if let error { Self.expectTooLarge(error, atMost: Self.maxBytes + 100) }
    }
  }

  @Test func aRangeToCopyHasTheLimit() throws {
    try Self.world().run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let key = try ObjectKey("k")
      let source = node.store.objects.writer(bucket: bucket, key: key)
      let body = Body(noise(3000), pieceBytes: 100)
      try await source.append(from: { body.read(into: $0) }, observe: { _ in })
      let version = try await source.commit(ObjectMetadata(etag: "e"))
      let id = try await node.store.uploads.create(
        bucket: bucket, key: key, metadata: ObjectMetadata())
      let writer = try await node.store.uploads.partWriter(
        bucket: bucket, key: key, id: id, number: 1)
      let error = await Self.refusal {
        try await writer.append(copying: version, 0..<3001, observe: { _ in })
      }
      await writer.abandon()
      #expect(error == .entityTooLarge(sizeBytes: 3001, maxBytes: 3000))
    }
  }

  /// What an object of the largest parts has still fits a row.
  @Test func theLargestObjectIsThatOfTheLargestParts() {
    #expect(MultipartUploads.objectBytesMax == 53_687_091_200_000)
  }

  private static func refusal(_ body: () async throws -> Void) async -> ModelError? {
    do {
      try await body()
      return nil
    } catch {
      return error as? ModelError
    }
  }

  private static func expectTooLarge(_ error: ModelError, atMost bytes: UInt64) {
    guard case .entityTooLarge(let size, let max) = error else {
      Issue.record("\(error)")
      return
    }
    #expect(max == maxBytes)
    #expect(size > max && size <= bytes)
  }
}
