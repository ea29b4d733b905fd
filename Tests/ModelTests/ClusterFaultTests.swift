import Base
import Model
import SimulatedCluster
import SimulatedWorld
import Synchronization
import Tables
import Testing

/// The store over three replicas of which one fails.
@Suite struct ClusterFaultTests {
  /// Creates a bucket that every replica knows.
  private static func bucket(_ cluster: StoreCluster) async throws -> Bucket {
    let bucket = try await cluster.nodes[0].store.buckets.create("bucket")
    try await cluster.runtime.sleep(for: .seconds(1))
    return bucket
  }

  @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6, 7, 8])
  func everyNodeReadsWhatAnyNodeWrote(seed: UInt64) throws {
    // Clocks that are minutes apart: the later write wins all the same.
    let cluster = try StoreCluster(seed: seed, skews: [0, -200_000, 300_000])
    try cluster.runtime.run {
      let bucket = try await Self.bucket(cluster)
      let random = Seeded(seed: seed)
      var reference: [String: [UInt8]] = [:]
      for step in 0..<120 {
        if step % 10 == 0 { cluster.cut(random.below(4) == 0 ? nil : random.below(3)) }
        let node = cluster.nodes[random.below(3)]
        let key = random.element(["a", "b", "c/d"])
        switch random.below(4) {
        case 0...1:
          let bytes = noise(random.below(60), random.next())
          try await node.put(bucket, key, bytes)
          reference[key] = bytes
        case 2:
          _ = try await node.delete(bucket, key)
          reference[key] = nil
        default:
          #expect(
            try await node.get(bucket, key) == reference[key], "seed \(seed), step \(step)")
          let page = try await node.store.objects.list(bucket: bucket, ListQuery())
          #expect(
            page.objects.map(\.key.string) == reference.keys.sorted(),
            "seed \(seed), step \(step)")
        }
      }
    }
  }

  @Test func aWriterWithAClockBehindIsToldAndWins() throws {
    let cluster = try StoreCluster(seed: 3, skews: [0, 0, -500_000])
    try cluster.runtime.run {
      let bucket = try await Self.bucket(cluster)
      try await cluster.nodes[0].put(bucket, "k", [1])
      let late = try await cluster.nodes[2].put(bucket, "k", [2])
      for node in cluster.nodes { #expect(try await node.get(bucket, "k") == [2]) }
      // Last-Modified is the writer's wall time, not the order of writes.
      #expect(late.lastModified < cluster.nodes[0].runtime.wallNow)
      #expect(try await cluster.nodes[2].delete(bucket, "k") == .deleted)
      for node in cluster.nodes { #expect(try await node.get(bucket, "k") == nil) }
    }
  }

  @Test func aNodeWithAClockFarAheadIsRefused() throws {
    let cluster = try StoreCluster(seed: 4, skews: [0, 0, 3_600_000])
    try cluster.runtime.run {
      let bucket = try await Self.bucket(cluster)
      // Its own replica took it: nobody may be told that it was not done.
      await #expect(throws: ModelError.mayExist(reason: "clockTooFar")) {
        try await cluster.nodes[2].put(bucket, "k", [1])
      }
      // Its own replica took it, and a read may have spread it since: a later write goes above.
      for _ in 0..<10 { _ = try await cluster.nodes[1].get(bucket, "k") }
      try await cluster.nodes[0].put(bucket, "k", [2])
      for node in cluster.nodes { #expect(try await node.get(bucket, "k") == [2]) }
    }
  }

  @Test func withoutAQuorumNothingIsAcknowledged() throws {
    let cluster = try StoreCluster(seed: 5)
    try cluster.runtime.run {
      let bucket = try await Self.bucket(cluster)
      for link in cluster.links.dropFirst() { link.isCut.store(true, ordering: .relaxed) }
      do {
        try await cluster.nodes[0].put(bucket, "k", [1])
        Issue.record("a write was acknowledged by one of three")
      } catch ModelError.quorumUnavailable {
      }
    }
  }

  /// A replica that holds the row of an upload to be undone: the upload is finished instead.
  @Test(arguments: [UInt64(1), 2, 3, 4])
  func anUploadThatOneReplicaHoldsIsWrittenForward(seed: UInt64) throws {
    let cluster = try StoreCluster(seed: seed)
    try cluster.runtime.run {
      let bucket = try await Self.bucket(cluster)
      let node = cluster.nodes[0]
      let key = try ObjectKey("k")
      let writer = node.store.objects.writer(bucket: bucket, key: key)
      let body = Body(noise(9000), pieceBytes: 4096)
      try await writer.append(from: { body.read(into: $0) }, observe: { _ in })
      // Only the own replica gets the entry.
      for link in cluster.links.dropFirst() { link.isCut.store(true, ordering: .relaxed) }
      await #expect(throws: ModelError.self) { _ = try await writer.commit(ObjectMetadata()) }
      await writer.abandon()
      cluster.cut(nil)
      try await cluster.runtime.sleep(for: .seconds(90_000))
      _ = try await cluster.nodes[1].store.reaper.reap()
      for node in cluster.nodes {
        try await node.settle()
        let version = try await node.store.objects.head(bucket: bucket, key: key)
        #expect(version?.sizeBytes == 9000, "seed \(seed)")
      }
      #expect(try await node.get(bucket, "k") == noise(9000), "seed \(seed)")
    }
  }

  @Test func nothingIsReleasedWhileAReplicaIsAway() throws {
    let cluster = try StoreCluster(seed: 6)
    try cluster.runtime.run {
      let bucket = try await Self.bucket(cluster)
      let node = cluster.nodes[0]
      let writer = node.store.objects.writer(bucket: bucket, key: try ObjectKey("k"))
      let body = Body(noise(9000), pieceBytes: 4096)
      try await writer.append(from: { body.read(into: $0) }, observe: { _ in })
      cluster.cut(1)
      await writer.abandon()
      try await node.settle()
      #expect(try node.liveReferences().count == 3)
      cluster.cut(nil)
      try await cluster.runtime.sleep(for: .seconds(90_000))
      try await node.store.reaper.reap()
      try await node.settle()
      #expect(try node.liveReferences().isEmpty)
    }
  }

  /// A writer takes the mark back while the deletion is on its way: what was being uploaded is still there.
  @Test func aDeletionThatIsTakenBackAbortsNoUpload() throws {
    var takenBack = 0
    for seed in UInt64(1)...12 {
      let cluster = try StoreCluster(seed: seed)
      takenBack += try cluster.runtime.run {
        let bucket = try await Self.bucket(cluster)
        let key = try ObjectKey("k")
        let node = cluster.nodes[0]
        let id = try await node.store.uploads.create(
          bucket: bucket, key: key, metadata: ObjectMetadata())
        let deletion = Pending(cluster.runtime) { try await node.store.buckets.delete(bucket.id) }
        let parts = cluster.nodes[1].store.buckets.parts
        let row = RowKey(partitionKey: [], sortKey: bucket.id.bytes)
        var mark: Timestamp?
        while mark == nil {
          try await cluster.runtime.sleep(for: .milliseconds(1))
          let state = try parts.buckets.local.entry(row)?.state
          if let state, state.value == .deleting { mark = state.timestamp }
        }
        let taking = Pending(cluster.runtime) { [mark] in
          try await parts.endDeletion(of: bucket.id, mark: mark ?? .zero, as: .live)
        }
        let isDeleted = (try? await deletion.value) != nil
        _ = try? await taking.value
        // Of some seeds the deletion is the first to end.
        guard !isDeleted, try await node.store.buckets.get(bucket.id) != nil else { return 0 }
        let upload = try await node.store.uploads.get(bucket: bucket, key: key, id: id)
        #expect(upload != nil, "seed \(seed)")
        return 1
      }
    }
    #expect(takenBack > 0)
  }

  /// A reference without an upload row would be a leak that no reaper finds.
  @Test func theUploadRowIsDurableBeforeTheFirstReference() throws {
    let cluster = try StoreCluster(seed: 7)
    try cluster.runtime.run {
      let bucket = try await Self.bucket(cluster)
      let node = cluster.nodes[0]
      let writer = node.store.objects.writer(bucket: bucket, key: try ObjectKey("k"))
      let body = Body(noise(50_000), pieceBytes: 1024)
      try await writer.append(
        from: { buffer in
          try await node.runtime.sleep(for: .milliseconds(1))
          let rows = try cluster.nodes.filter { try !$0.keys(of: "model_open").isEmpty }
          #expect(try rows.count >= 2 || node.liveReferences().isEmpty)
          return body.read(into: buffer)
        }, observe: { _ in })
      #expect(try !node.liveReferences().isEmpty)
      await writer.abandon()
    }
  }
}
