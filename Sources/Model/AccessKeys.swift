// The access keys of the cluster.

package import Base

/// The access keys of the cluster.
package final class AccessKeys: Sendable {
  init() {}

  /// Makes a key with a random ID and secret.
  package func create(name: String) async throws -> AccessKey { throw ModelError.bucketBusy }

  /// Takes a key that exists elsewhere.
  ///
  /// - Throws: `invalidAccessKey`, `accessKeyAlreadyExists`.
  package func importKey(id: String, secret: String, name: String) async throws -> AccessKey {
    throw ModelError.bucketBusy
  }

  /// The key with `id`; expired keys are returned too.
  package func get(_ id: String) async throws -> AccessKey? { throw ModelError.bucketBusy }

  /// All keys, in the order of their IDs.
  package func list() async throws -> [AccessKey] { throw ModelError.bucketBusy }

  /// Deletes the key, its rights and its own bucket names.
  ///
  /// - Throws: `noSuchAccessKey`.
  package func delete(_ id: String) async throws { throw ModelError.bucketBusy }

  /// Changes what is given and leaves the rest.
  ///
  /// - Parameter expiration: `.some(nil)` makes the key work for ever.
  package func update(
    _ id: String, name: String? = nil, mayCreateBuckets: Bool? = nil,
    expiration: WallTime?? = nil
  ) async throws -> AccessKey {
    throw ModelError.bucketBusy
  }
}
