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
    let found = try await key(
      matching: request.required(parameter: "search"), isCertain: request.isCertain)
    return try await document(found, showsSecret: showsSecret)
  }

  func createKey(_ request: AdminRequest) async throws -> JSON {
    // Read before there is a key: a request that is refused leaves none behind.
    let change = try KeyChange(request.body)
    let key = try await store.accessKeys.create(name: change.name ?? "")
    return try await document(apply(change, to: key), showsSecret: true)
  }

  func importKey(_ request: AdminRequest) async throws -> JSON {
    let key = try await store.accessKeys.importKey(
      id: try request.body.requiredText("accessKeyId"),
      secret: try request.body.requiredText("secretAccessKey"),
      name: try request.body.text("name") ?? "")
    return try await document(key, showsSecret: false)
  }

  func updateKey(_ request: AdminRequest) async throws -> JSON {
    let change = try KeyChange(request.body)
    let key = try await key(id: try request.required(parameter: "id"))
    return try await document(apply(change, to: key), showsSecret: false)
  }

  func deleteKey(_ request: AdminRequest) async throws -> JSON {
    let key = try await key(id: try request.required(parameter: "id"))
    try await store.accessKeys.delete(key.id)
    return .null
  }

  // MARK: Parts of requests

  private func apply(_ change: KeyChange, to key: AccessKey) async throws -> AccessKey {
    guard change != KeyChange() else { return key }
    return try await store.accessKeys.update(
      key.id, name: change.name, mayCreateBuckets: change.mayCreateBuckets,
      expiration: change.expiration)
  }

  private func key(id: String) async throws -> AccessKey {
    guard let key = try await store.accessKeys.get(id) else { throw ModelError.noSuchAccessKey }
    return key
  }

  /// The key with an ID, a name, or the beginning of one that no other key has: see `Search`.
  private func key(matching pattern: String, isCertain: Bool) async throws -> AccessKey {
    if let key = try await store.accessKeys.get(pattern) { return key }
    let search = Search(
      noun: "access key", code: "NoSuchAccessKey", things: try await store.accessKeys.list(),
      id: \.id, names: { $0.name.isEmpty ? [] : [$0.name] })
    return try search.find(pattern, isCertain: isCertain)
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

/// What creation and change of a key share.
private struct KeyChange: Equatable {
  var name: String?
  var mayCreateBuckets: Bool?
  /// `.some(nil)`: for ever.
  var expiration: WallTime??

  /// No change.
  init() {}

  init(_ body: JSON) throws(AdminError) {
    name = try body.text("name")
    if try body["allow"]?.flag("createBucket") == true { mayCreateBuckets = true }
    if try body["deny"]?.flag("createBucket") == true { mayCreateBuckets = false }
    if let text = try body.text("expiration") {
      guard let time = DateText.parse(text) else {
        throw AdminError.invalid("'\(text)' is no date such as 2026-11-21T09:22:00Z")
      }
      expiration = .some(time)
    } else if try body.flag("neverExpires") {
      expiration = .some(nil)
    }
  }
}
