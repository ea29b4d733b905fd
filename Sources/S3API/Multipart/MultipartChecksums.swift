// Checksums of objects that were uploaded in parts.
//
// A composite checksum is that of the parts' checksums one after the other, written with `-<parts>` behind; any
// algorithm can do it. A full-object checksum is that of all bytes; it is computed from those of the parts
// when the algorithm is a CRC, and not at all otherwise.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html

import APICommon
import Codecs
import Crypto
import HTTP
package import Model

/// Checksums of multipart objects.
package enum MultipartChecksums {
  /// The algorithm that a client wants the checksum of an upload or a copy to have; `nil` when it names none.
  ///
  /// - Throws: `InvalidRequest`.
  static func requestedAlgorithm(_ headers: HTTPHeaders) throws(S3Error) -> ChecksumAlgorithm? {
    guard let name = headers["x-amz-checksum-algorithm"] else { return nil }
    guard let algorithm = ChecksumAlgorithm(name: name) else {
      throw S3Error(.invalidRequest, "x-amz-checksum-algorithm names no known algorithm.")
    }
    return algorithm
  }

  /// The algorithm of objects whose client names none, as in S3 since 2025: the checksum is of the full object, and
  /// those of parts add up to it.
  static let defaultAlgorithm = ChecksumAlgorithm.crc64nvme

  /// The type of an upload with `algorithm` when the client names none.
  static func defaultType(_ algorithm: ChecksumAlgorithm) -> ChecksumType {
    algorithm == .crc64nvme ? .fullObject : .composite
  }

  /// Whether S3 knows the combination.
  static func isValid(_ algorithm: ChecksumAlgorithm, _ type: ChecksumType) -> Bool {
    switch (algorithm, type) {
    case (.crc64nvme, .composite), (.sha1, .fullObject), (.sha256, .fullObject): false
    default: true
    }
  }

  /// The checksum of the object made of `parts`; `nil` when one of them has none, or S3 does not know the combination.
  package static func combine(
    _ algorithm: ChecksumAlgorithm, _ type: ChecksumType, _ parts: [UploadedPart]
  ) -> ObjectChecksum? {
    guard isValid(algorithm, type) else { return nil }
    var sums: [(value: [UInt8], sizeBytes: UInt64)] = []
    for part in parts {
      guard let checksum = part.checksums.first(where: { $0.algorithm == algorithm }) else {
        return nil
      }
      sums.append((checksum.value, part.sizeBytes))
    }
    guard type == .fullObject else {
      var hasher = ChecksumHasher(algorithm)
      for sum in sums { sum.value.withUnsafeBytes { hasher.update($0) } }
      return hasher.finish()
    }
    guard let first = sums.first else { return nil }
    return sums.dropFirst().reduce(ObjectChecksum(algorithm: algorithm, value: first.value)) {
      joined, next in
      ObjectChecksum(
        algorithm: algorithm,
        value: join(algorithm, joined.value, next.value, secondBytes: next.sizeBytes))
    }
  }

  /// The CRC of two pieces joined.
  private static func join(
    _ algorithm: ChecksumAlgorithm, _ first: [UInt8], _ second: [UInt8], secondBytes: UInt64
  ) -> [UInt8] {
    let left = number(first)
    let right = number(second)
    let joined: UInt64 =
      switch algorithm {
      case .crc32:
        UInt64(
          CRC32.combine(
            UInt32(truncatingIfNeeded: left), UInt32(truncatingIfNeeded: right),
            secondBytes: secondBytes))
      case .crc32c:
        UInt64(
          CRC32C.combine(
            UInt32(truncatingIfNeeded: left), UInt32(truncatingIfNeeded: right),
            secondBytes: secondBytes))
      case .crc64nvme: CRC64NVME.combine(left, right, secondBytes: secondBytes)
      case .sha1, .sha256: 0
      }
    return withUnsafeBytes(of: joined.bigEndian) { Array($0.suffix(algorithm.byteCount)) }
  }

  private static func number(_ bytes: [UInt8]) -> UInt64 {
    bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// The checksum as headers and XML carry it.
  package static func text(_ checksum: ObjectChecksum, type: ChecksumType, partCount: Int) -> String
  {
    type == .composite ? "\(checksum.base64)-\(partCount)" : checksum.base64
  }

  /// Writes the checksums of an object and their type; nothing when it has none.
  ///
  /// - Parameter namesPartCount: Whether the number of parts stands behind composite ones.
  static func write(
    _ version: ObjectVersion, namesPartCount: Bool = true, to xml: inout XMLWriter
  ) {
    let metadata = version.metadata
    guard !metadata.checksums.isEmpty else { return }
    for checksum in metadata.checksums {
      xml.element(
        checksum.algorithm.elementName,
        namesPartCount
          ? text(checksum, type: metadata.checksumType, partCount: version.partCount)
          : checksum.base64)
    }
    xml.element("ChecksumType", metadata.checksumType.name)
  }
}
