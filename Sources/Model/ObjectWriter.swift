// Writes one object.

/// Receives the bytes of one object, stores them, and makes them the object with `commit`.
///
/// It belongs to one task. After `commit` or `abandon`, or after either threw, it is of no more use.
package final class ObjectWriter {
  init() {}

  /// How many bytes were received.
  package private(set) var sizeBytes: UInt64 = 0

  /// Reads from `source` until it returns 0.
  ///
  /// Memory stays constant: at most a few blocks are under way, and `source` is not asked for more before
  /// one of them is durable.
  ///
  /// - Parameters:
  ///   - source: Writes the next bytes into the buffer and returns how many; 0 at the end.
  ///   - observe: Sees every byte once, in order, one call at a time, possibly on another thread; all calls
  ///     are over when `append` returns. Digests go here.
  /// - Throws: what `source` throws, `storageFull`, `quorumUnavailable`. `abandon` must follow.
  package func append(
    from source: (UnsafeMutableRawBufferPointer) async throws -> Int,
    observe: @escaping @Sendable (UnsafeRawBufferPointer) -> Void
  ) async throws {
    throw ModelError.bucketBusy
  }

  /// Makes the bytes the object. When it returns, they are durable and every later read sees them.
  ///
  /// - Throws: `noSuchBucket`, `quorumUnavailable` (the write may still take effect), `clockTooFar`.
  package func commit(_ metadata: ObjectMetadata) async throws -> ObjectVersion {
    throw ModelError.bucketBusy
  }

  /// Gives up: what was stored is released.
  package func abandon() async {}
}
