// A version of an object, as a reader holds it.

package import Base

/// A version of an object: what is said about it, and where its bytes are.
package struct ObjectVersion: Sendable {
  package let bucket: BucketID
  package let key: ObjectKey
  /// The attempt that wrote it.
  package let uploadID: UploadID
  private let object: StoredObject

  init(bucket: BucketID, key: ObjectKey, uploadID: UploadID, object: StoredObject) {
    self.bucket = bucket
    self.key = key
    self.uploadID = uploadID
    self.object = object
  }

  package var sizeBytes: UInt64 { object.sizeBytes }
  package var lastModified: WallTime { object.lastModified }
  package var metadata: ObjectMetadata { object.metadata }
  /// Where the bytes are.
  package var content: ObjectContent { object.content }
  /// The multipart upload that made it, if one did, and it is no copy.
  var multipart: UploadID? { object.multipart }
  /// The parts of a version that was uploaded in parts; or one with the number 0, of a version with manifest
  /// rows.
  var parts: PartLayout { object.parts }
  /// The checksums of the parts one after the other, if they have any.
  var partChecksums: [UInt8] { object.partChecksums }

  /// The bytes in `range`, which lies within the object, when they are in its row; `nil` when they are to be read.
  package func inlineBytes(_ range: Range<UInt64>) -> [UInt8]? {
    guard case .inline(let bytes) = content else { return nil }
    precondition(range.upperBound <= UInt64(bytes.count), "a range within the object")
    return range.count == bytes.count
      ? bytes : Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)])
  }

  /// Whether the version, or what it is a copy of, was uploaded in parts.
  private var hasParts: Bool { parts.runs.first.map { $0.first > 0 } ?? false }

  /// How many parts the version was uploaded in; 0 when it was not uploaded in parts.
  package var partCount: Int { hasParts ? parts.count : 0 }

  /// Where the part with `number` lies; `nil` when there is none.
  package func range(ofPart number: Int) -> Range<UInt64>? {
    hasParts ? parts.range(of: number) : nil
  }

  /// Whether its parts have checksums.
  package var hasPartChecksums: Bool { hasParts && !partChecksums.isEmpty }

  /// The checksum of the part with `number`; `nil` when there is none.
  package func checksum(ofPart number: Int) -> ObjectChecksum? {
    parts.index(of: number).flatMap { checksum(at: $0, of: parts.count) }
  }

  /// - Parameter count: `parts.count`, which takes a look at every run.
  private func checksum(at index: Int, of count: Int) -> ObjectChecksum? {
    guard let algorithm = metadata.checksums.first?.algorithm, !partChecksums.isEmpty else {
      return nil
    }
    let length = partChecksums.count / count
    return ObjectChecksum(
      algorithm: algorithm, value: Array(partChecksums[index * length..<(index + 1) * length]))
  }

  /// A part of a version that was uploaded in parts.
  package struct Part: Equatable, Sendable {
    package var number: Int
    package var sizeBytes: UInt64
    package var checksum: ObjectChecksum?
  }

  /// The first `limit` parts with numbers above `number`, in order.
  package func parts(after number: Int, limit: Int) -> [Part] {
    guard hasParts else { return [] }
    let count = parts.count
    var result: [Part] = []
    var before = 0
    for run in parts.runs {
      let skipped = min(max(0, number - Int(run.first) + 1), Int(run.count))
      for place in skipped..<Int(run.count) {
        if result.count >= limit { return result }
        result.append(
          Part(
            number: Int(run.first) + place, sizeBytes: run.sizeBytes,
            checksum: checksum(at: before + place, of: count)))
      }
      before += Int(run.count)
    }
    return result
  }
}
