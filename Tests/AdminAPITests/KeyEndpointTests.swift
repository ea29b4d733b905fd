import Base
import Codecs
import Testing

@Suite struct KeyEndpointTests {
  @Test func aRefusedCreationLeavesNoKey() throws {
    try AdminWorld.run { world in
      for body in [
        ["name": "a", "expiration": "soon"], ["name": 1], ["allow": ["createBucket": "yes"]],
      ] as [JSON] {
        try await world.refuse("InvalidRequest", "CreateKey", body: body)
      }
      #expect(try await world.get("ListKeys").array?.count == 0)
    }
  }

  @Test func aKeyChangesInOneRequest() throws {
    try AdminWorld.run { world in
      let made = try await world.post(
        "CreateKey",
        body: [
          "name": "a", "expiration": "2020-01-01T00:00:00Z", "allow": ["createBucket": true],
        ])
      #expect(made["permissions"] == ["createBucket": true])
      let id = FormField("id", try #require(made["accessKeyId"]?.string))
      let changed = try await world.post(
        "UpdateKey", id,
        body: ["name": "b", "neverExpires": true, "deny": ["createBucket": true]])
      #expect(changed["name"] == "b" && changed["expiration"] == .null)
      #expect(changed["permissions"] == ["createBucket": false] && changed["expired"] == false)
      #expect(changed["secretAccessKey"] == .null)
      #expect(try await world.post("UpdateKey", id, body: [:]) == changed)
    }
  }

  @Test func aSecretIsShownOnceAndThenToWhoAsksForIt() throws {
    try AdminWorld.run { world in
      let made = try await world.post("CreateKey", body: ["name": "a"])
      let id = FormField("id", try #require(made["accessKeyId"]?.string))
      let secret = try #require(made["secretAccessKey"]?.string)
      #expect(!"\(try await world.get("ListKeys"))".contains(secret))
      #expect(try await world.get("GetKeyInfo", id)["secretAccessKey"] == .null)
      let shown = try await world.get("GetKeyInfo", id, FormField("showSecretKey", "true"))
      #expect(shown["secretAccessKey"] == .string(secret))
    }
  }

  @Test func aKeyIsFoundByTheBeginningOfItsName() throws {
    try AdminWorld.run { world in
      for name in ["alice", "alina", ""] {
        _ = try await world.post("CreateKey", body: ["name": .string(name)])
      }
      #expect(try await world.get("GetKeyInfo", FormField("search", "alic"))["name"] == "alice")
      for (text, message) in [
        ("ali", "ali may mean 2 access keys: "), ("GK", "there is no access key GK"),
        ("alcie", "there is no access key alcie; did you mean alice?"),
      ] {
        do {
          _ = try await world.get("GetKeyInfo", FormField("search", text))
          Issue.record("\(text) was found")
        } catch {
          #expect("\(error)".contains(message), "\(error)")
        }
      }
    }
  }
}
