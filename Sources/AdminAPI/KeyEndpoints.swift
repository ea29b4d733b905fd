// Access keys: listing, creation, import, changes, deletion.

import Base
import Codecs
import Model

extension AdminEndpoints {
  func listKeys(_ request: AdminRequest) async throws -> JSON {
    .array(
      try await store.accessKeys.list().map { key in
        [
          "id": .string(key.id),
          "name": .string(key.name),
          "created": .string(CivilTime(key.created).iso8601),
          "expiration": .optional(key.expiration.map { CivilTime($0).iso8601 }),
          "expired": .bool(key.isExpired(at: wallNow())),
        ]
      })
  }

  func keyInfo(_ request: AdminRequest) async throws -> JSON {
    let showsSecret = try request.parameter("showSecretKey") == "true"
    if let id = try request.parameter("id") {
      return try await document(key(id: id), showsSecret: showsSecret)
    }
    let pattern = try request.required(parameter: "search")
    return try await document(key(matching: pattern), showsSecret: showsSecret)
  }

  func createKey(_ request: AdminRequest) async throws -> JSON {
    let key = try await store.accessKeys.create(name: try request.body.text("name") ?? "")
    return try await document(update(key, request.body), showsSecret: true)
  }

  func importKey(_ request: AdminRequest) async throws -> JSON {
    let key = try await store.accessKeys.importKey(
      id: try request.body.requiredText("accessKeyId"),
      secret: try request.body.requiredText("secretAccessKey"),
      name: try request.body.text("name") ?? "")
    return try await document(key, showsSecret: false)
  }

  func updateKey(_ request: AdminRequest) async throws -> JSON {
    var key = try await key(id: try request.required(parameter: "id"))
    if let name = try request.body.text("name") {
      key = try await store.accessKeys.update(key.id, name: name)
    }
    return try await document(update(key, request.body), showsSecret: false)
  }

  func deleteKey(_ request: AdminRequest) async throws -> JSON {
    let key = try await key(id: try request.required(parameter: "id"))
    try await store.accessKeys.delete(key.id)
    return .null
  }

  // MARK: Parts of requests

  /// Applies `allow`, `deny`, `expiration` and `neverExpires`, which creation and change share.
  private func update(_ key: AccessKey, _ body: JSON) async throws -> AccessKey {
    var mayCreateBuckets: Bool?
    if try body["allow"]?.flag("createBucket") == true { mayCreateBuckets = true }
    if try body["deny"]?.flag("createBucket") == true { mayCreateBuckets = false }
    var expiration: WallTime??
    if let text = try body.text("expiration") {
      guard let time = DateText.parse(text) else {
        throw AdminError.invalid("expiration is no date such as 2026-11-21T09:22:00Z")
      }
      expiration = .some(time)
    } else if try body.flag("neverExpires") {
      expiration = .some(nil)
    }
    if mayCreateBuckets == nil, expiration == nil { return key }
    return try await store.accessKeys.update(
      key.id, mayCreateBuckets: mayCreateBuckets, expiration: expiration)
  }

  private func key(id: String) async throws -> AccessKey {
    guard let key = try await store.accessKeys.get(id) else { throw ModelError.noSuchAccessKey }
    return key
  }

  /// The key with an ID, the beginning of an ID, or a name, that no other key has.
  private func key(matching pattern: String) async throws -> AccessKey {
    if let key = try await store.accessKeys.get(pattern) { return key }
    let keys = try await store.accessKeys.list()
    let named = keys.filter { $0.name == pattern }
    let matches =
      named.isEmpty
      ? keys.filter { pattern.utf8.count >= 4 && $0.id.hasPrefix(pattern) } : named
    switch matches.count {
    case 0: throw AdminError(404, "NoSuchAccessKey", "there is no access key \(pattern)")
    case 1: return matches[0]
    default:
      throw AdminError.invalid(
        "\(matches.count) access keys match \(pattern); give the ID, as `key list` shows it")
    }
  }

  private func document(_ key: AccessKey, showsSecret: Bool) async throws -> JSON {
    let buckets = try await store.buckets.list(for: key.id)
    return [
      "accessKeyId": .string(key.id),
      "name": .string(key.name),
      "secretAccessKey": showsSecret ? .string(key.secret) : .null,
      "created": .string(CivilTime(key.created).iso8601),
      "expiration": .optional(key.expiration.map { CivilTime($0).iso8601 }),
      "expired": .bool(key.isExpired(at: wallNow())),
      "permissions": ["createBucket": .bool(key.mayCreateBuckets)],
      "buckets": .array(
        buckets.map { bucket in
          [
            "id": .string(bucket.id.hex),
            "globalAliases": .array(bucket.globalAliases.map { .string($0) }),
            "localAliases": .array(
              bucket.localAliases.filter { $0.accessKeyID == key.id }.map { .string($0.name) }),
            "permissions": Self.document(bucket.permissions(of: key.id)),
          ]
        }),
    ]
  }
}
