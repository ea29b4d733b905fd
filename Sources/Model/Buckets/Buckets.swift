// Buckets: reading them, and who may do what in them.
//
// The rows are on every node and are read there. What a name means for a key is kept (RowCache.swift), so the
// request path reads nothing.

package import Base
import Tables

/// The buckets of the cluster.
package final class Buckets: Sendable {
  package let parts: StoreParts
  private let resolved: RowCache<NameForKey, Bucket>

  private struct NameForKey: Hashable {
    let name: String
    let accessKeyID: String?
  }

  init(_ parts: StoreParts) {
    self.parts = parts
    resolved = RowCache { [buckets = parts.buckets.local, aliases = parts.aliases.local] in
      buckets.changeNumber &+ aliases.changeNumber
    }
  }

  // MARK: Finding

  /// The bucket that `name` means for the key: its own alias first, then the global one; `nil` when
  /// there is none.
  ///
  /// A name of 64 hex digits that is nobody's alias is a bucket's ID.
  package func resolve(_ name: String, for accessKeyID: String?) async throws -> Bucket? {
    try await resolved.value(NameForKey(name: name, accessKeyID: accessKeyID)) {
      try await ModelError.translating { try await find(name, for: accessKeyID) }
    }
  }

  private func find(_ name: String, for accessKeyID: String?) async throws -> Bucket? {
    // What this node knows needs no question, also where it knows nothing of a name that only the key would see.
    if let accessKeyID, let bucket = try await known(.local(name, of: accessKeyID)) {
      return bucket
    }
    if let bucket = try await known(.global(name)) { return bucket }
    if let accessKeyID,
      let bucket = try await bucket(named: .local(name, of: accessKeyID))
    {
      return bucket
    }
    if let bucket = try await bucket(named: .global(name)) { return bucket }
    if let id = BucketID(hex: name) { return try await get(id) }
    return try await bucket(displacedAs: name)
  }

  /// Whether `name` is a bucket's for every key.
  ///
  /// For strangers: two reads, where `resolve` looks through all buckets for a name that may be a displaced one.
  package func hasGlobalAlias(_ name: String) async throws -> Bool {
    try await ModelError.translating {
      guard let alias = try await alias(.global(name)) else { return false }
      return try await row(alias.bucket) != nil
    }
  }

  /// The bucket with `id`.
  package func get(_ id: BucketID) async throws -> Bucket? {
    try await ModelError.translating {
      guard let row = try await row(id) else { return nil }
      return try await bucket(id, row)
    }
  }

  /// The bucket as a quorum knows it: for a right that this node does not know of.
  ///
  /// It is the same one when it was deleted meanwhile.
  package func current(_ bucket: Bucket) async throws -> Bucket {
    if parts.buckets.isSole { return bucket }
    return try await ModelError.translating {
      let key = RowKey(partitionKey: [], sortKey: bucket.id.bytes)
      guard let row = try await parts.buckets.current(key), row.state.value != .deleted else {
        return bucket
      }
      return try await self.bucket(bucket.id, row)
    }
  }

  /// All buckets, in the order of their first global alias.
  package func list() async throws -> [Bucket] {
    try await ModelError.translating {
      var buckets: [Bucket] = []
      for (id, row) in try await rows() { buckets.append(try await bucket(id, row)) }
      return buckets.sorted { left, right in
        (left.name(for: nil), left.id) < (right.name(for: nil), right.id)
      }
    }
  }

  /// The buckets in which the key has a right or of which it has an alias, in the order of their names for it.
  package func list(for accessKeyID: String) async throws -> [Bucket] {
    let buckets = try await list().filter { bucket in
      !bucket.permissions(of: accessKeyID).isEmpty
        || bucket.localAliases.contains { $0.accessKeyID == accessKeyID }
    }
    return buckets.sorted { $0.name(for: accessKeyID) < $1.name(for: accessKeyID) }
  }

  /// How much the bucket holds, as a quorum of its replicas counts it.
  package func usage(_ id: BucketID) async throws -> BucketUsage {
    try await parts.usageOfAll(id)
  }

  /// The bucket's row, unless it was deleted.
  func row(_ id: BucketID) async throws -> BucketRow? {
    try await parts.buckets.get(RowKey(partitionKey: [], sortKey: id.bytes))
  }

  /// The rows of all buckets, on this node.
  func rows() async throws -> [(BucketID, BucketRow)] {
    var rows: [(BucketID, BucketRow)] = []
    var from: [UInt8]? = []
    while let position = from {
      let page = try await parts.buckets.range(RangeQuery(partitionKey: [], from: position))
      for case .row(let sortKey, let row) in page.items {
        if let id = BucketID(sortKey) { rows.append((id, row)) }
      }
      from = page.next
    }
    return rows
  }

  /// The bucket that a name means as far as this node knows.
  private func known(_ name: AliasName) async throws -> Bucket? {
    let key = RowKey(partitionKey: [], sortKey: name.sortKey)
    guard let alias = try parts.aliases.local.entry(key), !alias.isReleased else { return nil }
    let row = try parts.buckets.local.entry(
      RowKey(partitionKey: [], sortKey: alias.bucket.bytes))
    guard let row, row.state.value != .deleted else { return nil }
    return try await bucket(alias.bucket, row)
  }

  private func bucket(named name: AliasName) async throws -> Bucket? {
    guard let alias = try await alias(name) else { return nil }
    if let row = try await row(alias.bucket) { return try await bucket(alias.bucket, row) }
    // What this node knows of the name leads nowhere: it may have been taken by another bucket since.
    let key = RowKey(partitionKey: [], sortKey: name.sortKey)
    guard let newer = try await parts.aliases.current(key), !newer.isReleased,
      newer.bucket != alias.bucket, let row = try await row(newer.bucket)
    else { return nil }
    return try await bucket(newer.bucket, row)
  }

  /// The row of a name that is taken.
  func alias(_ name: AliasName) async throws -> AliasRow? {
    try await parts.aliases.get(RowKey(partitionKey: [], sortKey: name.sortKey))
  }

  // MARK: Names

  /// What a caller sees of a row.
  func bucket(_ id: BucketID, _ row: BucketRow) async throws -> Bucket {
    var global: [String] = []
    var local: [Bucket.LocalAlias] = []
    for entry in row.names.entries where entry.register.value {
      let isOurs = try await alias(entry.key)?.bucket == id
      if let accessKeyID = entry.key.accessKeyID {
        if isOurs { local.append(.init(accessKeyID: accessKeyID, name: entry.key.name)) }
      } else {
        global.append(isOurs ? entry.key.name : Self.displaced(entry.key.name, id))
      }
    }
    let grants = row.grants.entries.compactMap { entry -> Bucket.Grant? in
      let permissions = Permissions(rawValue: entry.register.value)
      return permissions.isEmpty ? nil : .init(accessKeyID: entry.key, permissions: permissions)
    }
    return Bucket(
      id: id, globalAliases: global.sorted(), localAliases: local, grants: grants, row: row)
  }

  /// What the later of two buckets that were created with one name is called.
  private static func displaced(_ name: String, _ id: BucketID) -> String {
    "\(name)-\(id.hex.prefix(8))"
  }

  /// The bucket that lost its name to an earlier one and is called `name` now.
  private func bucket(displacedAs name: String) async throws -> Bucket? {
    guard let dash = name.lastIndex(of: "-"), name[dash...].utf8.count == 9,
      Hex.decode(name[name.index(after: dash)...]) != nil
    else { return nil }
    for (id, row) in try await rows() where name.hasSuffix(id.hex.prefix(8)) {
      let bucket = try await bucket(id, row)
      if bucket.globalAliases.contains(name) { return bucket }
    }
    return nil
  }

  // MARK: Limits

  /// Sets both limits of the bucket.
  ///
  /// What it holds stays, even if that is more.
  ///
  /// - Throws: `noSuchBucket`.
  package func setQuota(_ quota: BucketQuota, of id: BucketID) async throws -> Bucket {
    try await ModelError.translating {
      let row = try await parts.changeBucket(id) { row, now in row.quota.set(quota, now: now) }
      return try await bucket(id, row)
    }
  }

  // MARK: Rights

  /// Gives the key rights, beside those that it has.
  ///
  /// - Throws: `noSuchBucket`.
  package func allow(
    _ permissions: Permissions, to accessKeyID: String, in id: BucketID
  ) async throws -> Bucket {
    try await changeRights(of: accessKeyID, in: id) { $0.union(permissions) }
  }

  /// Takes rights from the key.
  ///
  /// - Throws: `noSuchBucket`.
  package func deny(
    _ permissions: Permissions, to accessKeyID: String, in id: BucketID
  ) async throws -> Bucket {
    try await changeRights(of: accessKeyID, in: id) { $0.subtracting(permissions) }
  }

  private func changeRights(
    of accessKeyID: String, in id: BucketID, _ change: (Permissions) -> Permissions
  ) async throws -> Bucket {
    try await ModelError.translating {
      let row = try await parts.changeBucket(id) { row, now in
        let held = Permissions(rawValue: row.grants[accessKeyID]?.value ?? 0)
        row.grants.set(accessKeyID, change(held).rawValue, now: now)
      }
      return try await bucket(id, row)
    }
  }
}
