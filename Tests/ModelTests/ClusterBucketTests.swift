import Base
import Model
import SimulatedCluster
import SimulatedWorld
import Synchronization
import Tables
import Testing

/// Buckets that are deleted and created on several nodes at once (Buckets+Deleting.swift).
@Suite struct ClusterBucketTests {
  private static func create(_ cluster: StoreCluster, _ name: String = "bucket") async throws
    -> Bucket
  {
    let bucket = try await cluster.nodes[0].store.buckets.create(name)
    try await cluster.runtime.sleep(for: .seconds(1))
    return bucket
  }

  private static func key(_ id: BucketID) -> RowKey {
    RowKey(partitionKey: [], sortKey: id.bytes)
  }

  /// The bucket's row on one replica alone.
  private static func row(_ node: Node, _ id: BucketID) throws -> BucketRow? {
    try node.store.buckets.parts.buckets.local.entry(key(id))
  }

  /// The bucket's row in a write of the bucket table.
  private static func written(_ request: ReplicaRequest) throws -> BucketRow? {
    guard request.table == "bucket", case .merge(let rows, .client) = request.body,
      let row = rows.first
    else { return nil }
    return try row.bytes.withUnsafeBytes { try BucketRow($0) }
  }

  // MARK: An acknowledged object never vanishes

  private final class Known: Sendable {
    /// What was acknowledged, and that nobody has tried to delete.
    let objects = Mutex<Set<String>>([])
    let deletions = Atomic(0)
    let takeBacks = Atomic(0)
  }

  /// Writers with whatever copy of the bucket they have, deleters that break off, one node at a time cut off.
  @Test(arguments: (0..<24).map { UInt64($0) &* 2903 &+ 7 })
  func anAcknowledgedObjectNeverVanishesWithItsBucket(seed: UInt64) throws {
    let cluster = try StoreCluster(seed: seed, skews: [0, -30_000, 30_000])
    let known = Known()
    try cluster.runtime.run {
      let bucket = try await Self.create(cluster)
      let runtime = cluster.runtime
      let writers = (0..<3).map { number in
        Pending(runtime) { await Self.write(number, bucket, cluster, known) }
      }
      let deleters = (0..<2).map { _ in
        Pending(runtime) { await Self.delete(bucket, cluster, known) }
      }
      let cutting = Pending(runtime) {
        for _ in 0..<12 {
          cluster.cut(runtime.worldRandom.below(4) == 3 ? nil : runtime.worldRandom.below(3))
          try? await runtime.sleep(
            for: runtime.worldRandom.duration(in: .milliseconds(50) ... .seconds(20)))
        }
        cluster.cut(nil)
      }
      for task in writers + deleters + [cutting] { try await task.value }
      cluster.cut(nil)
      try await runtime.sleep(for: .seconds(30))
      for (index, node) in cluster.nodes.enumerated() {
        let row = try await node.store.buckets.parts.buckets.current(Self.key(bucket.id))
        for name in known.objects.withLock({ $0.sorted() }) {
          #expect(row?.state.value != .deleted, "seed \(seed), node \(index)")
          #expect(
            try await node.get(bucket, name) == Array(name.utf8), "seed \(seed), node \(index)")
        }
      }
    }
  }

  private static func write(
    _ number: Int, _ bucket: Bucket, _ cluster: StoreCluster, _ known: Known
  ) async {
    let random = cluster.runtime.worldRandom
    for step in 0..<6 {
      let name = "\(number)-\(step)"
      let node = cluster.nodes[random.below(3)]
      do {
        try await node.put(bucket, name, Array(name.utf8))
        // Most are deleted again, so that the bucket is empty now and then.
        if random.below(4) > 0 {
          _ = try? await node.delete(bucket, name)
        } else {
          _ = known.objects.withLock { $0.insert(name) }
        }
      } catch {
        // Refused, or unknown: nothing was promised.
      }
      try? await cluster.runtime.sleep(for: random.duration(in: .zero ... .seconds(30)))
    }
  }

  private static func delete(
    _ bucket: Bucket, _ cluster: StoreCluster, _ known: Known
  ) async {
    let random = cluster.runtime.worldRandom
    for _ in 0..<8 {
      let node = cluster.nodes[random.below(3)]
      do {
        if random.below(2) == 0 {
          try await node.store.buckets.delete(bucket.id)
        } else {
          // One that breaks off behind its mark.
          try await node.store.buckets.parts.beginDeletion(of: bucket.id)
        }
        known.deletions.wrappingAdd(1, ordering: .relaxed)
      } catch {
        // Not empty, busy, gone, or no quorum.
      }
      try? await cluster.runtime.sleep(for: random.duration(in: .zero ... .seconds(20)))
    }
  }

  // MARK: The mark

  /// Every replica whose listing decides about a deletion holds the mark when it answers.
  @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6])
  func aListingBringsTheMark(seed: UInt64) throws {
    let cluster = try StoreCluster(seed: seed)
    let brought = Mutex(0)
    try cluster.runtime.run {
      let bucket = try await Self.create(cluster)
      for (index, link) in cluster.links.enumerated() {
        let node = cluster.nodes[index]
        link.willPerform.withLock {
          $0 = { request in
            // A replica that the mark does not reach in time.
            guard index == 2, let row = try Self.written(request), row.state.value == .deleting
            else { return }
            throw NotReached()
          }
        }
        link.didAnswer.withLock {
          $0 = { request in
            guard request.table == "object", case .range = request.body else { return }
            let isMarked = try Self.row(cluster.nodes[0], bucket.id)?.state.value == .deleting
            guard isMarked else { return }
            #expect(
              try Self.row(node, bucket.id)?.state.value == .deleting,
              "seed \(seed), node \(index)")
            if index == 2 { brought.withLock { $0 += 1 } }
          }
        }
      }
      // Its own replica has the mark when the second listing begins.
      for _ in 0..<5 where try await cluster.nodes[0].store.buckets.get(bucket.id) != nil {
        try? await cluster.nodes[0].store.buckets.delete(bucket.id)
      }
      #expect(try await cluster.nodes[0].store.buckets.get(bucket.id) == nil, "seed \(seed)")
    }
  }

  /// A replica that holds the mark takes no object, whatever its writer knew.
  @Test func anObjectThatTheListingDidNotSeeIsNotAcknowledged() throws {
    let cluster = try StoreCluster(seed: 2)
    try cluster.runtime.run {
      let bucket = try await Self.create(cluster)
      let parts = cluster.nodes[0].store.buckets.parts
      try await parts.beginDeletion(of: bucket.id)
      let writing = Pending(cluster.runtime) {
        try await cluster.nodes[1].put(bucket, "k", [1])
      }
      try await cluster.runtime.sleep(for: .seconds(10))
      let held = try cluster.nodes.filter { !(try $0.keys(of: "object")).isEmpty }
      #expect(held.isEmpty)
      // After a minute it is taken back, and the object is there.
      _ = try? await writing.value
      try await cluster.runtime.sleep(for: .seconds(61))
      try await cluster.nodes[1].put(bucket, "k", [1])
      for node in cluster.nodes { #expect(try await node.get(bucket, "k") == [1]) }
      let row = try await parts.buckets.current(Self.key(bucket.id))
      #expect(row?.state.value == .live)
    }
  }

  // MARK: Taking back

  /// One above the mark against two above it, whichever comes first.
  @Test(arguments: [true, false])
  func whoTakesADeletionBackOverrulesWhoEndsIt(deleterFirst: Bool) throws {
    let cluster = try StoreCluster(seed: 3, skews: [300_000, 0, -300_000])
    try cluster.runtime.run {
      let bucket = try await Self.create(cluster)
      let (deleter, writer) = (
        cluster.nodes[0].store.buckets.parts, cluster.nodes[2].store.buckets.parts
      )
      let mark = try await deleter.beginDeletion(of: bucket.id).state.timestamp
      if deleterFirst {
        let ended = try await deleter.endDeletion(of: bucket.id, mark: mark, as: .deleted)
        #expect(ended.state == Register(.deleted, at: mark.next))
        // A writer that still has the mark.
        let row = try #require(try Self.row(cluster.nodes[0], bucket.id))
        #expect(row.state.value == .deleted)
      }
      // Deleted rows are not read by `endDeletion`'s callers: the row that the writer knows is the marked one.
      let taken = try? await writer.endDeletion(of: bucket.id, mark: mark, as: .live)
      if let taken { #expect(taken.state == Register(.live, at: mark.next.next)) }
      if !deleterFirst {
        let ended = try await deleter.endDeletion(of: bucket.id, mark: mark, as: .deleted)
        #expect(ended.state == Register(.live, at: mark.next.next))
      }
      for node in cluster.nodes {
        let row = try await node.store.buckets.parts.buckets.current(Self.key(bucket.id))
        #expect(row?.state == Register(.live, at: mark.next.next))
      }
    }
  }

  /// The take-back reaches a quorum before the end of the deletion does.
  @Test func aDeletionThatWasTakenBackFreesNoName() throws {
    for seed in UInt64(1)...4 {
      let cluster = try StoreCluster(seed: seed)
      try cluster.runtime.run {
        let bucket = try await Self.create(cluster)
        let writer = cluster.nodes[1].store.buckets.parts
        let taking = Mutex<Pending<Void>?>(nil)
        for link in cluster.links {
          link.willPerform.withLock {
            $0 = { request in
              guard let row = try Self.written(request), row.state.value == .deleted else { return }
              let mark = Timestamp(rawValue: row.state.timestamp.rawValue - 1)
              let task = taking.withLock { task in
                let running =
                  task
                  ?? Pending(cluster.runtime) {
                    _ = try await writer.endDeletion(of: bucket.id, mark: mark, as: .live)
                  }
                task = running
                return running
              }
              try await task.value
            }
          }
        }
        await #expect(throws: ModelError.bucketBusy, "seed \(seed)") {
          try await cluster.nodes[0].store.buckets.delete(bucket.id)
        }
        #expect(taking.withLock { $0 != nil })
        for node in cluster.nodes {
          let alias = try await node.store.buckets.parts.aliases.current(
            RowKey(partitionKey: [], sortKey: AliasName.global("bucket").sortKey))
          #expect(alias?.bucket == bucket.id && alias?.isReleased == false, "seed \(seed)")
          _ = try await node.store.buckets.parts.buckets.current(Self.key(bucket.id))
          let found = try await node.store.buckets.resolve("bucket", for: nil)
          #expect(found?.id == bucket.id, "seed \(seed)")
        }
      }
    }
  }

  /// When a name is released, a quorum holds the bucket as deleted.
  @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6])
  func aNameIsFreedOnlyOnceAQuorumHoldsTheEnd(seed: UInt64) throws {
    let cluster = try StoreCluster(seed: seed)
    let freed = Mutex(0)
    try cluster.runtime.run {
      let bucket = try await Self.create(cluster)
      for link in cluster.links {
        link.willPerform.withLock {
          $0 = { request in
            guard request.table == "bucket_alias", case .merge(let rows, .client) = request.body,
              try rows[0].bytes.withUnsafeBytes({ try AliasRow($0) }).isReleased
            else { return }
            freed.withLock { $0 += 1 }
            let deleted = try cluster.nodes.filter { node in
              try Self.row(node, bucket.id)?.state.value == .deleted
            }
            #expect(deleted.count >= 2, "seed \(seed)")
          }
        }
      }
      try await cluster.nodes[0].store.buckets.delete(bucket.id)
      #expect(try await cluster.nodes[1].store.buckets.create("bucket").id != bucket.id)
    }
    #expect(freed.withLock { $0 } >= 2)
  }

  // MARK: Names claimed on two sides

  /// What each creation came to; `nil` when the name was another's.
  private static func creation(_ name: String, on node: Node) -> Pending<Bucket?> {
    Pending(node.runtime) {
      do {
        return try await node.store.buckets.create(name)
      } catch ModelError.bucketAlreadyExists {
        return nil
      }
    }
  }

  /// Every bucket that was made has a name of its own on every node: the one asked for, or another one that is shown.
  private static func checkNames(_ made: [Bucket], _ cluster: StoreCluster) async throws {
    for node in cluster.nodes {
      let parts = node.store.buckets.parts
      _ = try await parts.aliases.current(
        RowKey(partitionKey: [], sortKey: AliasName.global("name").sortKey))
      for bucket in made { _ = try await parts.buckets.current(key(bucket.id)) }
      var names: Set<String> = []
      for bucket in made {
        let shown = try #require(try await node.store.buckets.get(bucket.id))
        let name = shown.name(for: nil)
        #expect(names.insert(name).inserted)
        #expect(name == "name" || name == "name-\(bucket.id.hex.prefix(8))")
        #expect(try await node.store.buckets.resolve(name, for: nil)?.id == bucket.id)
      }
    }
  }

  @Test func aNameThatTwoClaimAtOnceIsOneBucketsAlone() throws {
    for seed in UInt64(1)...40 {
      let cluster = try StoreCluster(seed: seed, skews: [0, 20_000, -20_000])
      try cluster.runtime.run {
        let random = cluster.runtime.worldRandom
        let first = Self.creation("name", on: cluster.nodes[1])
        try await cluster.runtime.sleep(for: random.duration(in: .zero ... .milliseconds(80)))
        let second = Self.creation("name", on: cluster.nodes[2])
        let made = [try await first.value, try await second.value].compactMap { $0 }
        #expect(!made.isEmpty, "seed \(seed)")
        try await cluster.runtime.sleep(for: .seconds(20))
        try await Self.checkNames(made, cluster)
      }
    }
  }

  /// A claim that is on its way while another creation begins and ends, and is earlier by its clock: both were told that
  /// the name is theirs, the earlier keeps it, and the other bucket is shown under another name.
  @Test func ofTwoBucketsOfOneNameTheEarlierKeepsIt() throws {
    let cluster = try StoreCluster(seed: 5, skews: [0, 0, -20_000])
    try cluster.runtime.run {
      let isMade = Atomic(false)
      let early = cluster.runtime.wallNow.milliseconds - 10_000
      for link in cluster.links {
        link.willPerform.withLock {
          $0 = { request in
            guard request.table == "bucket_alias", case .merge(let rows, .client) = request.body,
              try rows[0].bytes.withUnsafeBytes({ try AliasRow($0) }).claimed.milliseconds < early
            else { return }
            while !isMade.load(ordering: .relaxed) {
              try await cluster.runtime.sleep(for: .milliseconds(5))
            }
          }
        }
      }
      let slow = Self.creation("name", on: cluster.nodes[2])
      try await cluster.runtime.sleep(for: .milliseconds(300))
      let later = try #require(try await Self.creation("name", on: cluster.nodes[1]).value)
      isMade.store(true, ordering: .relaxed)
      let earlier = try #require(try await slow.value)
      try await cluster.runtime.sleep(for: .seconds(20))
      try await Self.checkNames([earlier, later], cluster)
      let found = try await cluster.nodes[0].store.buckets.resolve("name", for: nil)
      #expect(found?.id == earlier.id)
    }
  }
}
