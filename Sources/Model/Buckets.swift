// Buckets: names, rights, creation and deletion.

package import Base

struct BucketStamp: Equatable, Sendable { var rawValue: UInt64 }

/// The buckets of the cluster.
package final class Buckets: Sendable {
  init() {}

  /// The bucket that `name` means for the key: its own alias first, then the global one; `nil` when there is
  /// none. A name of 64 hex digits that is nobody's alias is a bucket's ID.
  package func resolve(_ name: String, for accessKeyID: String?) async throws -> Bucket? {
    throw ModelError.bucketBusy
  }

  /// The bucket with `id`.
  package func get(_ id: BucketID) async throws -> Bucket? { throw ModelError.bucketBusy }

  /// All buckets, in the order of their first global alias.
  package func list() async throws -> [Bucket] { throw ModelError.bucketBusy }

  /// The buckets in which the key has a right or of which it has an alias.
  package func list(for accessKeyID: String) async throws -> [Bucket] {
    throw ModelError.bucketBusy
  }

  /// Creates a bucket with a global alias and gives `owner`, when there is one, all rights.
  ///
  /// - Throws: `invalidBucketName`, `bucketAlreadyExists`, `bucketAlreadyOwnedByYou`.
  package func create(_ name: String, owner: String? = nil) async throws -> Bucket {
    throw ModelError.bucketBusy
  }

  /// Creates a bucket that only `accessKeyID` sees, under its own alias, with all rights.
  package func create(localAlias name: String, of accessKeyID: String) async throws -> Bucket {
    throw ModelError.bucketBusy
  }

  /// Deletes an empty bucket and its names. Its unfinished uploads are aborted.
  ///
  /// - Throws: `noSuchBucket`, `bucketNotEmpty`.
  package func delete(_ id: BucketID) async throws { throw ModelError.bucketBusy }

  /// How much the bucket holds.
  package func usage(_ id: BucketID) async throws -> BucketUsage { throw ModelError.bucketBusy }

  /// Gives the bucket one more name that every key sees.
  package func addGlobalAlias(_ name: String, to id: BucketID) async throws {
    throw ModelError.bucketBusy
  }

  /// Takes a name away.
  ///
  /// - Throws: `lastAlias` when the bucket has no other.
  package func removeGlobalAlias(_ name: String, from id: BucketID) async throws {
    throw ModelError.bucketBusy
  }

  /// Gives the bucket a name that only `accessKeyID` sees.
  package func addLocalAlias(_ name: String, of accessKeyID: String, to id: BucketID) async throws {
    throw ModelError.bucketBusy
  }

  /// Takes a name away that only `accessKeyID` sees.
  package func removeLocalAlias(
    _ name: String, of accessKeyID: String, from id: BucketID
  ) async throws {
    throw ModelError.bucketBusy
  }

  /// Gives the key rights, beside those that it has.
  package func allow(_ permissions: Permissions, to accessKeyID: String, in id: BucketID)
    async throws -> Bucket
  {
    throw ModelError.bucketBusy
  }

  /// Takes rights from the key.
  package func deny(_ permissions: Permissions, to accessKeyID: String, in id: BucketID)
    async throws -> Bucket
  {
    throw ModelError.bucketBusy
  }
}
