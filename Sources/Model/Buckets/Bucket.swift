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

  package let id: BucketID
  package let created: WallTime
  /// Names that every key sees, sorted.
  package let globalAliases: [String]
  /// Names that one key sees, sorted by key and name.
  package let localAliases: [LocalAlias]
  /// The keys with at least one right, sorted by key.
  package let grants: [Grant]
  package let quota: BucketQuota
  /// The bucket's row as it was read; travels with writes of objects.
  let row: BucketRow

  /// The state that is known of it.
  var stamp: BucketStamp { row.stamp }

  /// The row, for replicas that know an older one.
  var companion: CompanionRow {
    CompanionRow(
      table: BucketSchema.tableName,
      row: EncodedRow(
        key: RowKey(partitionKey: [], sortKey: id.bytes), bytes: row.encoded))
  }

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
