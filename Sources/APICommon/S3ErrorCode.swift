// The codes of S3 errors that Grange answers, with their status and usual sentence.

/// The code of an S3 error; the raw value is its name on the wire.
package enum S3ErrorCode: String, Sendable, CaseIterable {
  case accessDenied = "AccessDenied"
  case authorizationHeaderMalformed = "AuthorizationHeaderMalformed"
  case authorizationQueryParametersError = "AuthorizationQueryParametersError"
  case badDigest = "BadDigest"
  case bucketAlreadyExists = "BucketAlreadyExists"
  case bucketAlreadyOwnedByYou = "BucketAlreadyOwnedByYou"
  case bucketNotEmpty = "BucketNotEmpty"
  case entityTooLarge = "EntityTooLarge"
  case entityTooSmall = "EntityTooSmall"
  case illegalLocationConstraint = "IllegalLocationConstraintException"
  case incompleteBody = "IncompleteBody"
  case insufficientStorage = "InsufficientStorage"
  case internalError = "InternalError"
  case invalidAccessKeyID = "InvalidAccessKeyId"
  case invalidArgument = "InvalidArgument"
  case invalidBucketName = "InvalidBucketName"
  case invalidChunkSize = "InvalidChunkSizeError"
  case invalidDigest = "InvalidDigest"
  case invalidLocationConstraint = "InvalidLocationConstraint"
  case invalidPart = "InvalidPart"
  case invalidPartNumber = "InvalidPartNumber"
  case invalidPartOrder = "InvalidPartOrder"
  case invalidRange = "InvalidRange"
  case invalidRequest = "InvalidRequest"
  case invalidStorageClass = "InvalidStorageClass"
  case invalidToken = "InvalidToken"
  case invalidURI = "InvalidURI"
  case keyTooLong = "KeyTooLongError"
  case malformedTrailer = "MalformedTrailerError"
  case malformedXML = "MalformedXML"
  case maxMessageLengthExceeded = "MaxMessageLengthExceeded"
  case metadataConfigurationNotFound = "MetadataConfigurationNotFound"
  case metadataTooLarge = "MetadataTooLarge"
  case methodNotAllowed = "MethodNotAllowed"
  case missingContentLength = "MissingContentLength"
  case missingSecurityHeader = "MissingSecurityHeader"
  case noSuchBucket = "NoSuchBucket"
  case noSuchBucketPolicy = "NoSuchBucketPolicy"
  case noSuchConfiguration = "NoSuchConfiguration"
  case noSuchCORSConfiguration = "NoSuchCORSConfiguration"
  case noSuchKey = "NoSuchKey"
  case noSuchLifecycleConfiguration = "NoSuchLifecycleConfiguration"
  case noSuchPublicAccessBlockConfiguration = "NoSuchPublicAccessBlockConfiguration"
  case noSuchTagSet = "NoSuchTagSet"
  case noSuchUpload = "NoSuchUpload"
  case noSuchWebsiteConfiguration = "NoSuchWebsiteConfiguration"
  case notImplemented = "NotImplemented"
  case notModified = "NotModified"
  case objectLockConfigurationNotFound = "ObjectLockConfigurationNotFoundError"
  case operationAborted = "OperationAborted"
  case ownershipControlsNotFound = "OwnershipControlsNotFoundError"
  case preconditionFailed = "PreconditionFailed"
  case quotaExceeded = "QuotaExceeded"
  case replicationConfigurationNotFound = "ReplicationConfigurationNotFoundError"
  case requestTimeout = "RequestTimeout"
  case requestTimeTooSkewed = "RequestTimeTooSkewed"
  case encryptionConfigurationNotFound = "ServerSideEncryptionConfigurationNotFoundError"
  case serviceUnavailable = "ServiceUnavailable"
  case signatureDoesNotMatch = "SignatureDoesNotMatch"
  case slowDown = "SlowDown"
  case contentSHA256Mismatch = "XAmzContentSHA256Mismatch"

  /// The HTTP status that goes with the code.
  package var status: Int {
    switch self {
    case .notModified: 304
    case .accessDenied, .invalidAccessKeyID, .invalidChunkSize, .quotaExceeded,
      .requestTimeTooSkewed, .signatureDoesNotMatch:
      403
    case .encryptionConfigurationNotFound, .metadataConfigurationNotFound, .noSuchBucket,
      .noSuchBucketPolicy, .noSuchConfiguration, .noSuchCORSConfiguration, .noSuchKey,
      .noSuchLifecycleConfiguration, .noSuchPublicAccessBlockConfiguration, .noSuchTagSet,
      .noSuchUpload, .noSuchWebsiteConfiguration, .objectLockConfigurationNotFound,
      .ownershipControlsNotFound, .replicationConfigurationNotFound:
      404
    case .methodNotAllowed: 405
    case .bucketAlreadyExists, .bucketAlreadyOwnedByYou, .bucketNotEmpty, .operationAborted: 409
    case .missingContentLength: 411
    case .preconditionFailed: 412
    case .invalidPartNumber, .invalidRange: 416
    case .internalError: 500
    case .notImplemented: 501
    case .serviceUnavailable, .slowDown: 503
    case .insufficientStorage: 507
    default: 400
    }
  }
}
