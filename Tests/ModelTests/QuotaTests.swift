import Base
import Model
import SimulatedCluster
import SimulatedWorld
import Testing

@Suite struct QuotaTests {
  /// A bucket with a quota, in a world of its own.
  private static func run(
    _ quota: BucketQuota, _ body: @escaping @Sendable (Node, Bucket) async throws -> Void
  ) throws {
    try ModelWorld(seed: 1, adjust: { $0.partBytesMin = 1 }).run { node in
      let id = try await node.store.buckets.create("bucket", owner: "KEY").id
      try await body(node, node.store.buckets.setQuota(quota, of: id))
    }
  }

  private static func bytes(max: UInt64, used: UInt64) -> ModelError {
    .quotaExceeded(QuotaExcess(limit: .bytes, max: max, used: used))
  }

  private static func objects(max: UInt64, used: UInt64) -> ModelError {
    .quotaExceeded(QuotaExcess(limit: .objects, max: max, used: used))
  }

  @Test func isKeptWithTheBucket() throws {
    let quota = BucketQuota(bytesMax: 5, objectsMax: 0)
    try Self.run(quota) { node, bucket in
      #expect(bucket.quota == quota)
      #expect(try await node.store.buckets.get(bucket.id)?.quota == quota)
      let lifted = try await node.store.buckets.setQuota(.none, of: bucket.id)
      try await node.put(lifted, "k", noise(100))
    }
  }

  @Test(arguments: [50, 20_000])
  func aWriteOverItIsRefusedAndLeavesNothing(size: Int) throws {
    try Self.run(BucketQuota(bytesMax: UInt64(size + 10))) { node, bucket in
      try await node.put(bucket, "a", noise(size))
      let held = try node.liveReferences()
      await #expect(throws: Self.bytes(max: UInt64(size + 10), used: UInt64(size))) {
        try await node.put(bucket, "b", noise(size, 2))
      }
      #expect(try await node.get(bucket, "b") == nil)
      // An overwrite counts by its difference.
      try await node.put(bucket, "a", noise(size + 10, 3))
      await #expect(throws: ModelError.self) {
        try await node.put(bucket, "a", noise(size + 11, 4))
      }
      #expect(try await node.get(bucket, "a") == noise(size + 10, 3))
      _ = try await node.delete(bucket, "a")
      try await node.put(bucket, "b", noise(size + 10, 5))
      _ = try await node.delete(bucket, "b")
      try await node.settle()
      #expect(try held.isDisjoint(with: node.liveReferences()))
      #expect(try node.liveReferences().isEmpty)
      #expect(try await node.store.buckets.usage(bucket.id) == .zero)
    }
  }

  @Test func objectsAreCounted() throws {
    try Self.run(BucketQuota(objectsMax: 2)) { node, bucket in
      try await node.put(bucket, "a", [1])
      try await node.put(bucket, "b", [])
      await #expect(throws: Self.objects(max: 2, used: 2)) { try await node.put(bucket, "c", []) }
      try await node.put(bucket, "a", noise(5000))
      _ = try await node.delete(bucket, "b")
      try await node.put(bucket, "c", [1])
    }
  }

  /// The replica decides in its transaction: nobody slips through between looking and writing.
  @Test func writesAtOnceDoNotExceedIt() throws {
    try Self.run(BucketQuota(objectsMax: 3)) { node, bucket in
      let outcomes = try await withThrowingTaskGroup(of: Bool.self) { group in
        for number in 0..<12 {
          group.addTask {
            do {
              try await node.put(bucket, "k\(number)", noise(5000, UInt64(number)))
              return true
            } catch ModelError.quotaExceeded {
              return false
            }
          }
        }
        return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
      }
      #expect(outcomes == 3)
      #expect(try await node.store.buckets.usage(bucket.id).objects == 3)
    }
  }

  /// Whoever finds the bucket beyond a quota that was set later can still tidy it up.
  @Test func whatMakesTheBucketNoLargerIsTaken() throws {
    try Self.run(.none) { node, bucket in
      try await node.put(bucket, "a", noise(5000))
      try await node.put(bucket, "b", noise(5000))
      let bucket = try await node.store.buckets.setQuota(
        BucketQuota(bytesMax: 100, objectsMax: 1), of: bucket.id)
      try await node.put(bucket, "a", noise(5000, 2))
      try await node.put(bucket, "a", noise(4000, 3))
      await #expect(throws: Self.bytes(max: 100, used: 9000)) {
        try await node.put(bucket, "a", noise(4001))
      }
      _ = try await node.delete(bucket, "a")
      await #expect(throws: Self.objects(max: 1, used: 1)) { try await node.put(bucket, "c", []) }
    }
  }

  @Test func whatIsAnnouncedIsRefusedUnread() throws {
    try Self.run(BucketQuota(bytesMax: 10_000)) { node, bucket in
      let key = try ObjectKey("k")
      let upload = try await node.store.uploads.create(
        bucket: bucket, key: key, metadata: ObjectMetadata())
      let unread: (UnsafeMutableRawBufferPointer) async throws -> Int = { _ in
        Issue.record("the body was read")
        return 0
      }
      await #expect(throws: Self.bytes(max: 10_000, used: 0)) {
        try await node.store.objects.writer(bucket: bucket, key: key)
          .append(announced: 10_001, from: unread, observe: { _ in })
      }
      await #expect(throws: Self.bytes(max: 10_000, used: 0)) {
        try await node.store.uploads.partWriter(bucket: bucket, key: key, id: upload, number: 1)
          .append(announced: 10_001, from: unread, observe: { _ in })
      }
    }
  }

  @Test func whatIsNotAnnouncedIsCutOff() throws {
    try Self.run(BucketQuota(bytesMax: 10_000)) { node, bucket in
      let writer = node.store.objects.writer(bucket: bucket, key: try ObjectKey("k"))
      let body = Body(noise(1_000_000), pieceBytes: 1000)
      await #expect(throws: Self.bytes(max: 10_000, used: 0)) {
        try await writer.append(from: { body.read(into: $0) }, observe: { _ in })
      }
      #expect(body.remaining > 980_000)
      await writer.abandon()
      try await node.settle()
      #expect(try node.liveReferences().isEmpty)
    }
  }

  @Test func partsCountUntilTheUploadEnds() throws {
    try Self.run(BucketQuota(bytesMax: 10_000)) { node, bucket in
      let (buckets, uploads) = (node.store.buckets, node.store.uploads)
      let key = try ObjectKey("k")
      let first = try await uploads.create(bucket: bucket, key: key, metadata: ObjectMetadata())
      try await node.putPart(bucket, "k", first, 1, noise(6000))
      try await node.putPart(bucket, "k", first, 1, noise(5000, 2))
      #expect(
        try await buckets.usage(bucket.id)
          == BucketUsage(unfinishedUploads: 1, unfinishedBytes: 5000))
      await #expect(throws: Self.bytes(max: 10_000, used: 5000)) {
        try await node.putPart(bucket, "k", first, 2, noise(5001))
      }
      await #expect(throws: Self.bytes(max: 10_000, used: 5000)) {
        try await node.put(bucket, "other", noise(5001))
      }
      try await uploads.abort(bucket: bucket, key: key, id: first)
      #expect(try await buckets.usage(bucket.id) == .zero)

      let second = try await uploads.create(bucket: bucket, key: key, metadata: ObjectMetadata())
      let kept = try await node.putPart(bucket, "k", second, 1, noise(6000, 3))
      try await node.putPart(bucket, "k", second, 2, noise(4000, 4))
      // Half of the bucket is the object's at once, though the parts are dropped a minute later.
      _ = try await uploads.complete(
        bucket: bucket, key: key, id: second, parts: [CompletedPart(number: 1, etag: kept.etag)])
      #expect(try await buckets.usage(bucket.id) == BucketUsage(objects: 1, bytes: 6000))
      try await node.put(bucket, "other", noise(4000))
      try await node.settle()
      #expect(try await buckets.usage(bucket.id) == BucketUsage(objects: 2, bytes: 10_000))
      #expect(try node.keys(of: "model_upload_bytes").isEmpty)
    }
  }

  @Test func aCompletionCountsAsAnObject() throws {
    try Self.run(BucketQuota(objectsMax: 0)) { node, bucket in
      let key = try ObjectKey("k")
      let id = try await node.store.uploads.create(
        bucket: bucket, key: key, metadata: ObjectMetadata())
      await #expect(throws: Never.self) {
        let bucket = try await node.store.buckets.setQuota(.none, of: bucket.id)
        try await node.putPart(bucket, "k", id, 1, noise(5000))
        _ = try await node.store.buckets.setQuota(BucketQuota(objectsMax: 0), of: bucket.id)
      }
      await #expect(throws: Self.objects(max: 0, used: 0)) {
        _ = try await node.store.uploads.complete(
          bucket: bucket, key: key, id: id,
          parts: [CompletedPart(number: 1, etag: Node.etag(noise(5000)))])
      }
      // The upload is still there, for a day with more room.
      _ = try await node.store.buckets.setQuota(.none, of: bucket.id)
      _ = try await node.store.uploads.complete(
        bucket: bucket, key: key, id: id,
        parts: [CompletedPart(number: 1, etag: Node.etag(noise(5000)))])
    }
  }

  @Test func copiesCount() throws {
    try Self.run(BucketQuota(bytesMax: 12_000)) { node, bucket in
      let source = try await node.put(bucket, "a", noise(8000))
      let held = try node.liveReferences()
      await #expect(throws: Self.bytes(max: 12_000, used: 8000)) {
        _ = try await node.store.objects.copy(
          source, to: bucket, key: ObjectKey("b"), metadata: ObjectMetadata())
      }
      let id = try await node.store.uploads.create(
        bucket: bucket, key: ObjectKey("c"), metadata: ObjectMetadata())
      let part = try await node.store.uploads.partWriter(
        bucket: bucket, key: ObjectKey("c"), id: id, number: 1)
      await #expect(throws: Self.bytes(max: 12_000, used: 8000)) {
        try await part.append(copying: source, 0..<5000, observe: { _ in })
      }
      await part.abandon()
      try await node.settle()
      #expect(try node.liveReferences() == held)
    }
  }

  /// The coordinator knows the bucket from before it had a quota, so only the replicas can refuse.
  @Test(arguments: [UInt64(1), 2, 3])
  func theReplicasOfAClusterKeepIt(seed: UInt64) throws {
    let cluster = try StoreCluster(seed: seed)
    try cluster.runtime.run {
      let buckets = cluster.nodes[0].store.buckets
      let unlimited = try await buckets.create("bucket", owner: "KEY")
      _ = try await buckets.setQuota(BucketQuota(objectsMax: 1), of: unlimited.id)
      try await cluster.nodes[0].put(unlimited, "a", noise(5000))
      // Every replica has the quota and the object by then.
      try await cluster.runtime.sleep(for: .seconds(1))
      let held = try cluster.nodes.map { try $0.liveReferences() }
      for (size, node) in zip([10, 5000, 9000], cluster.nodes) {
        await #expect(throws: Self.objects(max: 1, used: 1)) {
          try await node.put(unlimited, "b", noise(size, 2))
        }
      }
      for (node, held) in zip(cluster.nodes, held) {
        try await node.settle()
        #expect(try await node.get(unlimited, "b") == nil)
        #expect(try node.liveReferences() == held)
      }
    }
  }
}
