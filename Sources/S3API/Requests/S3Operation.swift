// The operations of S3 that exist here.

/// An operation; the raw value is its name in S3's documentation.
package enum S3Operation: String, CaseIterable, Sendable {
  case abortMultipartUpload = "AbortMultipartUpload"
  case completeMultipartUpload = "CompleteMultipartUpload"
  case copyObject = "CopyObject"
  case createBucket = "CreateBucket"
  case createMultipartUpload = "CreateMultipartUpload"
  case deleteBucket = "DeleteBucket"
  case deleteObject = "DeleteObject"
  case deleteObjects = "DeleteObjects"
  case deleteObjectTagging = "DeleteObjectTagging"
  case getBucketACL = "GetBucketAcl"
  case getBucketLocation = "GetBucketLocation"
  case getBucketVersioning = "GetBucketVersioning"
  case getObject = "GetObject"
  case getObjectACL = "GetObjectAcl"
  case getObjectAttributes = "GetObjectAttributes"
  case getObjectTagging = "GetObjectTagging"
  case headBucket = "HeadBucket"
  case headObject = "HeadObject"
  case listBuckets = "ListBuckets"
  case listMultipartUploads = "ListMultipartUploads"
  case listObjects = "ListObjects"
  case listObjectsV2 = "ListObjectsV2"
  case listObjectVersions = "ListObjectVersions"
  case listParts = "ListParts"
  case putObject = "PutObject"
  case uploadPart = "UploadPart"
  case uploadPartCopy = "UploadPartCopy"

  // Of configuration that nothing can set here: UnsetConfiguration.swift.
  case deleteBucketAnalyticsConfiguration = "DeleteBucketAnalyticsConfiguration"
  case deleteBucketCORS = "DeleteBucketCors"
  case deleteBucketEncryption = "DeleteBucketEncryption"
  case deleteBucketIntelligentTieringConfiguration = "DeleteBucketIntelligentTieringConfiguration"
  case deleteBucketInventoryConfiguration = "DeleteBucketInventoryConfiguration"
  case deleteBucketLifecycle = "DeleteBucketLifecycle"
  case deleteBucketMetadataConfiguration = "DeleteBucketMetadataConfiguration"
  case deleteBucketMetadataTableConfiguration = "DeleteBucketMetadataTableConfiguration"
  case deleteBucketMetricsConfiguration = "DeleteBucketMetricsConfiguration"
  case deleteBucketOwnershipControls = "DeleteBucketOwnershipControls"
  case deleteBucketPolicy = "DeleteBucketPolicy"
  case deleteBucketReplication = "DeleteBucketReplication"
  case deleteBucketTagging = "DeleteBucketTagging"
  case deleteBucketWebsite = "DeleteBucketWebsite"
  case deletePublicAccessBlock = "DeletePublicAccessBlock"
  case getBucketABAC = "GetBucketAbac"
  case getBucketAccelerateConfiguration = "GetBucketAccelerateConfiguration"
  case getBucketAnalyticsConfiguration = "GetBucketAnalyticsConfiguration"
  case getBucketCORS = "GetBucketCors"
  case getBucketEncryption = "GetBucketEncryption"
  case getBucketIntelligentTieringConfiguration = "GetBucketIntelligentTieringConfiguration"
  case getBucketInventoryConfiguration = "GetBucketInventoryConfiguration"
  case getBucketLifecycleConfiguration = "GetBucketLifecycleConfiguration"
  case getBucketLogging = "GetBucketLogging"
  case getBucketMetadataConfiguration = "GetBucketMetadataConfiguration"
  case getBucketMetadataTableConfiguration = "GetBucketMetadataTableConfiguration"
  case getBucketMetricsConfiguration = "GetBucketMetricsConfiguration"
  case getBucketNotificationConfiguration = "GetBucketNotificationConfiguration"
  case getBucketOwnershipControls = "GetBucketOwnershipControls"
  case getBucketPolicy = "GetBucketPolicy"
  case getBucketPolicyStatus = "GetBucketPolicyStatus"
  case getBucketReplication = "GetBucketReplication"
  case getBucketRequestPayment = "GetBucketRequestPayment"
  case getBucketTagging = "GetBucketTagging"
  case getBucketWebsite = "GetBucketWebsite"
  case getObjectLegalHold = "GetObjectLegalHold"
  case getObjectLockConfiguration = "GetObjectLockConfiguration"
  case getObjectRetention = "GetObjectRetention"
  case getPublicAccessBlock = "GetPublicAccessBlock"
  case listBucketAnalyticsConfigurations = "ListBucketAnalyticsConfigurations"
  case listBucketIntelligentTieringConfigurations = "ListBucketIntelligentTieringConfigurations"
  case listBucketInventoryConfigurations = "ListBucketInventoryConfigurations"
  case listBucketMetricsConfigurations = "ListBucketMetricsConfigurations"

  /// The operation that this one is when its bytes are those of another object.
  var ofCopy: S3Operation {
    switch self {
    case .putObject: .copyObject
    case .uploadPart: .uploadPartCopy
    default: self
    }
  }

  /// Whether it changes something.
  package var isWrite: Bool {
    switch self {
    case .abortMultipartUpload, .completeMultipartUpload, .copyObject, .createBucket,
      .createMultipartUpload, .deleteBucket, .deleteObject, .deleteObjects, .deleteObjectTagging,
      .putObject, .uploadPart, .uploadPartCopy:
      true
    default: false
    }
  }

  /// Does the operation that `request` asks for, and responds.
  func perform(_ request: S3Request) async throws {
    switch self {
    case .abortMultipartUpload: try await MultipartEndpoints.abort(request)
    case .completeMultipartUpload: try await CompleteMultipartUpload.handle(request)
    case .copyObject: try await CopyObject.handle(request)
    case .createBucket: try await BucketEndpoints.create(request)
    case .createMultipartUpload: try await MultipartEndpoints.create(request)
    case .deleteBucket: try await BucketEndpoints.delete(request)
    case .deleteObject: try await DeleteEndpoints.deleteObject(request)
    case .deleteObjects: try await DeleteEndpoints.deleteObjects(request)
    case .deleteObjectTagging: try await ObjectTagging.delete(request)
    case .getBucketACL: try await AccessControlLists.bucket(request)
    case .getBucketLocation: try await BucketEndpoints.location(request)
    case .getBucketVersioning: try await BucketEndpoints.versioning(request)
    case .getObjectACL: try await AccessControlLists.object(request)
    case .getObjectAttributes: try await GetObjectAttributes.handle(request)
    case .getObjectTagging: try await ObjectTagging.get(request)
    case .getObject, .headObject: try await GetObject.handle(request)
    case .headBucket: try await BucketEndpoints.head(request)
    case .listBuckets: try await ListBuckets.handle(request)
    case .listMultipartUploads: try await ListUploads.uploads(request)
    case .listObjects: try await ListObjects.handle(request, .one)
    case .listObjectsV2: try await ListObjects.handle(request, .two)
    case .listObjectVersions: try await ListObjects.handle(request, .versions)
    case .listParts: try await ListUploads.parts(request)
    case .putObject: try await PutObject.handle(request)
    case .uploadPart: try await MultipartEndpoints.uploadPart(request)
    case .uploadPartCopy: try await UploadPartCopy.handle(request)
    default: try await UnsetConfiguration.handle(self, request)
    }
  }
}
