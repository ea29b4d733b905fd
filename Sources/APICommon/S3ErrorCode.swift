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
  case metadataTooLarge = "MetadataTooLarge"
  case methodNotAllowed = "MethodNotAllowed"
  case missingContentLength = "MissingContentLength"
  case missingSecurityHeader = "MissingSecurityHeader"
  case noSuchBucket = "NoSuchBucket"
  case noSuchKey = "NoSuchKey"
  case noSuchUpload = "NoSuchUpload"
  case notImplemented = "NotImplemented"
  case notModified = "NotModified"
  case operationAborted = "OperationAborted"
  case preconditionFailed = "PreconditionFailed"
  case quotaExceeded = "QuotaExceeded"
  case requestTimeout = "RequestTimeout"
  case requestTimeTooSkewed = "RequestTimeTooSkewed"
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
    case .noSuchBucket, .noSuchKey, .noSuchUpload: 404
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

  /// The sentence when there is no better one.
  package var usualMessage: String {
    switch self {
    case .accessDenied: "Access denied."
    case .authorizationHeaderMalformed: "The Authorization header is malformed."
    case .authorizationQueryParametersError: "The query parameters of the signature are malformed."
    case .badDigest: "The digest or checksum sent with the body is not that of the body."
    case .bucketAlreadyExists: "A bucket with this name exists; choose another name."
    case .bucketAlreadyOwnedByYou: "You own a bucket with this name already."
    case .bucketNotEmpty: "The bucket holds objects; delete them first."
    case .entityTooLarge: "The body is larger than allowed."
    case .entityTooSmall: "A part other than the last is smaller than 5 MiB."
    case .incompleteBody: "The body ended before the number of bytes that the headers announce."
    case .insufficientStorage: "The cluster has no room left for this object."
    case .internalError:
      "Something went wrong on our side; the log has the request's ID. Try again."
    case .invalidAccessKeyID: "There is no access key with this ID."
    case .invalidArgument: "An argument is not valid."
    case .invalidBucketName: "This is not a valid bucket name."
    case .invalidChunkSize: "The chunks of the body are too small."
    case .invalidDigest: "The Content-MD5 is not the base 64 of 16 bytes."
    case .invalidLocationConstraint: "The location constraint is not the region of this cluster."
    case .invalidPart: "A part does not exist or has another ETag."
    case .invalidPartNumber: "The object has no part with this number."
    case .invalidPartOrder: "The parts are not listed in ascending order."
    case .invalidRange: "The range starts behind the end of the object."
    case .invalidRequest: "The request is not valid."
    case .invalidStorageClass: "The storage class you specified is not valid."
    case .invalidToken: "There are no session tokens here; use a plain access key."
    case .invalidURI: "The path or query of the request is not valid."
    case .keyTooLong: "The key is longer than 1,024 bytes."
    case .malformedTrailer: "The trailers of the body are not those that x-amz-trailer announces."
    case .malformedXML: "The XML of the body is not well-formed or not what this request takes."
    case .metadataTooLarge: "The metadata headers are larger than 2 KiB."
    case .methodNotAllowed: "This method is not allowed on this resource."
    case .missingContentLength: "The length of the body must be given in the Content-Length header."
    case .missingSecurityHeader: "A required header is missing."
    case .noSuchBucket: "The bucket does not exist."
    case .noSuchKey: "The key does not exist."
    case .noSuchUpload: "The upload does not exist; it may have been aborted or completed."
    case .notImplemented: "This is not implemented yet."
    case .notModified: "Not modified."
    case .operationAborted: "Another change of this bucket is under way; try again."
    case .preconditionFailed: "A condition of the request does not hold."
    case .quotaExceeded: "The bucket would hold more than its quota allows."
    case .requestTimeout: "The body arrived too slowly."
    case .requestTimeTooSkewed:
      "The time of the request is more than 15 minutes away from the server's; check both clocks."
    case .serviceUnavailable: "The service is not available now; try again."
    case .signatureDoesNotMatch:
      "The signature is not the one we compute; check the secret key and how the request is signed."
    case .slowDown: "Too many requests; slow down."
    case .contentSHA256Mismatch: "The x-amz-content-sha256 is not that of the body."
    }
  }
}
