// Buffers that connections borrow while they need them, so that idle connections hold next to nothing.

private import Synchronization

/// Lends buffers of one size.
final class BufferPool: Sendable {
  /// The size of every buffer.
  let bufferBytes: Int
  /// Addresses of free buffers, as numbers, which may pass between threads.
  private let free = Mutex<[UInt]>([])

  init(bufferBytes: Int) { self.bufferBytes = bufferBytes }

  deinit {
    free.withLock { addresses in
      for address in addresses { UnsafeMutableRawPointer(bitPattern: address)?.deallocate() }
    }
  }

  /// A buffer for the caller alone, of unknown content.
  func borrow() -> UnsafeMutableRawBufferPointer {
    let address = free.withLock { $0.popLast() }
    let start =
      address.flatMap { UnsafeMutableRawPointer(bitPattern: $0) }
      ?? .allocate(byteCount: bufferBytes, alignment: 16)
    return UnsafeMutableRawBufferPointer(start: start, count: bufferBytes)
  }

  /// Takes back a buffer that `borrow` gave.
  func giveBack(_ buffer: UnsafeMutableRawBufferPointer) {
    guard let start = buffer.baseAddress else { return }
    let isKept = free.withLock { addresses in
      guard addresses.count < Self.freeMax else { return false }
      addresses.append(UInt(bitPattern: start))
      return true
    }
    if !isKept { start.deallocate() }
  }

  /// Buffers that wait for a use; more than two loops use at once in quiet times, 4 MiB of 32 KiB each.
  private static let freeMax = 128
}
