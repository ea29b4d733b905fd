// Everything that S3 stores, in one place.

/// Buckets, access keys, objects and uploads over the tables and blocks of one node.
package final class Store: Sendable {
  package let buckets: Buckets
  package let accessKeys: AccessKeys
  package let objects: Objects
  package let uploads: MultipartUploads

  init() {
    buckets = Buckets()
    accessKeys = AccessKeys()
    objects = Objects()
    uploads = MultipartUploads()
  }

  /// Starts the background workers.
  package func start() {}

  /// Stops the background workers and waits for them.
  package func stop() async {}
}
