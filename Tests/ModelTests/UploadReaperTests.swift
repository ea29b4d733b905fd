import Base
import LocalDB
import Model
import SimulatedWorld
import Tables
import Testing

@Suite struct UploadReaperTests {
  @Test func aWriteThatEndedWithItsProcessIsReapedAfterADay() throws {
    let world = ModelWorld(seed: 1)
    let bucketID = try world.run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let writer = node.store.objects.writer(bucket: bucket, key: try ObjectKey("k"))
      let body = Body(noise(50_000), pieceBytes: 4096)
      try await writer.append(from: { body.read(into: $0) }, observe: { _ in })
      return bucket.id
    }
    try world.run { node in
      #expect(try node.liveReferences().count > 8)
      node.store.start()
      try await node.runtime.sleep(for: .seconds(86_000))
      #expect(try node.liveReferences().count > 8, "not before a day has passed")
      try await node.runtime.sleep(for: .seconds(6_000))
      await node.store.stop()
      #expect(try node.liveReferences().isEmpty)
      #expect(try node.keys(of: "model_open").isEmpty)
      let bucket = try #require(await node.store.buckets.get(bucketID))
      #expect(try await node.get(bucket, "k") == nil)
    }
  }

  /// The reaper looks at 256 uploads at a time.
  @Test func allDeadWritesAreReapedHoweverManyThereAre() throws {
    try ModelWorld(seed: 6).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      for index in 0..<600 {
        let writer = node.store.objects.writer(bucket: bucket, key: try ObjectKey("k\(index)"))
        let body = Body(noise(100, UInt64(index)), pieceBytes: 100)
        try await writer.append(from: { body.read(into: $0) }, observe: { _ in })
      }
      let dead = try node.keys(of: "model_open")
      #expect(dead.count == 600)
      try await node.runtime.sleep(for: .seconds(90_000))
      // These are alive, and lie between the others.
      for index in 0..<20 {
        let writer = node.store.objects.writer(
          bucket: bucket, key: try ObjectKey("k\(index * 30)a"))
        let body = Body(noise(100, UInt64(index)), pieceBytes: 100)
        try await writer.append(from: { body.read(into: $0) }, observe: { _ in })
      }
      #expect(try await node.store.reaper.reap() == 600)
      let left = try node.keys(of: "model_open")
      #expect(left.count == 20 && left.isDisjoint(with: dead))
      try await node.settle()
      #expect(try node.liveReferences().count == 20)
    }
  }

  @Test func aSlowWriteIsRenewedWhileBytesFlow() throws {
    try ModelWorld(seed: 2).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let writer = node.store.objects.writer(bucket: bucket, key: try ObjectKey("k"))
      let bytes = noise(60 * 4096)
      let body = Body(bytes, pieceBytes: 4096)
      node.store.start()
      // Two and a half days.
      try await writer.append(
        from: { buffer in
          try await node.runtime.sleep(for: .seconds(3600))
          return body.read(into: buffer)
        }, observe: { _ in })
      _ = try await writer.commit(ObjectMetadata())
      await node.store.stop()
      #expect(try await node.get(bucket, "k") == bytes)
    }
  }

  /// Nothing is left of it that would refuse it: no row, no tombstone.
  @Test(arguments: [true, false])
  func aWriteThatWasSilentForLongerThanTheReaperWaitsIsOver(silentAtTheEnd: Bool) throws {
    try ModelWorld(seed: 5).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let writer = node.store.objects.writer(bucket: bucket, key: try ObjectKey("k"))
      let bytes = noise(20 * 4096)
      let body = Body(bytes, pieceBytes: 4096)
      node.store.start()
      var sentBytes = 0
      let silentAt = silentAtTheEnd ? bytes.count : bytes.count / 2
      await #expect(throws: ModelError.writeRefused) {
        try await writer.append(
          from: { buffer in
            if sentBytes == silentAt {
              try await node.runtime.sleep(for: .seconds(100_000))
              for partition in 0...Partition.everywhere {
                _ = try await node.replica.collectTombstones(of: partition, upTo: .max)
              }
            }
            let count = body.read(into: buffer)
            sentBytes += count
            return count
          }, observe: { _ in })
        _ = try await writer.commit(ObjectMetadata())
      }
      await writer.abandon()
      await node.store.stop()
      #expect(try await node.get(bucket, "k") == nil)
    }
  }

  @Test func aMultipartUploadStays() throws {
    try ModelWorld(seed: 3).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let key = try ObjectKey("k")
      let id = try await node.store.uploads.create(
        bucket: bucket, key: key, metadata: ObjectMetadata())
      let part = try await node.putPart(bucket, "k", id, 1, noise(9000))
      node.store.start()
      try await node.runtime.sleep(for: .seconds(10 * 86_400))
      _ = try await node.store.uploads.complete(
        bucket: bucket, key: key, id: id,
        parts: [CompletedPart(number: 1, etag: part.etag)])
      try await node.runtime.sleep(for: .seconds(10 * 86_400))
      await node.store.stop()
      #expect(try await node.get(bucket, "k") == noise(9000))
    }
  }

  /// The reaper was too early, or the writer's clock stood still: the write is refused, not half done.
  @Test func aReapedWriteCannotBeCommitted() throws {
    try ModelWorld(seed: 4).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let writer = node.store.objects.writer(bucket: bucket, key: try ObjectKey("k"))
      let body = Body(noise(9000), pieceBytes: 4096)
      try await writer.append(from: { body.read(into: $0) }, observe: { _ in })
      try await node.runtime.sleep(for: .seconds(90_000))
      #expect(try await node.store.reaper.reap() == 1)
      await #expect(throws: ModelError.writeRefused) {
        _ = try await writer.commit(ObjectMetadata())
      }
      try await node.settle()
      #expect(try node.liveReferences().isEmpty)
      #expect(try await node.get(bucket, "k") == nil)
    }
  }

  /// A replica that knows the upload as undone does not store its row, whatever its writer knows.
  @Test func theRowOfARefusedUploadIsNotStored() throws {
    try ModelWorld(seed: 6).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let writer = node.store.objects.writer(bucket: bucket, key: try ObjectKey("k"))
      let body = Body(noise(9000), pieceBytes: 4096)
      try await writer.append(from: { body.read(into: $0) }, observe: { _ in })
      let database = node.replica.database
      let partitionKey = ObjectPartition.key(bucket.id)
      var refused: [EncodedRow] = []
      try database.scan(database.tree("object")) { key, value in
        guard case .upload(let row) = try ObjectRow(StoredRow(value).row),
          let key = RowKey(diskKey: key, partitionKeyBytes: partitionKey.count)
        else { return true }
        let undone = UploadRow(
          timestamp: row.timestamp.next, state: .refused, purpose: row.purpose, begun: row.begun)
        refused.append(EncodedRow(key: key, bytes: ObjectRow.upload(undone).encoded))
        return true
      }
      #expect(refused.count == 1)
      let response = try await node.replica.perform(
        ReplicaRequest(
          table: "object", partition: UInt16(Partition.of(partitionKey)), layout: LayoutStamp(1),
          body: .merge(refused, .feed)), deadline: .distantFuture)
      #expect(response.body == .answer(.accepted))
      await #expect(throws: ModelError.writeRefused) {
        _ = try await writer.commit(ObjectMetadata())
      }
      #expect(try await node.get(bucket, "k") == nil)
    }
  }
}
