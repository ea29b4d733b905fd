// Bytes that are about to be sent together: a head, and as much of the body as fits.

import Reactor

/// A buffer borrowed for as long as it holds something; it grows when a head needs more.
package final class SendBuffer {
  /// Whose memory `storage` is; `nil` when nothing is held, and when a head needed more: then it is the buffer's own.
  private var borrowed: PooledBuffer?
  private var storage = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  private(set) var count = 0

  deinit { clear() }

  /// What is held.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: storage[..<count]) }

  /// How much can be added without growing.
  var room: Int { max(storage.count, BufferPool.bufferBytes) - count }

  /// How much memory is borrowed.
  var heldBytes: Int { storage.count }

  /// Whether memory is borrowed.
  package var holdsBuffer: Bool { storage.count > 0 }

  /// Adds all of `bytes`.
  func append(_ bytes: UnsafeRawBufferPointer) {
    let end = count + bytes.count
    if end > storage.count { makeRoom(end) }
    UnsafeMutableRawBufferPointer(rebasing: storage[count..<end]).copyMemory(from: bytes)
    count = end
  }

  func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }

  func append(_ text: StaticString) {
    append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  func append(_ text: String) {
    var text = text
    text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
  }

  /// Adds `number` in `radix` 10 or 16.
  func append(_ number: UInt64, radix: UInt64 = 10) {
    withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { digits in
      var start = digits.count
      var rest = number
      repeat {
        let digit = UInt8(truncatingIfNeeded: rest % radix)
        start -= 1
        digits[start] = digit < 10 ? 48 + digit : 87 + digit
        rest /= radix
      } while rest > 0
      append(UnsafeRawBufferPointer(rebasing: digits[start...]))
    }
  }

  /// Adds `number` as 16 hexadecimal digits.
  func appendHex(_ number: UInt64) {
    withUnsafeTemporaryAllocation(byteCount: 16, alignment: 1) { digits in
      for index in 0..<16 {
        let digit = UInt8(truncatingIfNeeded: number >> UInt64(60 - index * 4)) & 15
        digits[index] = digit < 10 ? 48 + digit : 87 + digit
      }
      append(UnsafeRawBufferPointer(digits))
    }
  }

  /// Drops what is held and gives the buffer back.
  func clear() {
    count = 0
    replaceStorage(by: UnsafeMutableRawBufferPointer(start: nil, count: 0), borrowed: nil)
  }

  /// Makes `storage` hold at least `needed` bytes.
  private func makeRoom(_ needed: Int) {
    if storage.count == 0, needed <= BufferPool.bufferBytes {
      let buffer = BufferPool.shared.take()
      return replaceStorage(by: buffer.bytes, borrowed: buffer)
    }
    let larger = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(needed, BufferPool.bufferBytes * 2, storage.count * 2), alignment: 64)
    larger.copyMemory(from: bytes)
    replaceStorage(by: larger, borrowed: nil)
  }

  private func replaceStorage(
    by memory: UnsafeMutableRawBufferPointer, borrowed buffer: PooledBuffer?
  ) {
    if let borrowed { BufferPool.shared.give(borrowed) } else { storage.deallocate() }
    borrowed = buffer
    storage = memory
  }
}
