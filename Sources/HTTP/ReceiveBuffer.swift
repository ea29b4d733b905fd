// Bytes that have arrived on a connection and have not been used.

/// A window of unused bytes in a buffer that is borrowed while there are any.
final class ReceiveBuffer {
  let pool: BufferPool
  private var storage: UnsafeMutableRawBufferPointer?
  private var start = 0
  private var end = 0

  init(pool: BufferPool) { self.pool = pool }

  deinit {
    if let storage { pool.giveBack(storage) }
  }

  /// What has arrived and was not consumed, valid until the next change.
  var bytes: UnsafeRawBufferPointer {
    storage.map { UnsafeRawBufferPointer(rebasing: $0[start..<end]) }
      ?? UnsafeRawBufferPointer(start: nil, count: 0)
  }

  var isEmpty: Bool { start == end }

  /// Forgets the first `count` bytes.
  func consume(_ count: Int) {
    precondition(count <= end - start)
    start += count
    if start == end {
      start = 0
      end = 0
    }
  }

  /// Where the next bytes go; empty only when as much as a buffer holds is unused.
  func space() -> UnsafeMutableRawBufferPointer {
    let storage = self.storage ?? pool.borrow()
    self.storage = storage
    if end == storage.count, start > 0 {
      // Within one buffer: `copyMemory` allows the two to overlap.
      UnsafeMutableRawBufferPointer(rebasing: storage[..<(end - start)])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: storage[start..<end]))
      end -= start
      start = 0
    }
    return UnsafeMutableRawBufferPointer(rebasing: storage[end...])
  }

  /// Says that `count` bytes were put where `space` said.
  func append(_ count: Int) {
    precondition(count <= (storage?.count ?? 0) - end)
    end += count
  }

  /// Gives the buffer back if nothing is in it.
  func release() {
    guard isEmpty, let storage else { return }
    pool.giveBack(storage)
    self.storage = nil
  }
}
