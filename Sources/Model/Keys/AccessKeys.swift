// The access keys of the cluster.

package import Base
import Tables

/// The access keys of the cluster.
package final class AccessKeys: Sendable {
  private let parts: StoreParts
  private let buckets: Buckets
  private let known: RowCache<String, AccessKey>

  init(_ parts: StoreParts, buckets: Buckets) {
    self.parts = parts
    self.buckets = buckets
    known = RowCache { [table = parts.accessKeys.local] in table.changeNumber }
  }

  // MARK: Making

  /// Makes a key with a random ID and secret.
  package func create(name: String) async throws -> AccessKey {
    let random = parts.runtime.random
    let id = "GK" + Hex.encode(random.bytes(12))
    return try await add(id: id, secret: Hex.encode(random.bytes(32)), name: name)
  }

  /// Takes a key that exists elsewhere.
  ///
  /// - Throws: `invalidAccessKey`, `accessKeyAlreadyExists`.
  package func importKey(id: String, secret: String, name: String) async throws -> AccessKey {
    try Self.check(id, "access key ID", refusing: [UInt8(ascii: "/")])
    try Self.check(secret, "secret key", refusing: [])
    return try await add(id: id, secret: secret, name: name)
  }

  private func add(id: String, secret: String, name: String) async throws -> AccessKey {
    try await ModelError.translating {
      let sortKey = Array(id.utf8)
      let held = try await parts.accessKeys.current(RowKey(partitionKey: [], sortKey: sortKey))
      if held?.key != nil { throw ModelError.accessKeyAlreadyExists }
      let wall = parts.runtime.wallNow
      try await parts.merge(parts.accessKeys) { now in
        let now = max(now, held?.changed.next ?? .zero)
        let row = AccessKeyRow(
          created: now, createdWall: wall, secret: secret, name: Self.shortened(name))
        return [(sortKey, row)]
      }
      return try await existing(id)
    }
  }

  /// Signature Version 4 writes the ID between slashes, so there can be none in it.
  private static func check(
    _ text: String, _ what: String, refusing refused: [UInt8]
  ) throws(ModelError) {
    guard (16...128).contains(text.utf8.count) else {
      throw .invalidAccessKey(reason: "the \(what) must have 16 to 128 characters")
    }
    guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && !refused.contains($0) }) else {
      throw .invalidAccessKey(
        reason: "the \(what) may hold only printable ASCII characters"
          + (refused.isEmpty ? "" : " other than /"))
    }
  }

  /// A name is for people: what is longer than a row takes is cut off.
  private static func shortened(_ name: String) -> String {
    var name = name
    while name.utf8.count > RowLimits.nameBytesMax { name.removeLast() }
    return name
  }

  // MARK: Finding

  /// The key with `id`; expired keys are returned too.
  package func get(_ id: String) async throws -> AccessKey? {
    guard (1...RowLimits.nameBytesMax).contains(id.utf8.count) else { return nil }
    return try await known.value(id) {
      let sortKey = Array(id.utf8)
      let row = try await ModelError.translating {
        try await parts.accessKeys.get(RowKey(partitionKey: [], sortKey: sortKey))
      }
      return row.flatMap { AccessKey(id: id, $0) }
    }
  }

  /// The key as a quorum knows it: for a right that this node does not know of.
  ///
  /// It is the same one when it was deleted meanwhile.
  package func current(_ key: AccessKey) async throws -> AccessKey {
    if parts.accessKeys.isSole { return key }
    let row = try await ModelError.translating {
      try await parts.accessKeys.current(RowKey(partitionKey: [], sortKey: Array(key.id.utf8)))
    }
    return row.flatMap { AccessKey(id: key.id, $0) } ?? key
  }

  private func existing(_ id: String) async throws -> AccessKey {
    guard let key = try await get(id) else { throw ModelError.noSuchAccessKey }
    return key
  }

  /// All keys, in the order of their IDs.
  package func list() async throws -> [AccessKey] {
    try await ModelError.translating {
      var keys: [AccessKey] = []
      var from: [UInt8]? = []
      while let position = from {
        let page = try await parts.accessKeys.range(RangeQuery(partitionKey: [], from: position))
        for case .row(let sortKey, let row) in page.items {
          if let id = String(validating: sortKey, as: UTF8.self),
            let key = AccessKey(id: id, row)
          {
            keys.append(key)
          }
        }
        from = page.next
      }
      return keys
    }
  }

  // MARK: Changing

  /// Deletes the key, its rights and its own bucket names.
  ///
  /// The key goes last, and a name before its bucket's word of it: whatever breaks off can be repeated until nothing is
  /// left.
  ///
  /// - Throws: `noSuchAccessKey`.
  package func delete(_ id: String) async throws {
    try await ModelError.translating {
      _ = try await existing(id)
      for (bucket, row) in try await buckets.rows() {
        let names = row.names.entries.filter { $0.key.accessKeyID == id && $0.register.value }
        let hasRights = row.grants[id]?.value ?? 0 != 0
        guard hasRights || !names.isEmpty else { continue }
        for name in names { try await buckets.release(name.key, of: bucket) }
        _ = try await parts.changeBucket(bucket) { row, now in
          if hasRights { row.grants.set(id, 0, now: now) }
          for name in names { row.names.set(name.key, false, now: now) }
        }
      }
      try await change(id) { row, _ in row.key = nil }
    }
  }

  /// Changes what is given and leaves the rest.
  ///
  /// - Parameter expiration: `.some(nil)` makes the key work for ever.
  /// - Throws: `noSuchAccessKey`.
  package func update(
    _ id: String, name: String? = nil, mayCreateBuckets: Bool? = nil,
    expiration: WallTime?? = nil
  ) async throws -> AccessKey {
    try await ModelError.translating {
      try await change(id) { row, now in
        if let name { row.key?.name.set(Self.shortened(name), now: now) }
        if let mayCreateBuckets { row.key?.mayCreateBuckets.set(mayCreateBuckets, now: now) }
        if let expiration { row.key?.expiration.set(expiration, now: now) }
      }
      return try await existing(id)
    }
  }

  private func change(
    _ id: String, _ change: (inout AccessKeyRow, Timestamp) -> Void
  ) async throws {
    let sortKey = Array(id.utf8)
    guard
      let held = try await parts.accessKeys.current(RowKey(partitionKey: [], sortKey: sortKey)),
      held.key != nil
    else { throw ModelError.noSuchAccessKey }
    try await parts.merge(parts.accessKeys) { now in
      let now = max(now, held.changed.next)
      var row = held
      change(&row, now)
      row.changed = now
      return [(sortKey, row)]
    }
  }
}

extension AccessKey {
  /// The key that `row` describes; `nil` when it was deleted.
  init?(id: String, _ row: AccessKeyRow) {
    guard let key = row.key else { return nil }
    self.init(
      id: id, secret: key.secret, name: key.name.value, created: row.createdWall,
      expiration: key.expiration.value, mayCreateBuckets: key.mayCreateBuckets.value)
  }
}
