import Base
import Model
import SimulatedWorld
import Tables
import Testing

@Suite struct BucketsTests {
  @Test func namesFollowTheRules() {
    for name in ["abc", "a.b-c", "123", String(repeating: "a", count: 63)] {
      #expect(throws: Never.self) { try BucketName.check(name) }
    }
    for name in [
      "", "ab", String(repeating: "a", count: 64), "Abc", "a_b", "-abc", "abc-", ".abc", "a..b",
      "a.-b", "a-.b",
      "192.168.1.1", "xn--abc", "abc-s3alias", "äbc", "a/b", "abc\0",
    ] {
      #expect(throws: ModelError.self, "\(name)") { try BucketName.check(name) }
    }
  }

  @Test(arguments: [
    "xn--abc", "sthree-abc", "sthree-configurator", "amzn-s3-demo-abc", "abc-s3alias", "abc--ol-s3",
    "abc.mrap", "abc--x-s3", "abc--table-s3", "1.2.3.4", "999.0.0.1",
  ])
  func reservedNamesAreRefused(name: String) {
    #expect(throws: ModelError.self) { try BucketName.check(name) }
    // With something around it, it means nothing.
    #expect(throws: Never.self) { try BucketName.check("a\(name)z") }
  }

  /// A name that only one key sees is a bucket's name all the same: clients make host names of it.
  @Test func namesOfKeysFollowTheRules() throws {
    try ModelWorld(seed: 5).run { node in
      let buckets = node.store.buckets
      let id = try await buckets.create("bucket").id
      for name in ["My", "a_b", "192.168.1.1", "a..b"] {
        await #expect(throws: ModelError.self) {
          _ = try await buckets.create(localAlias: name, of: "KEY")
        }
        await #expect(throws: ModelError.self) {
          try await buckets.addLocalAlias(name, of: "KEY", to: id)
        }
        await #expect(throws: ModelError.self) { try await buckets.addGlobalAlias(name, to: id) }
      }
      #expect(try await buckets.list().map(\.id) == [id])
    }
  }

  @Test func aBucketIsFoundByItsNamesAndItsID() throws {
    try ModelWorld(seed: 1).run { node in
      let buckets = node.store.buckets
      let bucket = try await buckets.create("photos", owner: "KEY-A")
      #expect(try await buckets.resolve("photos", for: nil)?.id == bucket.id)
      #expect(try await buckets.resolve(bucket.id.hex, for: nil)?.id == bucket.id)
      #expect(try await buckets.resolve("other", for: nil) == nil)
      #expect(bucket.permissions(of: "KEY-A") == .all)
      #expect(bucket.permissions(of: "KEY-B") == [])

      await #expect(throws: ModelError.bucketAlreadyOwnedByYou) {
        _ = try await buckets.create("photos", owner: "KEY-A")
      }
      await #expect(throws: ModelError.bucketAlreadyExists) {
        _ = try await buckets.create("photos", owner: "KEY-B")
      }
      // A key's own name goes before the global one.
      let mine = try await buckets.create(localAlias: "photos", of: "KEY-B")
      #expect(try await buckets.resolve("photos", for: "KEY-B")?.id == mine.id)
      #expect(try await buckets.resolve("photos", for: "KEY-A")?.id == bucket.id)
      #expect(mine.name(for: "KEY-B") == "photos")
      #expect(mine.name(for: nil) == mine.id.hex)
      #expect(try await buckets.list(for: "KEY-B").map(\.id) == [mine.id])
      #expect(try await buckets.list().count == 2)
    }
  }

  @Test func namesAreGivenAndTaken() throws {
    try ModelWorld(seed: 2).run { node in
      let buckets = node.store.buckets
      let bucket = try await buckets.create("one")
      await #expect(throws: ModelError.lastAlias) {
        try await buckets.removeGlobalAlias("one", from: bucket.id)
      }
      try await buckets.addGlobalAlias("two", to: bucket.id)
      try await buckets.addLocalAlias("mine", of: "KEY", to: bucket.id)
      #expect(try await buckets.get(bucket.id)?.globalAliases == ["one", "two"])
      try await buckets.removeGlobalAlias("one", from: bucket.id)
      #expect(try await buckets.resolve("one", for: nil) == nil)
      #expect(try await buckets.resolve("mine", for: "KEY")?.id == bucket.id)
      try await buckets.removeLocalAlias("mine", of: "KEY", from: bucket.id)
      #expect(try await buckets.resolve("mine", for: "KEY") == nil)
      let next = try await buckets.create("one")
      #expect(next.id != bucket.id)
      await #expect(throws: ModelError.bucketAlreadyExists) {
        try await buckets.addGlobalAlias("one", to: bucket.id)
      }
      await #expect(throws: ModelError.noSuchBucket) {
        try await buckets.removeGlobalAlias("one", from: bucket.id)
      }
    }
  }

  @Test func rightsAreAddedAndTaken() throws {
    try ModelWorld(seed: 3).run { node in
      let buckets = node.store.buckets
      let id = try await buckets.create("bucket").id
      #expect(
        try await buckets.allow([.read, .write], to: "KEY", in: id).permissions(of: "KEY")
          == [.read, .write])
      #expect(try await buckets.deny(.write, to: "KEY", in: id).permissions(of: "KEY") == .read)
      #expect(
        try await buckets.allow(.owner, to: "KEY", in: id).permissions(of: "KEY")
          == [.read, .owner])
      #expect(try await buckets.deny(.all, to: "KEY", in: id).grants.isEmpty)
    }
  }

  @Test func onlyAnEmptyBucketIsDeleted() throws {
    try ModelWorld(seed: 4).run { node in
      let buckets = node.store.buckets
      let bucket = try await buckets.create("bucket")
      try await node.put(bucket, "k", noise(5000))
      await #expect(throws: ModelError.bucketNotEmpty) { try await buckets.delete(bucket.id) }
      try await node.put(bucket, "k2", [1])
      _ = try await node.delete(bucket, "k")
      _ = try await node.delete(bucket, "k2")
      let upload = try await node.store.uploads.create(
        bucket: bucket, key: ObjectKey("u"), metadata: ObjectMetadata())
      try await node.putPart(bucket, "u", upload, 1, noise(5000))
      try await buckets.delete(bucket.id)
      #expect(try await buckets.resolve("bucket", for: nil) == nil)
      #expect(try await buckets.get(bucket.id) == nil)
      await #expect(throws: ModelError.noSuchBucket) { try await buckets.delete(bucket.id) }
      await #expect(throws: ModelError.noSuchBucket) { try await node.put(bucket, "k", [1]) }
      let again = try await buckets.create("bucket")
      #expect(try await node.get(again, "k") == nil)
      try await node.settle()
      #expect(try node.liveReferences().isEmpty)
    }
  }

  @Test func aDeletionAndAWriteAtOnceNeverLoseTheWrite() throws {
    for seed in UInt64(1)...40 {
      let world = ModelWorld(seed: seed)
      world.runtime.blockingDelay = .zero ... .milliseconds(2)
      try world.run { node in
        let bucket = try await node.store.buckets.create("bucket")
        let deletion = Pending(node.runtime) { try await node.store.buckets.delete(bucket.id) }
        let write = Pending(node.runtime) { _ = try await node.put(bucket, "k", noise(5000)) }
        let isWritten: Bool
        do {
          try await write.value
          isWritten = true
        } catch {
          #expect(error as? ModelError == .noSuchBucket, "seed \(seed)")
          isWritten = false
        }
        do {
          try await deletion.value
          #expect(!isWritten, "seed \(seed)")
        } catch {
          #expect(error as? ModelError == .bucketNotEmpty, "seed \(seed)")
          #expect(isWritten, "seed \(seed)")
        }
        #expect(try await node.get(bucket, "k") == (isWritten ? noise(5000) : nil))
      }
    }
  }

  @Test func aDeletionThatNobodyConfirmedIsTakenBack() throws {
    try ModelWorld(seed: 5).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let parts = node.store.buckets.parts
      let mark = try await parts.beginDeletion(of: bucket.id).state.timestamp
      await #expect(throws: ModelError.bucketBusy) { try await node.put(bucket, "k", [1]) }
      try await node.runtime.sleep(for: .seconds(61))
      try await node.put(bucket, "k", [1])
      // The deletion was only slow.
      let ended = try await parts.endDeletion(of: bucket.id, mark: mark, as: .deleted)
      #expect(ended.state == Register(.live, at: mark.next.next))
      #expect(try await node.get(bucket, "k") == [1])
      #expect(try await node.store.buckets.get(bucket.id) != nil)
      _ = try await node.delete(bucket, "k")
      try await node.store.buckets.delete(bucket.id)
      #expect(try await node.store.buckets.get(bucket.id) == nil)
    }
  }

  @Test func twoCreationsAtOnceMakeOneBucket() throws {
    for seed in UInt64(1)...20 {
      try ModelWorld(seed: seed).run { node in
        let buckets = node.store.buckets
        let creations = (0..<3).map { index in
          Pending(node.runtime) {
            try await node.store.buckets.create("bucket", owner: "K\(index)")
          }
        }
        var made: [Bucket] = []
        for creation in creations {
          do {
            made.append(try await creation.value)
          } catch {
            #expect(error as? ModelError == .bucketAlreadyExists)
          }
        }
        #expect(made.count == 1, "seed \(seed)")
        let count = try await buckets.list().count
        #expect(count == 1, "seed \(seed)")
      }
    }
  }

  @Test func aNameWithoutABucketIsTakenOverAfterAWhile() throws {
    try ModelWorld(seed: 6).run { node in
      let lost = BucketID(random: node.runtime.random)
      let parts = node.store.buckets.parts
      try await parts.merge(parts.aliases) { now in
        [
          (
            AliasName.global("bucket").sortKey,
            AliasRow(changed: now, epoch: 0, claimed: now, bucket: lost)
          )
        ]
      }
      await #expect(throws: ModelError.bucketAlreadyExists) {
        _ = try await node.store.buckets.create("bucket")
      }
      try await node.runtime.sleep(for: .seconds(61))
      let bucket = try await node.store.buckets.create("bucket")
      #expect(try await node.store.buckets.resolve("bucket", for: nil)?.id == bucket.id)
    }
  }

  /// Two nodes that did not know of each other gave one name to two buckets.
  @Test func theLaterOfTwoBucketsWithOneNameIsShownUnderAnother() throws {
    try ModelWorld(seed: 7).run { node in
      let early = try await node.store.buckets.create("bucket")
      let parts = node.store.buckets.parts
      let id = BucketID(random: node.runtime.random)
      try await parts.merge(parts.buckets) { now in
        var row = BucketRow(created: now, createdWall: WallTime(milliseconds: 0))
        row.names.set(.global("bucket"), true, now: now)
        return [(id.bytes, row)]
      }
      try await parts.merge(parts.aliases) { now in
        [
          (
            AliasName.global("bucket").sortKey,
            AliasRow(changed: now, epoch: 0, claimed: now, bucket: id)
          )
        ]
      }
      let buckets = node.store.buckets
      #expect(try await buckets.resolve("bucket", for: nil)?.id == early.id)
      let name = "bucket-\(id.hex.prefix(8))"
      #expect(try await buckets.get(id)?.globalAliases == [name])
      #expect(try await buckets.resolve(name, for: nil)?.id == id)
    }
  }
}
