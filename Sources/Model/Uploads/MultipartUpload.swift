// Multipart uploads as callers see them.

package import Base

/// An upload in parts that is neither complete nor aborted.
package struct MultipartUpload: Equatable, Sendable {
  package var key: ObjectKey
  package var id: UploadID
  package var initiated: WallTime
  /// What the object will carry; without an ETag, and with the checksum algorithm and type as sums of no
  /// bytes when the client named them.
  package var metadata: ObjectMetadata

  /// The checksum algorithm that the client named.
  package var checksumAlgorithm: ChecksumAlgorithm? { metadata.checksums.first?.algorithm }
}

/// A part that was uploaded.
package struct UploadedPart: Equatable, Sendable {
  /// 1 to 10,000.
  package var number: Int
  package var sizeBytes: UInt64
  /// 32 hex digits, without quotes.
  package var etag: String
  package var checksums: [ObjectChecksum]
  package var lastModified: WallTime

  package init(
    number: Int, sizeBytes: UInt64, etag: String, checksums: [ObjectChecksum],
    lastModified: WallTime
  ) {
    self.number = number
    self.sizeBytes = sizeBytes
    self.etag = etag
    self.checksums = checksums
    self.lastModified = lastModified
  }
}

/// A part as a completion names it.
package struct CompletedPart: Equatable, Sendable {
  package var number: Int
  /// Without quotes.
  package var etag: String

  package init(number: Int, etag: String) {
    self.number = number
    self.etag = etag
  }
}

/// A page of a listing of parts.
package struct PartPage: Equatable, Sendable {
  package var upload: MultipartUpload
  /// In the order of their numbers.
  package var parts: [UploadedPart]
  /// Whether there are more.
  package var isTruncated: Bool
}

/// A page of a listing of uploads.
package struct UploadPage: Equatable, Sendable {
  /// In the order of their keys, then of their IDs.
  package var uploads: [MultipartUpload]
  /// In the order of their bytes.
  package var commonPrefixes: [[UInt8]]
  /// Where the next page begins, and the upload of that key after which it does; `nil` when this is the
  /// last one.
  package var next: UploadPosition?
}

/// Where a listing of uploads begins.
package struct UploadPosition: Equatable, Sendable {
  package var position: ListPosition
  /// With `.afterKey`: not after that key, but after this upload of it.
  package var upload: UploadID?

  package init(_ position: ListPosition, upload: UploadID? = nil) {
    self.position = position
    self.upload = upload
  }
}
