// Bytes that have arrived on a connection and have not been used.

import Reactor

/// A window of unused bytes in a buffer that is borrowed while there are any.
package final class ReceiveBuffer {
  private var buffer: PooledBuffer?
  private var start = 0
  private var end = 0

  deinit {
    if let buffer { BufferPool.shared.give(buffer) }
  }

  /// What has arrived and was not consumed, valid until the next change.
  var bytes: UnsafeRawBufferPointer {
    buffer.map { UnsafeRawBufferPointer(rebasing: $0.bytes[start..<end]) }
      ?? UnsafeRawBufferPointer(start: nil, count: 0)
  }

  var isEmpty: Bool { start == end }

  /// Whether memory is borrowed.
  package var holdsBuffer: Bool { buffer != nil }

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
    let buffer = self.buffer ?? BufferPool.shared.take()
    self.buffer = buffer
    let storage = buffer.bytes
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
    precondition(count <= (buffer?.bytes.count ?? 0) - end)
    end += count
  }

  /// Forgets all that is unused, and gives the buffer back.
  func drop() {
    consume(end - start)
    release()
  }

  /// Gives the buffer back if nothing is in it.
  func release() {
    guard isEmpty, let buffer else { return }
    BufferPool.shared.give(buffer)
    self.buffer = nil
  }
}
