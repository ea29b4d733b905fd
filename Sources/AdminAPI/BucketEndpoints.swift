// Buckets: listing, creation, deletion, names, rights.

import Base
import Codecs
import Model

extension AdminEndpoints {
  func listBuckets(_ request: AdminRequest) async throws -> JSON {
    .array(
      try await store.buckets.list().map { bucket in
        [
          "id": .string(bucket.id.hex),
          "created": .string(CivilTime(bucket.created).iso8601),
          "globalAliases": .array(bucket.globalAliases.map { .string($0) }),
          "localAliases": .array(
            bucket.localAliases.map {
              ["accessKeyId": .string($0.accessKeyID), "alias": .string($0.name)]
            }),
        ]
      })
  }

  func bucketInfo(_ request: AdminRequest) async throws -> JSON {
    if let id = try request.parameter("id") { return try await document(bucket(id: id)) }
    if let alias = try request.parameter("globalAlias") {
      guard let bucket = try await store.buckets.resolve(alias, for: nil) else {
        throw try await search().missing(alias)
      }
      return try await document(bucket)
    }
    let found = try await bucket(
      matching: request.required(parameter: "search"), isCertain: request.isCertain)
    return try await document(found)
  }

  func createBucket(_ request: AdminRequest) async throws -> JSON {
    let globalAlias = try request.body.text("globalAlias")
    let local = request.body["localAlias"].flatMap { $0.isNull ? nil : $0 }
    let localName = try local?.requiredText("alias")
    let owner = try local?.requiredText("accessKeyId")
    if let owner, try await store.accessKeys.get(owner) == nil { throw ModelError.noSuchAccessKey }
    let bucket: Bucket
    switch (globalAlias, localName, owner) {
    case (let name?, let localName?, let owner?):
      let created = try await store.buckets.create(name)
      try await store.buckets.addLocalAlias(localName, of: owner, to: created.id)
      bucket = created
    case (let name?, _, _): bucket = try await store.buckets.create(name)
    case (nil, let localName?, let owner?):
      bucket = try await store.buckets.create(localAlias: localName, of: owner)
    default: throw AdminError.invalid("a bucket needs a globalAlias or a localAlias")
    }
    if let owner, let allow = local?["allow"] {
      let permissions = try Self.permissions(allow)
      if !permissions.isEmpty {
        _ = try await store.buckets.allow(permissions, to: owner, in: bucket.id)
      }
    }
    return try await document(self.bucket(id: bucket.id.hex))
  }

  /// Sets the quotas: both of them, as `null` or nothing stands for no limit.
  func updateBucket(_ request: AdminRequest) async throws -> JSON {
    let bucket = try await bucket(id: try request.required(parameter: "id"))
    guard let quotas = request.body["quotas"], !quotas.isNull else {
      throw AdminError.invalid("quotas is missing")
    }
    let quota = BucketQuota(
      bytesMax: try quotas.count("maxSize"), objectsMax: try quotas.count("maxObjects"))
    return try await document(store.buckets.setQuota(quota, of: bucket.id))
  }

  func deleteBucket(_ request: AdminRequest) async throws -> JSON {
    try await store.buckets.delete(bucket(id: try request.required(parameter: "id")).id)
    return .null
  }

  func allowBucketKey(_ request: AdminRequest) async throws -> JSON {
    let change = try await permissionChange(request)
    return try await document(
      store.buckets.allow(change.permissions, to: change.key, in: change.bucket))
  }

  func denyBucketKey(_ request: AdminRequest) async throws -> JSON {
    let change = try await permissionChange(request)
    return try await document(
      store.buckets.deny(change.permissions, to: change.key, in: change.bucket))
  }

  func addBucketAlias(_ request: AdminRequest) async throws -> JSON {
    let bucket = try await bucket(id: try request.body.requiredText("bucketId"))
    if let name = try request.body.text("globalAlias") {
      try await store.buckets.addGlobalAlias(name, to: bucket.id)
    } else {
      let name = try request.body.requiredText("localAlias")
      let key = try request.body.requiredText("accessKeyId")
      guard try await store.accessKeys.get(key) != nil else { throw ModelError.noSuchAccessKey }
      try await store.buckets.addLocalAlias(name, of: key, to: bucket.id)
    }
    return try await document(self.bucket(id: bucket.id.hex))
  }

  func removeBucketAlias(_ request: AdminRequest) async throws -> JSON {
    let bucket = try await bucket(id: try request.body.requiredText("bucketId"))
    if let name = try request.body.text("globalAlias") {
      guard bucket.globalAliases.contains(name) else { throw Self.noSuchAlias(name) }
      try await store.buckets.removeGlobalAlias(name, from: bucket.id)
    } else {
      let name = try request.body.requiredText("localAlias")
      let key = try request.body.requiredText("accessKeyId")
      guard bucket.localAliases.contains(.init(accessKeyID: key, name: name)) else {
        throw Self.noSuchAlias(name)
      }
      try await store.buckets.removeLocalAlias(name, of: key, from: bucket.id)
    }
    return try await document(self.bucket(id: bucket.id.hex))
  }

  // MARK: Parts of requests

  private static func noSuchAlias(_ name: String) -> AdminError {
    AdminError(404, "NoSuchBucket", "the bucket is not called \(name)")
  }

  private func permissionChange(
    _ request: AdminRequest
  ) async throws -> (bucket: BucketID, key: String, permissions: Permissions) {
    let bucket = try await bucket(id: try request.body.requiredText("bucketId"))
    let key = try request.body.requiredText("accessKeyId")
    guard try await store.accessKeys.get(key) != nil else { throw ModelError.noSuchAccessKey }
    guard let flags = request.body["permissions"] else {
      throw AdminError.invalid("permissions is missing")
    }
    return (bucket.id, key, try Self.permissions(flags))
  }

  static func permissions(_ flags: JSON) throws(AdminError) -> Permissions {
    var permissions: Permissions = []
    if try flags.flag("read") { permissions.insert(.read) }
    if try flags.flag("write") { permissions.insert(.write) }
    if try flags.flag("owner") { permissions.insert(.owner) }
    return permissions
  }

  static func document(_ permissions: Permissions) -> JSON {
    [
      "read": .bool(permissions.contains(.read)), "write": .bool(permissions.contains(.write)),
      "owner": .bool(permissions.contains(.owner)),
    ]
  }

  private func bucket(id text: String) async throws -> Bucket {
    guard let id = BucketID(hex: text) else {
      throw AdminError.invalid("a bucket's ID is 64 hex digits")
    }
    guard let bucket = try await store.buckets.get(id) else { throw ModelError.noSuchBucket }
    return bucket
  }

  /// The bucket with a name, an ID, or the beginning of one that no other bucket has: see `Search`.
  private func bucket(matching pattern: String, isCertain: Bool) async throws -> Bucket {
    if let bucket = try await store.buckets.resolve(pattern, for: nil) { return bucket }
    return try await search().find(pattern, isCertain: isCertain)
  }

  private func search() async throws -> Search<Bucket> {
    Search(
      noun: "bucket", code: "NoSuchBucket", things: try await store.buckets.list(), id: \.id.hex,
      names: { $0.globalAliases + $0.localAliases.map(\.name) })
  }

  private func document(_ bucket: Bucket) async throws -> JSON {
    let usage = try await store.buckets.usage(bucket.id)
    let holders = Set(bucket.grants.map(\.accessKeyID) + bucket.localAliases.map(\.accessKeyID))
    var keys: [JSON] = []
    for id in holders.sorted() {
      let names = bucket.localAliases.filter { $0.accessKeyID == id }.map { JSON.string($0.name) }
      keys.append([
        "accessKeyId": .string(id),
        "name": .string(try await store.accessKeys.get(id)?.name ?? ""),
        "permissions": Self.document(bucket.permissions(of: id)),
        "bucketLocalAliases": .array(names),
      ])
    }
    return [
      "id": .string(bucket.id.hex),
      "created": .string(CivilTime(bucket.created).iso8601),
      "globalAliases": .array(bucket.globalAliases.map { .string($0) }),
      "websiteAccess": false,
      "websiteConfig": nil,
      "keys": .array(keys),
      "objects": .count(usage.objects),
      "bytes": .count(usage.bytes),
      "unfinishedUploads": .count(usage.unfinishedUploads),
      "unfinishedMultipartUploadBytes": .count(usage.unfinishedBytes),
      "quotas": [
        "maxSize": bucket.quota.bytesMax.map { .count($0) } ?? .null,
        "maxObjects": bucket.quota.objectsMax.map { .count($0) } ?? .null,
      ],
    ]
  }
}
