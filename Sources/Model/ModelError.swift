// Why an operation on buckets, keys, objects or uploads was not done.

/// An outcome that an interface tells its client about in the client's words.
package enum ModelError: Error, Equatable, Sendable {
  // Buckets and access keys.
  case noSuchBucket
  /// The name is taken by another bucket.
  case bucketAlreadyExists
  /// The name is taken by a bucket that the caller owns already.
  case bucketAlreadyOwnedByYou
  case bucketNotEmpty
  /// The bucket is being deleted or its settings are changing: the same request may succeed in a moment.
  case bucketBusy
  /// The name breaks S3's rules for bucket names; `reason` says which.
  case invalidBucketName(reason: String)
  /// The bucket would hold more than its quota allows.
  case quotaExceeded(QuotaExcess)
  /// The last name of a bucket cannot be taken away.
  case lastAlias
  case noSuchAccessKey
  case accessKeyAlreadyExists
  /// An access key or secret has a length or a character that is not accepted; `reason` says which.
  case invalidAccessKey(reason: String)

  // Objects.
  case noSuchKey
  /// The key has no byte, or is not UTF-8.
  case invalidKey
  case keyTooLong
  /// A range lies outside of the object.
  case invalidRange
  /// What was to be read or copied was replaced or deleted meanwhile.
  case sourceChanged

  // Multipart uploads.
  case noSuchUpload
  /// A part number is outside of 1 to 10,000.
  case invalidPartNumber
  /// A part named in a completion was not uploaded, or has another ETag than `etag`, which was named.
  case invalidPart(number: Int, etag: String? = nil)
  case invalidPartOrder
  /// A part other than the last is smaller than 5 MiB.
  case entityTooSmall(number: Int, sizeBytes: UInt64)
  /// An object or a part would have `sizeBytes`, or more, and may have `maxBytes`.
  case entityTooLarge(sizeBytes: UInt64, maxBytes: UInt64)

  // The node and the cluster.
  /// Writes are refused for lack of space; `reason` is for the operator.
  case storageFull(reason: String)
  /// The node takes no writes since its disk failed; `reason` is for the operator.
  case storageFailed(reason: String)
  /// Too few replicas answered. A write may still take effect.
  case quorumUnavailable(reason: String)
  /// A write was refused after a replica had accepted it: it was not acknowledged and may still take effect.
  case mayExist(reason: String)
  /// What was asked for needs blocks on several nodes, which this version does not have; an object may have `maxBytes`.
  case onlyInline(maxBytes: Int)
  /// The node has more to do than it can: the same request may succeed in a moment.
  case overloaded
  /// The client took or gave its bytes too slowly while others waited; its task is cancelled.
  case clientStalled
  /// The write was undone because it did not finish in time.
  case writeRefused
  /// A replica's clock and this node's differ by more than the allowed 15 minutes.
  case clockTooFar
  /// What is stored cannot be read; `reason` names it.
  case corrupt(reason: String)
}
