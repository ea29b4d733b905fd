import Base
import Blocks
import Glibc
import LocalDB
import Model
import SimulatedWorld
import Synchronization
import Tables
import TestStorage
import Testing

@Suite struct ObjectsTests {
  @Test func aReleaseThatFailsDoesNotHoldUpTheOthers() throws {
    try ModelWorld(seed: 61, blockBytes: 512).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let damaged = try await node.put(bucket, "a", noise(20_000, 1))
      try await node.put(bucket, "b", noise(2000, 2))
      let database = node.replica.database
      let manifests = try database.tree("manifest")
      var rows: [([UInt8], [UInt8])] = []
      try database.scan(manifests) { key, value in
        rows.append((Array(key), Array(value)))
        return true
      }
      let whole = rows
      // A row that the schema cannot read is no error of the table: whatever fails, the others get their turn.
      try await database.write { transaction in
        for (key, value) in whole { try transaction.put(manifests, key, value.dropLast()) }
      }
      try await node.put(bucket, "a", [1])
      try await node.runtime.sleep(for: .seconds(1))
      try await node.put(bucket, "b", [1])
      try await node.settle()
      let left = try node.liveReferences()
      #expect(!left.isEmpty)
      #expect(left.allSatisfy { $0.starts(with: damaged.uploadID.bytes) })
      try await database.write { transaction in
        for (key, value) in whole { try transaction.put(manifests, key, value) }
      }
      try await node.settle()
      #expect(try node.liveReferences().isEmpty)
    }
  }

  /// `append` returns while the last blocks are under way, so it is the commit that fails.
  @Test func aWriteWhoseLastBlocksFailLeavesNothing() throws {
    let world = ModelWorld(seed: 60)
    let data = world.folder.path + "/data"
    let away = data + "-away"
    try world.run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let id = try await node.store.uploads.create(
        bucket: bucket, key: ObjectKey("u"), metadata: ObjectMetadata())
      let writer = node.store.objects.writer(bucket: bucket, key: try ObjectKey("k"))
      let part = try await node.store.uploads.partWriter(
        bucket: bucket, key: ObjectKey("u"), id: id, number: 1)
      let body = Body(noise(5000), pieceBytes: 5000)
      let partBody = Body(noise(5000), pieceBytes: 5000)
      try await writer.append(from: { body.read(into: $0) }, observe: { _ in rename(data, away) })
      try await part.append(from: { partBody.read(into: $0) }, observe: { _ in })
      await #expect(throws: (any Error).self) { _ = try await writer.commit(ObjectMetadata()) }
      await #expect(throws: (any Error).self) {
        _ = try await part.commit(etag: Node.etag(noise(5000)), checksums: [])
      }
      rename(away, data)
      #expect(try node.keys(of: "model_open").isEmpty)
      try await node.settle()
      #expect(try node.liveReferences().isEmpty)
    }
  }

  /// Sizes around every border: nothing, the inline threshold (64), a block (4096), the blocks of a row (16).
  static let sizes = [
    0, 1, 63, 64, 65, 4095, 4096, 4097, 8192, 16 * 4096, 16 * 4096 + 1, 17 * 4096, 100_000,
  ]

  @Test(arguments: sizes)
  func whatIsWrittenIsRead(_ size: Int) throws {
    let bytes = noise(size)
    try ModelWorld(seed: 1).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let version = try await node.put(bucket, "k", bytes, pieceBytes: 777)
      #expect(version.sizeBytes == UInt64(size))
      #expect(try await node.get(bucket, "k") == bytes)
      let head = try #require(
        await node.store.objects.head(bucket: bucket, key: ObjectKey("k")))
      #expect(head.metadata.etag == "e\(size)")
      #expect(head.uploadID == version.uploadID)
      #expect(head.partCount == 0)
    }
  }

  @Test func rangesOfEveryKindOfContent() throws {
    for size in [50, 3 * 4096 + 5, 20 * 4096 + 5] {
      let bytes = noise(size)
      let random = Seeded(seed: 3)
      try ModelWorld(seed: 2).run { node in
        let bucket = try await node.store.buckets.create("bucket")
        let version = try await node.put(bucket, "k", bytes)
        for _ in 0..<60 {
          let lower = random.below(size + 1)
          let upper = lower + random.below(size + 1 - lower)
          #expect(try await node.read(version, lower..<upper) == Array(bytes[lower..<upper]))
        }
        await #expect(throws: ModelError.invalidRange) {
          _ = try await node.read(version, 0..<(size + 1))
        }
      }
    }
  }

  @Test func aManifestOfMoreThanOneRow() throws {
    // 1,000 blocks a row.
    let bytes = noise(2100 * 256 + 17)
    try ModelWorld(seed: 2, blockBytes: 256).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let version = try await node.put(bucket, "k", bytes, pieceBytes: 5000)
      #expect(version.content == .manifest)
      #expect(try await node.read(version) == bytes)
      #expect(try await node.read(version, 255_990..<256_010) == Array(bytes[255_990..<256_010]))
      #expect(try await node.read(version, 537_000..<537_617) == Array(bytes[537_000...]))
      _ = try await node.delete(bucket, "k")
      try await node.settle()
      #expect(try node.liveReferences().isEmpty)
      #expect(try node.keys(of: "model_release").isEmpty)
      #expect(try node.keys(of: "model_manifest_release").count == 1)
      try await node.runtime.sleep(for: .seconds(700))
      try await node.store.releaser.releaseDue()
      #expect(try node.keys(of: "model_manifest_release").isEmpty)
      #expect(try node.keys(of: "manifest").count == 3, "tombstones")
    }
  }

  @Test func theObserverSeesEveryByteInOrder() throws {
    for seed in UInt64(1)...8 {
      let world = ModelWorld(seed: seed)
      world.runtime.blockingDelay = .zero ... .milliseconds(30)
      let bytes = noise(11 * 4096 + 100, seed)
      try world.run { node in
        let bucket = try await node.store.buckets.create("bucket")
        let writer = node.store.objects.writer(bucket: bucket, key: try ObjectKey("k"))
        let body = Body(bytes, pieceBytes: 1500)
        let seen = Mutex<[UInt8]>([])
        try await writer.append(from: { body.read(into: $0) }) { piece in
          seen.withLock { $0 += piece }
        }
        #expect(seen.withLock { $0 } == bytes, "seed \(seed)")
        _ = try await writer.commit(ObjectMetadata())
        #expect(try await node.get(bucket, "k") == bytes, "seed \(seed)")
      }
    }
  }

  @Test func fewBlocksAreInMemoryAtATime() throws {
    let world = ModelWorld(seed: 4)
    world.runtime.blockingDelay = .milliseconds(5) ... .milliseconds(50)
    try world.run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let writer = node.store.objects.writer(bucket: bucket, key: try ObjectKey("k"))
      let body = Body(noise(40 * 4096), pieceBytes: 4096)
      var most = 0
      try await writer.append(
        from: { buffer in
          most = max(most, node.blocks.buffers.usedBytes / 4096)
          return body.read(into: buffer)
        }, observe: { _ in })
      #expect(most >= 2, "the next block arrives while another is written")
      #expect(most <= 1 + BlockPipeline.inFlightMax)
      await writer.abandon()
      #expect(node.blocks.buffers.usedBytes == 0)
    }
  }

  @Test func manyUploadsTogetherTakeLessMemoryEach() throws {
    let world = ModelWorld(seed: 4)
    world.runtime.blockingDelay = .milliseconds(5) ... .milliseconds(50)
    let most = Mutex(0)
    try world.run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let uploads = (0..<20).map { number in
        world.runtime.spawn {
          guard let key = try? ObjectKey("k\(number)") else { return }
          let writer = node.store.objects.writer(bucket: bucket, key: key)
          let body = Body(noise(20 * 4096, UInt64(number)), pieceBytes: 4096)
          try? await writer.append(
            from: { buffer in
              let used = node.blocks.buffers.usedBytes / 4096
              most.withLock { $0 = max($0, used) }
              return body.read(into: buffer)
            }, observe: { _ in })
          await writer.abandon()
        }
      }
      for upload in uploads { await upload.value }
    }
    // Of the 64 that there are. Ten have a third block before half of them are in use.
    #expect((40...50).contains(most.withLock(\.self)))
  }

  @Test func deletingSaysWhetherThereWasSomething() throws {
    try ModelWorld(seed: 5).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      #expect(try await node.delete(bucket, "k") == .wasAbsent)
      try await node.put(bucket, "k", [1])
      #expect(try await node.delete(bucket, "k") == .deleted)
      #expect(try await node.delete(bucket, "k") == .wasAbsent)
      #expect(try await node.get(bucket, "k") == nil)
      for index in 0..<100 { try await node.put(bucket, "m\(index)", [1]) }
      let keys = try (0..<150).map { try ObjectKey("m\($0)") }
      let results = await node.store.objects.delete(bucket: bucket, keys: keys)
      #expect(try results.map { try $0.get() == .deleted } == (0..<150).map { $0 < 100 })
      #expect(try await node.store.buckets.usage(bucket.id) == .zero)
    }
  }

  @Test func anOverwriteReleasesTheBlocksOnceQuiet() throws {
    try ModelWorld(seed: 6).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let first = try await node.put(bucket, "k", noise(10_000, 1))
      #expect(try node.liveReferences().count == 3)
      try await node.put(bucket, "k", noise(20_000, 2))
      #expect(try await node.store.releaser.releaseDue() == 0, "not before the delay")
      #expect(try node.liveReferences().count == 8)
      try await node.settle()
      let left = try node.liveReferences()
      #expect(left.count == 5)
      #expect(!left.contains { $0.starts(with: first.uploadID.bytes) })
      #expect(try await node.get(bucket, "k") == noise(20_000, 2))
      #expect(try node.keys(of: "model_release").isEmpty)
    }
  }

  @Test func anAbandonedWriteLeavesNothing() throws {
    struct Broken: Error {}
    try ModelWorld(seed: 7).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      try await node.put(bucket, "k", [1, 2, 3])
      let writer = node.store.objects.writer(bucket: bucket, key: try ObjectKey("k"))
      let body = Body(noise(90_000), pieceBytes: 4000)
      await #expect(throws: Broken.self) {
        var count = 0
        try await writer.append(
          from: { buffer in
            count += 1
            if count > 14 { throw Broken() }
            return body.read(into: buffer)
          }, observe: { _ in })
      }
      await writer.abandon()
      #expect(try node.liveReferences().count > 2)
      try await node.settle()
      #expect(try node.liveReferences().isEmpty)
      #expect(try node.keys(of: "model_open").isEmpty)
      #expect(try await node.get(bucket, "k") == [1, 2, 3])
    }
  }

  @Test func aWriteWithoutABucketIsRefusedAndUndone() throws {
    try ModelWorld(seed: 8).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let writer = node.store.objects.writer(bucket: bucket, key: try ObjectKey("k"))
      let body = Body(noise(9000), pieceBytes: 4000)
      try await writer.append(from: { body.read(into: $0) }, observe: { _ in })
      try await node.store.buckets.delete(bucket.id)
      await #expect(throws: ModelError.noSuchBucket) {
        _ = try await writer.commit(ObjectMetadata())
      }
      await #expect(throws: ModelError.noSuchBucket) { try await node.put(bucket, "k", [1]) }
      try await node.settle()
      #expect(try node.liveReferences().isEmpty)
    }
  }

  /// An overtaken write that was tried again above: its row is back, so its blocks stay.
  @Test func aRowThatIsHeldIsNotReleased() throws {
    try ModelWorld(seed: 9).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let version = try await node.put(bucket, "k", noise(9000))
      let parts = node.store.objects.parts
      let entry = ReleaseEntry(
        kind: .superseded(version.content),
        owner: RowKey(
          partitionKey: ObjectPartition.key(bucket.id),
          sortKey: ObjectSortKey.version(version.key, .null).bytes),
        uploadID: version.uploadID)
      let key = parts.journal.releaseKey(version.uploadID)
      try await node.replica.database.write {
        try $0.put(parts.journal.releases, key, entry.encoded)
      }
      try await node.settle()
      #expect(try node.keys(of: "model_release").isEmpty)
      #expect(try node.liveReferences().count == 3)
      #expect(try await node.get(bucket, "k") == noise(9000))
    }
  }
}
