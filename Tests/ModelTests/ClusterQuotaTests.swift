import Base
import Model
import SimulatedCluster
import SimulatedWorld
import Synchronization
import Tables
import Testing

/// Quotas, and what needs blocks, on several replicas.
@Suite struct ClusterQuotaTests {
  /// A bucket for one object, that has it; every replica knows both.
  private static func full(_ cluster: StoreCluster) async throws -> Bucket {
    let buckets = cluster.nodes[0].store.buckets
    let bucket = try await buckets.create("bucket")
    let limited = try await buckets.setQuota(BucketQuota(objectsMax: 1), of: bucket.id)
    try await cluster.runtime.sleep(for: .seconds(1))
    try await cluster.nodes[0].put(limited, "first", [1])
    try await cluster.runtime.sleep(for: .seconds(20))
    return limited
  }

  private static func holders(_ cluster: StoreCluster, _ bucket: Bucket, _ key: String) throws
    -> Int
  {
    let sortKey = ObjectSortKey.version(try ObjectKey(key), .null).bytes
    let row = RowKey(partitionKey: ObjectPartition.key(bucket.id), sortKey: sortKey)
    return try cluster.nodes.count { try $0.keys(of: "object").contains(row.diskKey) }
  }

  @Test func aFullBucketRefusesBeforeARowIsSent() throws {
    let cluster = try StoreCluster(seed: 1)
    let sent = Mutex(0)
    try cluster.runtime.run {
      let bucket = try await Self.full(cluster)
      for link in cluster.links {
        link.willPerform.withLock {
          $0 = { request in
            guard case .operate("put_version", _, _) = request.body else { return }
            sent.withLock { $0 += 1 }
          }
        }
      }
      let usage = QuotaExcess(limit: .objects, max: 1, used: 1)
      // Its own count refuses earlier; a node whose own replica counts nothing asks the others.
      for node in cluster.nodes {
        await #expect(throws: ModelError.quotaExceeded(usage)) {
          try await node.put(bucket, "second", [1])
        }
      }
      #expect(sent.withLock { $0 } == 0)
      #expect(try Self.holders(cluster, bucket, "second") == 0)
      // What takes the place of the one that is there is no more.
      try await cluster.nodes[1].put(bucket, "first", [2])
      #expect(sent.withLock { $0 } == 3)
    }
  }

  /// A writer whose own replica missed the object, so that it does not refuse at once.
  @Test func aQuotaIsCheckedAtAQuorum() throws {
    let outcomes = Mutex<[String: Int]>([:])
    for seed in UInt64(1)...30 {
      let cluster = try StoreCluster(seed: seed)
      try cluster.runtime.run {
        let buckets = cluster.nodes[0].store.buckets
        let created = try await buckets.create("bucket")
        let bucket = try await buckets.setQuota(BucketQuota(objectsMax: 1), of: created.id)
        try await cluster.runtime.sleep(for: .seconds(5))
        cluster.cut(2)
        try await cluster.nodes[0].put(bucket, "first", [1])
        try await cluster.runtime.sleep(for: .seconds(20))
        cluster.cut(nil)
        do {
          try await cluster.nodes[2].put(bucket, "second", [1])
          Issue.record("a full bucket took an object at a quorum, seed \(seed)")
        } catch ModelError.quotaExceeded {
          // Only where nobody has stored it, and nobody will.
          try await cluster.runtime.sleep(for: .seconds(30))
          #expect(try Self.holders(cluster, bucket, "second") == 0, "seed \(seed)")
          outcomes.withLock { $0["refused", default: 0] += 1 }
        } catch ModelError.mayExist {
          outcomes.withLock { $0["may exist", default: 0] += 1 }
        }
      }
    }
    // Which two of the three answer first is chance.
    let seen = outcomes.withLock { $0 }
    #expect(seen["refused", default: 0] > 0 && seen["may exist", default: 0] > 0, "\(seen)")
  }

  // MARK: What needs blocks

  @Test func whatNeedsBlocksIsRefusedWhereSeveralNodesStore() throws {
    let cluster = try StoreCluster(seed: 3, hasDistantBlocks: false)
    try cluster.runtime.run {
      let node = cluster.nodes[0]
      let bucket = try await node.store.buckets.create("bucket")
      try await cluster.runtime.sleep(for: .seconds(1))
      let refusal = ModelError.onlyInline(maxBytes: 64)
      await #expect(throws: refusal) { try await node.put(bucket, "large", noise(65)) }
      await #expect(throws: refusal) {
        _ = try await node.store.uploads.create(
          bucket: bucket, key: ObjectKey("multipart"), metadata: ObjectMetadata())
      }
      for node in cluster.nodes {
        #expect(try node.keys(of: "object").isEmpty)
        #expect(try node.liveReferences().isEmpty)
      }
      // What lies in its row is written, read, copied and deleted.
      let small = try await node.put(bucket, "small", noise(64))
      _ = try await node.store.objects.copy(
        small, to: bucket, key: ObjectKey("copy"), metadata: small.metadata)
      #expect(try await cluster.nodes[2].get(bucket, "copy") == noise(64))
      #expect(try await cluster.nodes[1].delete(bucket, "small") == .deleted)
    }
  }
}
