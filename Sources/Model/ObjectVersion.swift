// A version of an object, as a reader holds it.

package import Base

/// A version of an object: what is said about it, and where its bytes are.
package struct ObjectVersion: Sendable {
  package let bucket: BucketID
  package let key: ObjectKey
  /// The attempt that wrote it.
  package let uploadID: UploadID
  package let sizeBytes: UInt64
  package let lastModified: WallTime
  package let metadata: ObjectMetadata
  /// Where the bytes are.
  package let content: ObjectContent
  /// The multipart upload that made it, if one did.
  let multipart: UploadID?
  /// The parts of a version that was uploaded in parts; or one with the number 0, of a version with manifest
  /// rows.
  let parts: PartLayout

  /// How many parts the version was uploaded in; 0 when it was not uploaded in parts.
  package var partCount: Int { multipart == nil ? 0 : parts.count }

  /// Where the part with `number` lies; `nil` when there is none.
  package func range(ofPart number: Int) -> Range<UInt64>? {
    multipart == nil ? nil : parts.range(of: number)
  }

  /// A part of a version that was uploaded in parts.
  package struct Part: Equatable, Sendable {
    package var number: Int
    package var sizeBytes: UInt64
  }

  /// The parts with numbers above `number`, in order.
  package func parts(after number: Int) -> [Part] {
    guard multipart != nil else { return [] }
    return parts.runs.flatMap { run in
      (0..<Int(run.count)).lazy.map { Int(run.first) + $0 }.filter { $0 > number }
        .map { Part(number: $0, sizeBytes: run.sizeBytes) }
    }
  }
}
