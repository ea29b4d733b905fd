// Bytes that are about to be sent together: a head, and as much of the body as fits.

/// A buffer borrowed for as long as it holds something; it grows when a head needs more.
final class SendBuffer {
  private let pool: BufferPool
  private var storage: UnsafeMutableRawBufferPointer?
  private(set) var count = 0

  init(pool: BufferPool) { self.pool = pool }

  deinit { clear() }

  /// What is held.
  var bytes: UnsafeRawBufferPointer {
    storage.map { UnsafeRawBufferPointer(rebasing: $0[..<count]) }
      ?? UnsafeRawBufferPointer(start: nil, count: 0)
  }

  /// How much can be added without growing.
  var room: Int { (storage?.count ?? pool.bufferBytes) - count }

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
    guard let storage else { return }
    if storage.count == pool.bufferBytes { pool.giveBack(storage) } else { storage.deallocate() }
    self.storage = nil
  }

  private func storage(for addition: Int) -> UnsafeMutableRawBufferPointer {
    let held = storage ?? pool.borrow()
    storage = held
    let needed = count + addition
    if needed <= held.count { return held }
    let grown = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(needed, held.count * 2), alignment: 16)
    grown.copyMemory(from: UnsafeRawBufferPointer(rebasing: held[..<count]))
    if held.count == pool.bufferBytes { pool.giveBack(held) } else { held.deallocate() }
    storage = grown
    return grown
  }
}
