// The checksums that S3 clients send with a body and get back with an object: their names in headers and XML.

import Crypto
package import Model

extension ChecksumAlgorithm {
  /// The name in headers and XML: `CRC32`.
  package var name: String {
    switch self {
    case .crc32: "CRC32"
    case .crc32c: "CRC32C"
    case .crc64nvme: "CRC64NVME"
    case .sha1: "SHA1"
    case .sha256: "SHA256"
    }
  }

  /// The algorithm with `name`, in either case.
  package init?(name: String) {
    let uppercased = name.uppercased()
    guard let found = Self.allCases.first(where: { $0.name == uppercased }) else { return nil }
    self = found
  }

  /// The header or trailer that carries it.
  package var headerName: String {
    switch self {
    case .crc32: "x-amz-checksum-crc32"
    case .crc32c: "x-amz-checksum-crc32c"
    case .crc64nvme: "x-amz-checksum-crc64nvme"
    case .sha1: "x-amz-checksum-sha1"
    case .sha256: "x-amz-checksum-sha256"
    }
  }

  /// The element that carries it in XML.
  package var elementName: StaticString {
    switch self {
    case .crc32: "ChecksumCRC32"
    case .crc32c: "ChecksumCRC32C"
    case .crc64nvme: "ChecksumCRC64NVME"
    case .sha1: "ChecksumSHA1"
    case .sha256: "ChecksumSHA256"
    }
  }

  /// The length of a checksum.
  package var byteCount: Int {
    switch self {
    case .crc32, .crc32c: 4
    case .crc64nvme: 8
    case .sha1: 20
    case .sha256: 32
    }
  }
}

extension ObjectChecksum {
  /// Reads base 64, as headers and XML carry checksums; `nil` for anything else and for another length.
  package init?(_ algorithm: ChecksumAlgorithm, base64: String) {
    guard let value = Base64.decode(base64), value.count == algorithm.byteCount else { return nil }
    self.init(algorithm: algorithm, value: value)
  }

  /// The checksum as headers and XML carry it.
  package var base64: String { Base64.encode(value) }
}
