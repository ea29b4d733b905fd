// Buckets as callers see them.

package import Base
import Tables

/// What a key may do in a bucket.
package struct Permissions: OptionSet, Hashable, Sendable {
  package let rawValue: UInt8

  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Read objects and list them.
  package static let read = Permissions(rawValue: 1)
  /// Write and delete objects.
  package static let write = Permissions(rawValue: 2)
  /// Change the bucket's settings and delete it.
  package static let owner = Permissions(rawValue: 4)
  package static let all: Permissions = [.read, .write, .owner]
}

/// A bucket, at the moment at which it was read.
package struct Bucket: Equatable, Sendable {
  /// A name that only one access key sees.
  package struct LocalAlias: Hashable, Sendable {
    package var accessKeyID: String
    package var name: String

    package init(accessKeyID: String, name: String) {
      self.accessKeyID = accessKeyID
      self.name = name
    }
  }

  /// What a key may do here.
  package struct Grant: Hashable, Sendable {
    package var accessKeyID: String
    package var permissions: Permissions
  }

  /// A class, as everything that handles a request holds it.
  private final class Facts: Sendable {
    let created: WallTime
    let globalAliases: [String]
    let localAliases: [LocalAlias]
    let grants: [Grant]
    let row: BucketRow
    let companion: CompanionRow

    init(
      id: BucketID, created: WallTime, globalAliases: [String], localAliases: [LocalAlias],
      grants: [Grant], row: BucketRow
    ) {
      companion = CompanionRow(
        table: BucketSchema.tableName,
        row: EncodedRow(
          key: RowKey(partitionKey: [], sortKey: id.bytes), bytes: row.encoded))
      self.created = created
      self.globalAliases = globalAliases
      self.localAliases = localAliases
      self.grants = grants
      self.row = row
    }
  }

  package let id: BucketID
  package let quota: BucketQuota
  /// The state that is known of it; travels with writes of objects.
  let stamp: BucketStamp
  private let facts: Facts

  package var created: WallTime { facts.created }
  /// Names that every key sees, sorted.
  package var globalAliases: [String] { facts.globalAliases }
  /// Names that one key sees, sorted by key and name.
  package var localAliases: [LocalAlias] { facts.localAliases }
  /// The keys with at least one right, sorted by key.
  package var grants: [Grant] { facts.grants }

  /// A bucket with the row that was read, and what its names mean now.
  init(
    id: BucketID, globalAliases: [String], localAliases: [LocalAlias], grants: [Grant],
    row: BucketRow
  ) {
    self.id = id
    quota = row.quota.value
    stamp = row.stamp
    facts = Facts(
      id: id, created: row.createdWall, globalAliases: globalAliases, localAliases: localAliases,
      grants: grants, row: row)
  }

  package static func == (left: Self, right: Self) -> Bool {
    left.id == right.id && left.facts.row == right.facts.row
      && left.globalAliases == right.globalAliases && left.localAliases == right.localAliases
  }

  /// The same bucket, known at another state.
  func with(_ row: BucketRow) -> Bucket {
    Bucket(
      id: id, globalAliases: globalAliases, localAliases: localAliases, grants: grants, row: row)
  }

  /// The row, for replicas that know an older one.
  var companion: CompanionRow { facts.companion }

  /// What the key may do here; nothing when it has no grant.
  package func permissions(of accessKeyID: String) -> Permissions {
    grants.first { $0.accessKeyID == accessKeyID }?.permissions ?? []
  }

  /// The name under which the key sees the bucket: its own alias, else the first global one, else the ID.
  package func name(for accessKeyID: String?) -> String {
    if let accessKeyID,
      let local = localAliases.first(where: { $0.accessKeyID == accessKeyID })
    {
      return local.name
    }
    return globalAliases.first ?? id.hex
  }
}

/// How much a bucket holds, as counted by this node.
package struct BucketUsage: Equatable, Sendable {
  package var objects: UInt64
  /// The sum of the objects' sizes.
  package var bytes: UInt64
  /// Multipart uploads that are neither complete nor aborted.
  package var unfinishedUploads: UInt64
  /// The sum of the sizes of their parts.
  package var unfinishedBytes: UInt64

  package init(
    objects: UInt64 = 0, bytes: UInt64 = 0, unfinishedUploads: UInt64 = 0,
    unfinishedBytes: UInt64 = 0
  ) {
    self.objects = objects
    self.bytes = bytes
    self.unfinishedUploads = unfinishedUploads
    self.unfinishedBytes = unfinishedBytes
  }

  /// What a quota limits.
  var storedBytes: UInt64 {
    let (sum, overflow) = bytes.addingReportingOverflow(unfinishedBytes)
    return overflow ? .max : sum
  }
}
