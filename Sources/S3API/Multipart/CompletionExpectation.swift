// What a completion says about the whole object: its size, its checksum and how that is computed.
//
// Nothing of it may go uncompared: who sends it relies on it.

import APICommon
import Base
import HTTP
import Model

/// What the headers of a completion say about the object that comes of it.
struct CompletionExpectation {
  private let type: ChecksumType?
  /// As text: a composite checksum has a number of parts behind it.
  private let checksum: (algorithm: ChecksumAlgorithm, text: String)?
  private let sizeBytes: UInt64?

  init(_ headers: HTTPHeaders) throws(S3Error) {
    if let name = headers["x-amz-checksum-type"] {
      guard let type = ChecksumType(name: name) else {
        throw S3Error(.invalidRequest, "The header x-amz-checksum-type is not valid.")
      }
      self.type = type
    } else {
      type = nil
    }
    if let text = headers["x-amz-mp-object-size"] {
      guard let size = UInt64(digits: text.utf8) else {
        throw S3Error(.invalidRequest, "The header x-amz-mp-object-size is not a number.")
      }
      sizeBytes = size
    } else {
      sizeBytes = nil
    }
    var found: (algorithm: ChecksumAlgorithm, text: String)?
    for algorithm in ChecksumAlgorithm.allCases {
      guard let text = headers[algorithm.headerName] else { continue }
      guard found == nil else {
        throw S3Error(.invalidRequest, "Expecting a single x-amz-checksum- header.")
      }
      found = (algorithm, text)
    }
    checksum = found
  }

  /// Compares with what would be stored.
  ///
  /// - Throws: `InvalidRequest`, `BadDigest`.
  func check(
    _ metadata: ObjectMetadata, of upload: MultipartUpload, _ parts: [UploadedPart]
  ) throws(S3Error) {
    if let sizeBytes, sizeBytes != parts.reduce(0, { $0 + $1.sizeBytes }) {
      throw S3Error(.invalidRequest, "The parts do not add up to x-amz-mp-object-size.")
    }
    if let type, type != metadata.checksumType {
      throw S3Error(
        .badDigest,
        "The upload was created using the \(metadata.checksumType.name) checksum mode. The complete "
          + "request must use the same checksum mode.")
    }
    guard let (algorithm, text) = checksum else { return }
    if let wanted = upload.checksumAlgorithm, wanted != algorithm {
      throw S3Error(
        .badDigest,
        "The upload was created using \(wanted.name): the object has no \(algorithm.headerName).")
    }
    // An upload that was begun without an algorithm may have parts with a checksum of their own choice.
    let computed =
      metadata.checksums.first { $0.algorithm == algorithm }
      ?? MultipartChecksums.combine(algorithm, metadata.checksumType, parts)
    guard let computed else {
      throw S3Error(.invalidRequest, "The parts have no \(algorithm.name) to compare with.")
    }
    guard let sent = ClaimedChecksum(algorithm, text) else {
      throw S3Error(.invalidRequest, "Value for \(algorithm.headerName) header is invalid.")
    }
    // The number may be left out: it adds nothing to what guards the data.
    let count = metadata.checksumType == .composite ? parts.count : nil
    guard sent.checksum == computed, sent.partCount == nil || sent.partCount == count else {
      throw S3Error(
        .badDigest, "The \(algorithm.name) you specified did not match the calculated checksum.")
    }
  }
}

/// A checksum with the number of parts that stands behind a composite one.
private struct ClaimedChecksum {
  let checksum: ObjectChecksum
  let partCount: Int?

  /// Reads `base64` and `base64-N`.
  init?(_ algorithm: ChecksumAlgorithm, _ text: String) {
    let pieces = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = pieces.first,
      let checksum = ObjectChecksum(algorithm, base64: String(first))
    else { return nil }
    self.checksum = checksum
    if pieces.count > 1 {
      guard let count = Int(digits: pieces[1].utf8) else { return nil }
      partCount = count
    } else {
      partCount = nil
    }
  }
}
