// Writes one part of a multipart upload.

/// Receives the bytes of one part, stores them, and makes them the part with `commit`.
///
/// It belongs to one task. After `commit` or `abandon`, or after either threw, it is of no more use.
package final class PartWriter {
  init() {}

  /// How many bytes were received.
  package private(set) var sizeBytes: UInt64 = 0

  /// As `ObjectWriter.append`.
  package func append(
    from source: (UnsafeMutableRawBufferPointer) async throws -> Int,
    observe: @escaping @Sendable (UnsafeRawBufferPointer) -> Void
  ) async throws {
    throw ModelError.bucketBusy
  }

  /// Makes the bytes the part, in place of an earlier one with the same number.
  ///
  /// - Parameter etag: 32 hex digits: the MD5 of the part.
  /// - Throws: `noSuchUpload` when it was completed or aborted in the meantime, and as `ObjectWriter.commit`.
  package func commit(etag: String, checksums: [ObjectChecksum]) async throws -> UploadedPart {
    throw ModelError.bucketBusy
  }

  /// Gives up: what was stored is released.
  package func abandon() async {}
}
