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
  let content: ObjectContent
  /// Of a version that was uploaded in parts: the parts.
  let parts: PartLayout

  /// How many parts the version was uploaded in; 0 when it was not uploaded in parts.
  package var partCount: Int { parts.count }

  /// Where the part with `number` lies; `nil` when there is none.
  package func range(ofPart number: Int) -> Range<UInt64>? { parts.range(of: number) }
}
