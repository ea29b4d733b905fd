// Computes any of the checksums of S3.

import Crypto
package import Model

/// Computes a checksum of bytes that arrive in pieces.
package struct ChecksumHasher: Sendable {
  private enum State: Sendable {
    case crc32(CRC32)
    case crc32c(CRC32C)
    case crc64nvme(CRC64NVME)
    case digest(Digest)
  }

  private let algorithm: ChecksumAlgorithm
  private var state: State

  package init(_ algorithm: ChecksumAlgorithm) {
    self.algorithm = algorithm
    state =
      switch algorithm {
      case .crc32: .crc32(CRC32())
      case .crc32c: .crc32c(CRC32C())
      case .crc64nvme: .crc64nvme(CRC64NVME())
      case .sha1: .digest(Digest(.sha1))
      case .sha256: .digest(Digest(.sha256))
      }
  }

  /// Appends `bytes`.
  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    switch state {
    case .crc32(var sum):
      sum.update(bytes)
      state = .crc32(sum)
    case .crc32c(var sum):
      sum.update(bytes)
      state = .crc32c(sum)
    case .crc64nvme(var sum):
      sum.update(bytes)
      state = .crc64nvme(sum)
    case .digest(let digest): digest.update(bytes)
    }
  }

  /// The checksum of all bytes.
  ///
  /// Call it once.
  package func finish() -> ObjectChecksum {
    let bytes: [UInt8] =
      switch state {
      case .crc32(let sum): Self.bigEndian(sum.value)
      case .crc32c(let sum): Self.bigEndian(sum.value)
      case .crc64nvme(let sum): Self.bigEndian(sum.value)
      case .digest(let digest): digest.finish()
      }
    return ObjectChecksum(algorithm: algorithm, value: bytes)
  }

  private static func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { Array($0) }
  }
}
