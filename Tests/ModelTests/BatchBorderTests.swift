import Base
import LocalDB
import Model
import SimulatedWorld
import Tables
import Testing

/// Work that is done so much at a time: what lies beyond the first batch is done too.
///
/// Each has more than one batch of what it is about; a mutant ends each after the first (docs/testing.md).
@Suite struct BatchBorderTests {
  /// Entries of the release queue are read 64 at a time, in both of its steps.
  @Test func theWholeReleaseQueueIsWorkedOffInOnePass() throws {
    try ModelWorld(seed: 1, blockBytes: 512).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      // Twenty blocks each, which is too many for a row: they are listed in a manifest.
      for index in 0..<150 {
        try await node.put(bucket, "k\(index)", noise(20 * 512, UInt64(index)), pieceBytes: 5000)
      }
      for index in 0..<150 { _ = try await node.delete(bucket, "k\(index)") }
      #expect(try node.keys(of: "model_release").count == 150)
      try await node.runtime.sleep(for: .seconds(70))
      #expect(try await node.store.releaser.releaseDue() == 150)
      #expect(try node.liveReferences().isEmpty)
      #expect(try node.keys(of: "model_manifest_release").count == 150)
      try await node.runtime.sleep(for: .seconds(700))
      #expect(try await node.store.releaser.releaseDue() == 150)
      #expect(try node.keys(of: "model_manifest_release").isEmpty)
    }
  }

  /// Manifest rows are read eight at a time; a completed upload has one for each part.
  @Test func anObjectOfManyPartsLeavesNothing() throws {
    try ModelWorld(seed: 2, blockBytes: 512, adjust: { $0.partBytesMin = 1 }).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let key = try ObjectKey("k")
      let id = try await node.store.uploads.create(
        bucket: bucket, key: key, metadata: ObjectMetadata())
      var parts: [CompletedPart] = []
      for number in 1...30 {
        let part = try await node.putPart(bucket, "k", id, number, noise(600, UInt64(number)))
        parts.append(CompletedPart(number: number, etag: part.etag))
      }
      _ = try await node.store.uploads.complete(bucket: bucket, key: key, id: id, parts: parts)
      try await node.settle()
      #expect(try node.liveReferences().count == 60)
      _ = try await node.delete(bucket, "k")
      try await node.settle()
      #expect(try node.liveReferences().isEmpty)
      try await node.runtime.sleep(for: .seconds(700))
      try await node.store.releaser.releaseDue()
      #expect(try node.keys(of: "manifest").count == 30)
      let manifests = try node.keys(of: "manifest")
      var deleted = 0
      let database = node.replica.database
      try database.scan(database.tree("feed_tombstone")) { _, row in
        deleted +=
          manifests.contains { row.count > $0.count && row.suffix($0.count).elementsEqual($0) }
          ? 1 : 0
        return true
      }
      #expect(deleted == 30, "all of them are deleted")
    }
  }

  /// Uploads of a bucket that is gone are read 1,000 at a time.
  @Test func allUploadsOfADeletedBucketAreAborted() throws {
    try ModelWorld(seed: 3).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      for index in 0..<1005 {
        let key = "k\(index)"
        let id = try await node.store.uploads.create(
          bucket: bucket, key: ObjectKey(key), metadata: ObjectMetadata())
        // The last ones have something to release.
        if index >= 995 { try await node.putPart(bucket, key, id, 1, noise(3000, UInt64(index))) }
      }
      #expect(try await node.store.buckets.usage(bucket.id).unfinishedUploads == 1005)
      try await node.store.buckets.delete(bucket.id)
      try await node.settle()
      #expect(try await node.store.buckets.usage(bucket.id) == .zero)
      #expect(try node.liveReferences().isEmpty)
    }
  }

  /// Part rows are read 256 at a time.
  @Test func allPartsOfAnUploadAreListedAndCompleted() throws {
    try ModelWorld(seed: 4, adjust: { $0.partBytesMin = 1 }).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let key = try ObjectKey("k")
      let id = try await node.store.uploads.create(
        bucket: bucket, key: key, metadata: ObjectMetadata())
      var bytes: [UInt8] = []
      for number in 1...300 {
        try await node.putPart(bucket, "k", id, number, noise(100, UInt64(number)))
        bytes += noise(100, UInt64(number))
      }
      let page = try await node.store.uploads.parts(bucket: bucket, key: key, id: id)
      #expect(page.parts.map(\.number) == Array(1...300) && !page.isTruncated)
      let version = try await node.store.uploads.complete(
        bucket: bucket, key: key, id: id,
        parts: page.parts.map { CompletedPart(number: $0.number, etag: $0.etag) })
      #expect(try await node.read(version) == bytes)
      let copy = try await node.store.objects.copy(
        version, to: bucket, key: ObjectKey("copy"), metadata: version.metadata)
      _ = try await node.delete(bucket, "k")
      try await node.settle()
      try await node.runtime.sleep(for: .seconds(700))
      #expect(try await node.read(copy) == bytes, "a reference for each of its blocks")
    }
  }

  /// Sixty-four deletions of one request are under way at a time.
  @Test func allKeysOfARequestAreDeleted() throws {
    try ModelWorld(seed: 5).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let keys = try (0..<150).map { try ObjectKey("k\($0)") }
      for key in keys { try await node.put(bucket, key.string, [1]) }
      let results = await node.store.objects.delete(bucket: bucket, keys: keys)
      #expect(results.count == 150)
      #expect(try await node.store.objects.list(bucket: bucket, ListQuery()).objects.isEmpty)
    }
  }

  /// Rows of tables that every node has whole are read 1,000 at a time.
  @Test func allBucketsAndKeysAreListed() throws {
    try ModelWorld(seed: 6).run { node in
      for index in 0..<1005 {
        _ = try await node.store.buckets.create("bucket-\(index)")
        _ = try await node.store.accessKeys.create(name: "\(index)")
      }
      #expect(try await node.store.buckets.list().count == 1005)
      #expect(try await node.store.accessKeys.list().count == 1005)
    }
  }

  /// One call looks at 10,000 rows.
  ///
  /// Behind as many deleted ones there may be an object that a deletion of the bucket would take along.
  @Test func anObjectBehindManyDeletedOnesIsSeen() throws {
    try ModelWorld(seed: 7).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      try await node.put(bucket, "z", [1])
      let keys = try (0..<10_050).map { try ObjectKey("k\($0)") }
      _ = await node.store.objects.delete(bucket: bucket, keys: keys)
      let page = try await node.store.objects.list(bucket: bucket, ListQuery(limit: 1))
      #expect(page.objects.map(\.key.string) == ["z"])
      await #expect(throws: ModelError.bucketNotEmpty) {
        try await node.store.buckets.delete(bucket.id)
      }
    }
  }
}
