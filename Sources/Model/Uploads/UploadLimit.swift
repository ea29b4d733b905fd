// How large a body may be: S3's 5 GiB for an object that is uploaded whole and for a part.
//
// What is announced is compared before anything is read, so that no client sends gigabytes for nothing; what comes is
// counted, of a client that announces nothing.

/// What is left of the size that an upload may have.
struct UploadLimit {
  private let maxBytes: UInt64
  private var receivedBytes: UInt64 = 0

  init(_ parts: StoreParts) { maxBytes = parts.options.uploadBytesMax }

  /// Checks an object or part of `sizeBytes`.
  ///
  /// - Throws: `entityTooLarge`.
  func check(_ sizeBytes: UInt64) throws(ModelError) {
    guard sizeBytes <= maxBytes else {
      throw .entityTooLarge(sizeBytes: sizeBytes, maxBytes: maxBytes)
    }
  }

  /// Checks what came so far.
  ///
  /// - Throws: `entityTooLarge`.
  mutating func didReceive(_ count: Int) throws(ModelError) {
    receivedBytes += UInt64(clamping: count)
    try check(receivedBytes)
  }
}
