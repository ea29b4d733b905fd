// What a client says about an object beside its bytes.

/// What is stored with an object and given back with it.
package struct ObjectMetadata: Equatable, Sendable {
  /// The entity tag without quotes: 32 hex digits, and `-<parts>` after a multipart upload.
  package var etag: String
  /// The headers to give back, names in lowercase, in the order in which they came: `content-type`,
  /// `cache-control`, `x-amz-meta-...`.
  package var headers: [ObjectHeader]
  /// Checksums that the client sent or asked for and that the bytes were compared with.
  package var checksums: [ObjectChecksum]
  /// What the checksums of a multipart object cover.
  package var checksumType: ChecksumType

  package init(
    etag: String = "", headers: [ObjectHeader] = [], checksums: [ObjectChecksum] = [],
    checksumType: ChecksumType = .fullObject
  ) {
    self.etag = etag
    self.headers = headers
    self.checksums = checksums
    self.checksumType = checksumType
  }

  /// The value of the header `name`, which is in lowercase.
  package func header(_ name: String) -> [UInt8]? {
    headers.first { $0.name == name }?.value
  }
}

/// A header that belongs to an object.
package struct ObjectHeader: Equatable, Sendable {
  /// The name, in lowercase.
  package var name: String
  /// The text of user metadata in UTF-8; any other value as it came, whatever its encoding.
  package var value: [UInt8]

  package init(name: String, value: [UInt8]) {
    self.name = name
    self.value = value
  }

  package init(name: String, value: String) {
    self.init(name: name, value: Array(value.utf8))
  }
}

/// The checksum algorithms of S3.
///
/// The raw values are on disk.
package enum ChecksumAlgorithm: UInt8, Equatable, Sendable, CaseIterable {
  case crc32 = 1
  case crc32c = 2
  case crc64nvme = 3
  case sha1 = 4
  case sha256 = 5
}

/// The checksum of an object's or a part's bytes.
package struct ObjectChecksum: Equatable, Sendable {
  package var algorithm: ChecksumAlgorithm
  /// The sum: 4, 8, 20 or 32 bytes, most significant first.
  package var value: [UInt8]

  package init(algorithm: ChecksumAlgorithm, value: [UInt8]) {
    self.algorithm = algorithm
    self.value = value
  }
}

/// What the checksum of a multipart object is computed over.
///
/// The raw values are on disk.
package enum ChecksumType: UInt8, Equatable, Sendable {
  /// All bytes of the object.
  case fullObject = 0
  /// The checksums of the parts.
  case composite = 1
}
