// What S3 says with each code of an error.
//
// Programs compare these sentences, and people search for them: they are S3's letter by letter, as recorded from AWS,
// also where one ends without a full stop. Of codes that S3 does not have, or that mean something narrower here, the
// sentence is ours.

extension S3ErrorCode {
  /// The sentence when there is no better one.
  package var usualMessage: String {
    switch self {
    case .accessDenied: "Access Denied"
    case .authorizationHeaderMalformed: "The authorization header that you provided is not valid."
    case .authorizationQueryParametersError: "The query parameters of the signature are malformed."
    case .badDigest: "The Content-MD5 you specified did not match what we received."
    case .bucketAlreadyExists:
      """
      The requested bucket name is not available. The bucket namespace is shared by all users \
      of the system. Please select a different name and try again.
      """
    case .bucketAlreadyOwnedByYou:
      "Your previous request to create the named bucket succeeded and you already own it."
    case .bucketNotEmpty: "The bucket you tried to delete is not empty"
    case .encryptionConfigurationNotFound: "The server side encryption configuration was not found"
    case .entityTooLarge: "Your proposed upload exceeds the maximum allowed size"
    case .entityTooSmall: "Your proposed upload is smaller than the minimum allowed size"
    case .illegalLocationConstraint:
      """
      The location constraint is incompatible for the region specific endpoint this request \
      was sent to.
      """
    case .incompleteBody:
      "You did not provide the number of bytes specified by the Content-Length HTTP header."
    case .insufficientStorage: "The cluster has no room left for this object."
    case .internalError: "We encountered an internal error. Please try again."
    case .invalidAccessKeyID: "The AWS Access Key Id you provided does not exist in our records."
    case .invalidArgument: "Invalid Argument"
    case .invalidBucketName: "The specified bucket is not valid."
    case .invalidChunkSize: "Only the last chunk is allowed to have a size less than 8192 bytes"
    case .invalidDigest: "The Content-MD5 you specified was invalid."
    case .invalidLocationConstraint: "The specified location-constraint is not valid"
    case .invalidPart:
      """
      One or more of the specified parts could not be found.  The part may not have been \
      uploaded, or the specified entity tag may not match the part's entity tag.
      """
    case .invalidPartNumber: "The requested partnumber is not satisfiable"
    case .invalidPartOrder:
      "The list of parts was not in ascending order. Parts must be ordered by part number."
    case .invalidRange: "The requested range is not satisfiable"
    case .invalidRequest: "Invalid Request"
    case .invalidStorageClass: "The storage class you specified is not valid"
    case .invalidToken: "There are no session tokens here; use a plain access key."
    case .invalidURI: "Couldn't parse the specified URI."
    case .keyTooLong: "Your key is too long"
    case .malformedTrailer:
      """
      The request contained trailing data that was not well-formed or did not conform to our \
      published schema.
      """
    case .malformedXML:
      "The XML you provided was not well-formed or did not validate against our published schema"
    case .maxMessageLengthExceeded: "Your request was too big."
    case .metadataConfigurationNotFound: "The metadata configuration does not exist"
    case .metadataTooLarge: "Your metadata headers exceed the maximum allowed metadata size"
    case .methodNotAllowed: "The specified method is not allowed against this resource."
    case .missingContentLength: "You must provide the Content-Length HTTP header."
    case .missingSecurityHeader: "Your request was missing a required header"
    case .noSuchBucket: "The specified bucket does not exist"
    case .noSuchBucketPolicy: "The bucket policy does not exist"
    case .noSuchConfiguration: "The specified configuration does not exist."
    case .noSuchCORSConfiguration: "The CORS configuration does not exist"
    case .noSuchKey: "The specified key does not exist."
    case .noSuchLifecycleConfiguration: "The lifecycle configuration does not exist"
    case .noSuchPublicAccessBlockConfiguration:
      "The public access block configuration was not found"
    case .noSuchTagSet: "The TagSet does not exist"
    case .noSuchUpload:
      """
      The specified upload does not exist. The upload ID may be invalid, or the upload may \
      have been aborted or completed.
      """
    case .noSuchWebsiteConfiguration: "The specified bucket does not have a website configuration"
    case .notImplemented: "This is not implemented yet."
    case .notModified: "Not Modified"
    case .objectLockConfigurationNotFound:
      "Object Lock configuration does not exist for this bucket"
    case .operationAborted:
      """
      A conflicting conditional operation is currently in progress against this resource. \
      Please try again.
      """
    case .ownershipControlsNotFound: "The bucket ownership controls were not found"
    case .preconditionFailed: "At least one of the pre-conditions you specified did not hold"
    case .quotaExceeded: "The bucket would hold more than its quota allows."
    case .replicationConfigurationNotFound: "The replication configuration was not found"
    case .requestTimeout:
      """
      Your socket connection to the server was not read from or written to within the timeout \
      period.
      """
    case .requestTimeTooSkewed:
      "The difference between the request time and the current time is too large."
    case .serviceUnavailable: "The service is not available now; try again."
    case .signatureDoesNotMatch:
      """
      The request signature we calculated does not match the signature you provided. Check \
      your key and signing method.
      """
    case .slowDown: "Please reduce your request rate."
    case .contentSHA256Mismatch:
      "The provided 'x-amz-content-sha256' header does not match what was computed."
    }
  }
}
