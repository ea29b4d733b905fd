import Base
import Codecs
import Testing

/// What a person may leave out of a name or an ID.
@Suite struct SearchTests {
  @Test func anythingButDeletionTakesThreeCharactersOfAName() throws {
    try AdminWorld.run { world in
      let (key, bucket) = try await Self.make(world)
      for text in ["ali", "alice", String(key.prefix(4)), key] {
        #expect(try await Self.found(world, "GetKeyInfo", text, isCertain: false), "\(text)")
      }
      for text in ["pho", "photos", String(bucket.prefix(4)), bucket] {
        #expect(try await Self.found(world, "GetBucketInfo", text, isCertain: false), "\(text)")
      }
      for text in ["al", "a", String(key.prefix(3))] {
        #expect(try await !Self.found(world, "GetKeyInfo", text, isCertain: false), "\(text)")
      }
      for text in ["ph", "p", String(bucket.prefix(3))] {
        #expect(try await !Self.found(world, "GetBucketInfo", text, isCertain: false), "\(text)")
      }
    }
  }

  @Test func deletionTakesAWholeNameOrEightCharactersOfAnID() throws {
    try AdminWorld.run { world in
      let (key, bucket) = try await Self.make(world)
      for text in ["alice", String(key.prefix(8)), key] {
        #expect(try await Self.found(world, "GetKeyInfo", text, isCertain: true), "\(text)")
      }
      for text in ["photos", String(bucket.prefix(8)), bucket] {
        #expect(try await Self.found(world, "GetBucketInfo", text, isCertain: true), "\(text)")
      }
      for text in ["alic", String(key.prefix(7))] {
        #expect(try await !Self.found(world, "GetKeyInfo", text, isCertain: true), "\(text)")
      }
      for text in ["photo", String(bucket.prefix(7))] {
        #expect(try await !Self.found(world, "GetBucketInfo", text, isCertain: true), "\(text)")
      }
    }
  }

  /// The IDs of a key and a bucket.
  private static func make(_ world: AdminWorld) async throws -> (String, String) {
    let key = try await world.post("CreateKey", body: ["name": "alice"])
    let bucket = try await world.post("CreateBucket", body: ["globalAlias": "photos"])
    return (try #require(key["accessKeyId"]?.string), try #require(bucket["id"]?.string))
  }

  private static func found(
    _ world: AdminWorld, _ name: String, _ text: String, isCertain: Bool
  ) async throws -> Bool {
    do {
      _ = try await world.get(
        name, FormField("search", text), FormField("certain", "\(isCertain)"))
      return true
    } catch {
      #expect(!"\(error)".contains("may mean"), "\(error)")
      return false
    }
  }
}
