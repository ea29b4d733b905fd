import Base
import Codecs
import Testing

@Suite struct QuotaEndpointTests {
  @Test func bothLimitsAreSetTogether() throws {
    try AdminWorld.run { world in
      let made = try await world.post("CreateBucket", body: ["globalAlias": "photos"])
      #expect(made["quotas"] == ["maxSize": nil, "maxObjects": nil])
      let id = FormField("id", try #require(made["id"]?.string))
      for (quotas, expected) in [
        (["maxSize": 5, "maxObjects": 0], ["maxSize": 5, "maxObjects": 0]),
        (["maxObjects": 3], ["maxSize": nil, "maxObjects": 3]),
        (["maxSize": nil, "maxObjects": nil], ["maxSize": nil, "maxObjects": nil]),
      ] as [(JSON, JSON)] {
        #expect(
          try await world.post("UpdateBucket", id, body: ["quotas": quotas])["quotas"] == expected)
        #expect(try await world.get("GetBucketInfo", id)["quotas"] == expected)
      }
      #expect(try await world.get("GetBucketInfo", id)["unfinishedMultipartUploadBytes"] == 0)
    }
  }

  @Test func whatIsNoLimitIsRefused() throws {
    try AdminWorld.run { world in
      let made = try await world.post("CreateBucket", body: ["globalAlias": "photos"])
      let id = FormField("id", try #require(made["id"]?.string))
      for body in [
        .null, [:], ["quotas": nil], ["quotas": ["maxSize": -1]], ["quotas": ["maxSize": "5"]],
        ["quotas": ["maxObjects": .number(1.5)]],
      ] as [JSON] {
        try await world.refuse("InvalidRequest", "UpdateBucket", id, body: body)
      }
      let unknown = FormField("id", String(repeating: "0", count: 64))
      try await world.refuse(
        "NoSuchBucket", "UpdateBucket", unknown, body: ["quotas": ["maxSize": 1]])
      #expect(try await world.get("GetBucketInfo", id)["quotas"] == made["quotas"])
    }
  }
}
