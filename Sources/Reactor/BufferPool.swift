// Buffers that connections borrow while bytes move.
//
// A thousand idle connections with a buffer each would cost tens of megabytes that do nothing. So a buffer is
// taken when bytes are there and given back before the next wait (`ByteStream.waitUntilReadable`).

private import Synchronization

/// Memory for input and output.
///
/// Its owner gives it back to the pool, or drops it.
package final class PooledBuffer: @unchecked Sendable {
  // Safe because a buffer has one owner at a time; the pool hands it over under its lock.

  /// The memory, of `BufferPool.bufferBytes`.
  package let bytes: UnsafeMutableRawBufferPointer

  fileprivate init(byteCount: Int) {
    bytes = .allocate(byteCount: byteCount, alignment: 64)
  }

  deinit { bytes.deallocate() }
}

/// Equal buffers, kept for the next who needs one.
package final class BufferPool: Sendable {
  /// Four TLS records: large enough that a system call's cost is spread over it, small enough to stay in cache.
  package static let bufferBytes = 64 * 1024
  /// How many free buffers are kept; two megabytes of them.
  private static let keptMax = 32

  /// The process's pool.
  package static let shared = BufferPool()

  private let free = Mutex<[PooledBuffer]>([])

  package init() {}

  /// A buffer; what it holds is arbitrary.
  package func take() -> PooledBuffer {
    free.withLock { $0.popLast() } ?? PooledBuffer(byteCount: Self.bufferBytes)
  }

  /// Gives `buffer` to the next who asks.
  ///
  /// The caller must not use it again.
  package func give(_ buffer: PooledBuffer) {
    free.withLock { free in
      if free.count < Self.keptMax { free.append(buffer) }
    }
  }
}
