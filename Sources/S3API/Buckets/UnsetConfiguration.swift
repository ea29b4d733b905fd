// Configuration that nothing can set here, so that it never exists.
//
// Tools read the configuration of a bucket before they change it, and delete it when they clean up. S3 answers the read
// of what was never set with an error of its own, or with an empty or default document, and its deletion with 204;
// whoever gets 501 gives up. So only setting is 501. The rows are the actions of S3 that are a GET or a DELETE of a
// sub-resource (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html) and
// that nothing else here does; the answers are S3's documentation's, or were recorded from AWS.

import APICommon
import Codecs
import HTTP
import Model

/// One action on configuration that was never set.
package struct UnsetConfiguration: Sendable {
  /// What S3 answers.
  enum Answer: Sendable {
    /// An error, with the sentence that S3 usually has for it or another one of S3's.
    case error(S3ErrorCode, String? = nil)
    /// A document with what S3 has by default.
    case document(StaticString, [(name: StaticString, text: String)] = [])
    /// 204: what does not exist need not be deleted.
    case gone
  }

  /// The method and the parameter that selects the action; with `&id` behind it for one of many that have IDs.
  let request: String
  let operation: S3Operation
  let answer: Answer
  /// Who may ask, by the rights in the bucket.
  let permissions: Permissions
  var isOfBucket = true

  private static let ofBuckets = Dictionary(
    uniqueKeysWithValues: (bucketReads + bucketDeletions).map { ($0.request, $0.operation) })
  private static let ofObjects = Dictionary(
    uniqueKeysWithValues: objectReads.map { ($0.request, $0.operation) })
  private static let rows = Dictionary(
    uniqueKeysWithValues: (bucketReads + bucketDeletions + objectReads).map { ($0.operation, $0) })

  /// All operations that the rows answer.
  package static var operations: [S3Operation] { Array(rows.keys) }

  /// The operation on the sub-resource `selected` of a bucket; `nil` when there is no row for it.
  ///
  /// - Parameter hasID: whether the query has an `id`.
  static func ofBucket(_ method: String, _ selected: String, hasID: Bool) -> S3Operation? {
    (hasID ? ofBuckets["\(method) \(selected)&id"] : nil) ?? ofBuckets["\(method) \(selected)"]
  }

  /// The operation on the sub-resource `selected` of an object; `nil` when there is no row for it.
  static func ofObject(_ method: String, _ selected: String) -> S3Operation? {
    ofObjects["\(method) \(selected)"]
  }

  /// Answers `operation`.
  ///
  /// - Throws: the error that is the answer; `NotImplemented` for an operation without a row; what `S3Request.bucket`
  ///   throws.
  static func handle(_ operation: S3Operation, _ request: S3Request) async throws {
    guard let row = rows[operation] else { throw S3Error(.notImplemented) }
    _ = try await request.bucket(anyOf: row.permissions)
    switch row.answer {
    case .error(let code, let message):
      var error = S3Error(code, message)
      if row.isOfBucket { error.note("BucketName", request.bucketName) }
      throw error
    case .document(let root, let elements):
      try await request.respond(xml: root) { xml in
        for element in elements { xml.element(element.name, element.text) }
      }
    case .gone: try await request.exchange.respond(204)
    }
  }
}

extension UnsetConfiguration {
  private static func read(
    _ parameter: String, _ operation: S3Operation, _ answer: Answer
  ) -> UnsetConfiguration {
    UnsetConfiguration(
      request: "GET \(parameter)", operation: operation, answer: answer, permissions: .all)
  }

  private static func list(
    _ parameter: String, _ operation: S3Operation, _ root: StaticString
  ) -> UnsetConfiguration {
    read(parameter, operation, .document(root, [("IsTruncated", "false")]))
  }

  /// Configuration is its owner's, also where there is nothing to delete.
  private static func delete(
    _ parameter: String, _ operation: S3Operation, _ answer: Answer = .gone
  ) -> UnsetConfiguration {
    UnsetConfiguration(
      request: "DELETE \(parameter)", operation: operation, answer: answer, permissions: .owner)
  }

  private static let bucketReads = [
    read("abac", .getBucketABAC, .document("AbacStatus", [("Status", "Disabled")])),
    read("accelerate", .getBucketAccelerateConfiguration, .document("AccelerateConfiguration")),
    read("analytics&id", .getBucketAnalyticsConfiguration, .error(.noSuchConfiguration)),
    list(
      "analytics", .listBucketAnalyticsConfigurations, "ListBucketAnalyticsConfigurationResult"),
    read("cors", .getBucketCORS, .error(.noSuchCORSConfiguration)),
    // AWS encrypts of itself, and says so. Here nothing is encrypted.
    read("encryption", .getBucketEncryption, .error(.encryptionConfigurationNotFound)),
    read(
      "intelligent-tiering&id", .getBucketIntelligentTieringConfiguration,
      .error(.noSuchConfiguration)),
    list(
      "intelligent-tiering", .listBucketIntelligentTieringConfigurations,
      "ListBucketIntelligentTieringConfigurationsOutput"),
    read("inventory&id", .getBucketInventoryConfiguration, .error(.noSuchConfiguration)),
    list("inventory", .listBucketInventoryConfigurations, "ListInventoryConfigurationsResult"),
    read(
      "lifecycle", .getBucketLifecycleConfiguration, .error(.noSuchLifecycleConfiguration)),
    read("logging", .getBucketLogging, .document("BucketLoggingStatus")),
    read(
      "metadataConfiguration", .getBucketMetadataConfiguration,
      .error(.metadataConfigurationNotFound)),
    read(
      "metadataTable", .getBucketMetadataTableConfiguration,
      .error(.metadataConfigurationNotFound)),
    read("metrics&id", .getBucketMetricsConfiguration, .error(.noSuchConfiguration)),
    list("metrics", .listBucketMetricsConfigurations, "ListMetricsConfigurationsResult"),
    read(
      "notification", .getBucketNotificationConfiguration, .document("NotificationConfiguration")),
    read("object-lock", .getObjectLockConfiguration, .error(.objectLockConfigurationNotFound)),
    read("ownershipControls", .getBucketOwnershipControls, .error(.ownershipControlsNotFound)),
    read("policy", .getBucketPolicy, .error(.noSuchBucketPolicy)),
    read("policyStatus", .getBucketPolicyStatus, .error(.noSuchBucketPolicy)),
    read(
      "publicAccessBlock", .getPublicAccessBlock, .error(.noSuchPublicAccessBlockConfiguration)),
    read("replication", .getBucketReplication, .error(.replicationConfigurationNotFound)),
    read(
      "requestPayment", .getBucketRequestPayment,
      .document("RequestPaymentConfiguration", [("Payer", "BucketOwner")])),
    read("tagging", .getBucketTagging, .error(.noSuchTagSet)),
    read("website", .getBucketWebsite, .error(.noSuchWebsiteConfiguration)),
  ]

  private static let bucketDeletions = [
    // Of what is one of many AWS says that it does not exist.
    delete("analytics&id", .deleteBucketAnalyticsConfiguration, .error(.noSuchConfiguration)),
    delete(
      "intelligent-tiering&id", .deleteBucketIntelligentTieringConfiguration,
      .error(.noSuchConfiguration)),
    delete("inventory&id", .deleteBucketInventoryConfiguration, .error(.noSuchConfiguration)),
    delete("metrics&id", .deleteBucketMetricsConfiguration, .error(.noSuchConfiguration)),
    delete("cors", .deleteBucketCORS), delete("encryption", .deleteBucketEncryption),
    delete("lifecycle", .deleteBucketLifecycle),
    delete("metadataConfiguration", .deleteBucketMetadataConfiguration),
    delete("metadataTable", .deleteBucketMetadataTableConfiguration),
    delete("ownershipControls", .deleteBucketOwnershipControls),
    delete("policy", .deleteBucketPolicy), delete("publicAccessBlock", .deletePublicAccessBlock),
    delete("replication", .deleteBucketReplication), delete("tagging", .deleteBucketTagging),
    delete("website", .deleteBucketWebsite),
  ]

  /// An object's lock, in a bucket that has none.
  private static let objectReads = [
    ("retention", S3Operation.getObjectRetention), ("legal-hold", .getObjectLegalHold),
  ].map { parameter, operation in
    UnsetConfiguration(
      request: "GET \(parameter)", operation: operation,
      answer: .error(.invalidRequest, "Bucket is missing Object Lock Configuration"),
      permissions: .read, isOfBucket: false)
  }
}
