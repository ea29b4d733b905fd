// What an error is about, where whoever threw it did not say: the bucket, key or upload of the request.

import APICommon
import Model

/// What a request is about, for its error document.
struct ErrorPlace {
  private let address: RequestAddress
  private let uploadID: String?

  init(_ address: RequestAddress, _ target: RequestTarget) {
    self.address = address
    uploadID = try? target.value("uploadId")
  }

  /// Adds the details that S3 gives with the code of `error`.
  func note(in error: inout S3Error) {
    switch error.code {
    case .bucketAlreadyExists, .bucketAlreadyOwnedByYou, .bucketNotEmpty, .invalidBucketName,
      .noSuchBucket:
      error.note("BucketName", address.bucket)
    case .invalidPart, .invalidPartOrder, .noSuchUpload: error.note("UploadId", uploadID)
    case .keyTooLong: error.note("Size", address.key.map { String($0.count) })
    case .noSuchKey: error.note("Key", address.key.map { String(decoding: $0, as: UTF8.self) })
    default: break
    }
  }
}
