import Base
import Model
import SimulatedCluster
import SimulatedWorld
import Testing

@Suite struct AccessKeysTests {
  @Test func aKeyIsMadeFoundChangedAndDeleted() throws {
    let world = ModelWorld(seed: 1)
    let key = try world.run { node in
      let keys = node.store.accessKeys
      let key = try await keys.create(name: "laptop")
      #expect(key.id.hasPrefix("GK") && key.id.utf8.count == 26)
      #expect(Hex.decode(key.id.dropFirst(2)) != nil)
      #expect(Hex.decode(key.secret)?.count == 32)
      #expect(try await keys.get(key.id) == key)
      #expect(!key.mayCreateBuckets && key.expiration == nil)
      let changed = try await keys.update(
        key.id, name: "phone", mayCreateBuckets: true,
        expiration: .some(WallTime(milliseconds: 5)))
      #expect(changed.name == "phone" && changed.mayCreateBuckets)
      #expect(!changed.isExpired(at: WallTime(milliseconds: 4)))
      #expect(changed.isExpired(at: WallTime(milliseconds: 5)))
      let unlimited = try await keys.update(key.id, expiration: .some(nil))
      #expect(unlimited.expiration == nil && unlimited.name == "phone")
      return unlimited
    }
    try world.run { node in
      let keys = node.store.accessKeys
      #expect(try await keys.list() == [key])
      let bucket = try await node.store.buckets.create("bucket", owner: key.id)
      try await node.store.buckets.addLocalAlias("mine", of: key.id, to: bucket.id)
      try await keys.delete(key.id)
      #expect(try await keys.get(key.id) == nil)
      #expect(try await keys.list().isEmpty)
      let left = try #require(await node.store.buckets.get(bucket.id))
      #expect(left.grants.isEmpty && left.localAliases.isEmpty)
      await #expect(throws: ModelError.noSuchAccessKey) { try await keys.delete(key.id) }
      await #expect(throws: ModelError.noSuchAccessKey) {
        _ = try await keys.update(key.id, name: "x")
      }
      // And imported again.
      _ = try await keys.importKey(id: key.id, secret: key.secret, name: "back")
      #expect(try await keys.get(key.id)?.name == "back")
    }
  }

  /// Cut off from its cluster at any moment of it.
  @Test(arguments: (0...24).map { 25 * $0 })
  func aDeletionThatBrokeOffCanBeRepeated(afterMilliseconds: Int) throws {
    let cluster = try StoreCluster(seed: UInt64(afterMilliseconds) + 1)
    try cluster.runtime.run {
      let (keys, buckets) = (cluster.nodes[0].store.accessKeys, cluster.nodes[0].store.buckets)
      let key = try await keys.create(name: "k")
      let bucket = try await buckets.create("bucket", owner: key.id)
      try await buckets.addLocalAlias("mine", of: key.id, to: bucket.id)
      try await buckets.addGlobalAlias("second", to: bucket.id)
      try await cluster.runtime.sleep(for: .seconds(1))
      let cutting = cluster.runtime.spawn {
        try? await cluster.runtime.sleep(for: .milliseconds(afterMilliseconds))
        cluster.cutAll()
      }
      try? await keys.delete(key.id)
      try? await buckets.removeGlobalAlias("second", from: bucket.id)
      await cutting.value
      cluster.cut(nil)

      do { try await keys.delete(key.id) } catch ModelError.noSuchAccessKey {}
      do { try await buckets.removeGlobalAlias("second", from: bucket.id) } catch ModelError
        .noSuchBucket
      {}
      try await cluster.runtime.sleep(for: .seconds(1))
      #expect(try await keys.get(key.id) == nil)
      let left = try #require(await buckets.get(bucket.id))
      #expect(left.grants.isEmpty && left.localAliases.isEmpty)
      #expect(try await buckets.resolve("mine", for: key.id) == nil)
      #expect(try await buckets.resolve("second", for: nil) == nil)
    }
  }

  @Test func importedKeysAreChecked() throws {
    try ModelWorld(seed: 2).run { node in
      let keys = node.store.accessKeys
      let good = String(repeating: "k", count: 16)
      _ = try await keys.importKey(id: good, secret: good + "/+=", name: "")
      await #expect(throws: ModelError.accessKeyAlreadyExists) {
        _ = try await keys.importKey(id: good, secret: good, name: "")
      }
      for id in ["short", good + "/", good + " ", good + "é", String(repeating: "k", count: 129)] {
        await #expect(throws: ModelError.self, "\(id)") {
          _ = try await keys.importKey(id: id, secret: good, name: "")
        }
        #expect(try await keys.get(id) == nil)
      }
      #expect(try await keys.get("") == nil)
    }
  }
}
