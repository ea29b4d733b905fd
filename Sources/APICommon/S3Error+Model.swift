// Failures of the layers below, in the words of S3.

import HTTP
import Model

extension S3Error {
  /// The error to answer for `error`.
  ///
  /// What is not foreseen becomes `InternalError`: its text is for the log, not for the client.
  package init(answering error: any Error) {
    switch error {
    case let error as S3Error: self = error
    case let error as ModelError: self.init(model: error)
    case let error as HTTPError: self = S3Error(body: error) ?? S3Error(.internalError)
    case is CancellationError: self.init(.serviceUnavailable, "The server is stopping.")
    default: self.init(.internalError)
    }
  }

  /// What is wrong with a body of which HTTP says `error`; `nil` when it is not about a body.
  init?(body error: HTTPError) {
    switch error {
    case .truncated: self.init(.incompleteBody)
    case .timedOut: self.init(.requestTimeout)
    case .malformed(let rejection):
      self.init(.invalidRequest, "The body is malformed: \(rejection.reason).")
    default: return nil
    }
  }

  /// What S3 says of a part number that no part can have.
  package static let partNumberRange =
    "Part number must be an integer between 1 and \(MultipartUploads.partNumberMax), inclusive"

  /// The label keeps `self.init(.noSuchBucket)` below from meaning this initializer itself.
  private init(model error: ModelError) {
    switch error {
    case .noSuchBucket: self.init(.noSuchBucket)
    case .bucketAlreadyExists: self.init(.bucketAlreadyExists)
    case .bucketAlreadyOwnedByYou: self.init(.bucketAlreadyOwnedByYou)
    case .bucketNotEmpty: self.init(.bucketNotEmpty)
    case .bucketBusy: self.init(.operationAborted)
    case .invalidBucketName(let reason):
      self.init(.invalidBucketName, "The specified bucket is not valid: \(reason).")
    case .quotaExceeded(let excess): self.init(.quotaExceeded, excess.explanation)
    case .noSuchAccessKey: self.init(.invalidAccessKeyID)
    case .lastAlias, .accessKeyAlreadyExists, .invalidAccessKey: self.init(.invalidRequest)
    case .noSuchKey: self.init(.noSuchKey)
    case .invalidKey: self.init(.invalidArgument, "An object's key is 1 to 1,024 bytes of UTF-8.")
    case .keyTooLong:
      self.init(.keyTooLong, details: [Detail("MaxSizeAllowed", String(ObjectKey.bytesMax))])
    case .invalidRange: self.init(.invalidRange)
    case .sourceChanged:
      self.init(.operationAborted, "The object that is read was replaced or deleted; try again.")
    case .noSuchUpload: self.init(.noSuchUpload)
    case .invalidPartNumber:
      self.init(
        .invalidArgument, Self.partNumberRange, details: [Detail("ArgumentName", "partNumber")])
    case .invalidPart(let number, let etag):
      self.init(.invalidPart, details: [Detail("PartNumber", String(number))])
      note("ETag", etag)
    case .invalidPartOrder: self.init(.invalidPartOrder)
    case .entityTooSmall(let number, let size):
      self.init(
        .entityTooSmall,
        details: [
          Detail("ProposedSize", String(size)),
          Detail("MinSizeAllowed", String(MultipartUploads.partBytesMin)),
          Detail("PartNumber", String(number)),
        ])
    case .entityTooLarge(let size, let max):
      self.init(
        .entityTooLarge,
        details: [Detail("ProposedSize", String(size)), Detail("MaxSizeAllowed", String(max))])
    case .storageFull: self.init(.insufficientStorage)
    case .storageFailed:
      self.init(
        .serviceUnavailable,
        "A disk of this node failed: it takes no changes until its operator has looked at it.")
    case .quorumUnavailable:
      self.init(.serviceUnavailable, "Too few nodes of the cluster answer; try again later.")
    case .mayExist:
      self.init(
        .serviceUnavailable, "The nodes of the cluster do not agree on this write; try again.")
    case .onlyInline(let max):
      self.init(
        .notImplemented,
        "This cluster stores objects on several nodes, and this version of Grange does not copy blocks between nodes yet: "
          + "objects of more than \(max) bytes and multipart uploads are refused.")
    case .clockTooFar:
      self.init(.serviceUnavailable, "The clocks of the cluster's nodes differ too much.")
    case .overloaded:
      self.init(.slowDown, "This node has more to do than it can; try again in a moment.")
    case .clientStalled:
      self.init(.slowDown, "The connection was too slow while others waited; try again.")
    case .writeRefused: self.init(.serviceUnavailable, "The write took too long; try again.")
    case .corrupt: self.init(.internalError)
    }
  }
}
