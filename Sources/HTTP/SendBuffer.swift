// Bytes that are about to be sent together: a head, and as much of the body as fits.

import Reactor

/// A buffer borrowed for as long as it holds something; it grows when a head needs more.
package final class SendBuffer {
  private var borrowed: PooledBuffer?
  /// Takes the place of `borrowed` when more is needed.
  private var grown: UnsafeMutableRawBufferPointer?
  private(set) var count = 0

  deinit { clear() }

  private var storage: UnsafeMutableRawBufferPointer? { grown ?? borrowed?.bytes }

  /// What is held.
  var bytes: UnsafeRawBufferPointer {
    storage.map { UnsafeRawBufferPointer(rebasing: $0[..<count]) }
      ?? UnsafeRawBufferPointer(start: nil, count: 0)
  }

  /// How much can be added without growing.
  var room: Int { (storage?.count ?? BufferPool.bufferBytes) - count }

  /// How much memory is borrowed.
  var heldBytes: Int { storage?.count ?? 0 }

  /// Whether memory is borrowed.
  package var holdsBuffer: Bool { storage != nil }

  /// Adds all of `bytes`.
  func append(_ bytes: UnsafeRawBufferPointer) {
    guard !bytes.isEmpty else { return }
    let storage = storage(for: bytes.count)
    UnsafeMutableRawBufferPointer(rebasing: storage[count..<count + bytes.count])
      .copyMemory(from: bytes)
    count += bytes.count
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
    if let borrowed { BufferPool.shared.give(borrowed) }
    borrowed = nil
    grown?.deallocate()
    grown = nil
  }

  private func storage(for addition: Int) -> UnsafeMutableRawBufferPointer {
    let needed = count + addition
    if let storage, needed <= storage.count { return storage }
    if storage == nil, needed <= BufferPool.bufferBytes {
      let buffer = BufferPool.shared.take()
      borrowed = buffer
      return buffer.bytes
    }
    let larger = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(needed, BufferPool.bufferBytes * 2, (storage?.count ?? 0) * 2), alignment: 64)
    larger.copyMemory(from: bytes)
    let held = count
    clear()
    count = held
    grown = larger
    return larger
  }
}
