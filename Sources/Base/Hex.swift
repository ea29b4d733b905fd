// Hexadecimal, for names that people read.

/// Base 16 (RFC 4648, section 8), written in lowercase and read in either case.
public enum Hex {
  /// Two lowercase digits a byte.
  @inlinable
  public static func encode(_ bytes: some Collection<UInt8>) -> String {
    String(unsafeUninitializedCapacity: bytes.count * 2) { buffer in
      var position = 0
      for byte in bytes {
        buffer[position] = digit(byte >> 4)
        buffer[position + 1] = digit(byte & 15)
        position += 2
      }
      return position
    }
  }

  /// Adds two lowercase digits a byte to `text`.
  @inlinable
  public static func append(_ bytes: UnsafeRawBufferPointer, to text: inout [UInt8]) {
    withUnsafeTemporaryAllocation(byteCount: bytes.count * 2, alignment: 1) { digits in
      for index in bytes.indices {
        digits[index * 2] = digit(bytes[index] >> 4)
        digits[index * 2 + 1] = digit(bytes[index] & 15)
      }
      text.append(contentsOf: digits)
    }
  }

  /// The lowercase digit of a `value` below 16.
  @inlinable @inline(__always)
  static func digit(_ value: UInt8) -> UInt8 {
    value &+ (value < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10)
  }

  /// The bytes that pairs of digits stand for; `nil` for an odd count or any other character.
  package static func decode(_ text: some StringProtocol) -> [UInt8]? {
    var text = String(text)
    return text.withUTF8 { decode(UnsafeRawBufferPointer($0)) }
  }

  /// As above, for digits that are no text yet.
  package static func decode(_ digits: UnsafeRawBufferPointer) -> [UInt8]? {
    guard digits.count.isMultiple(of: 2) else { return nil }
    var isValid = true
    let bytes = [UInt8](count: digits.count / 2) { bytes in
      for index in 0..<digits.count / 2 {
        let high = value(of: digits[index * 2])
        let low = value(of: digits[index * 2 + 1])
        if high == nil || low == nil { isValid = false }
        bytes[index] = (high ?? 0) << 4 | (low ?? 0)
      }
    }
    return isValid ? bytes : nil
  }

  /// The value of a digit in either case; `nil` for any other character.
  @inlinable @inline(__always)
  public static func value(of character: UInt8) -> UInt8? {
    let digit = character &- UInt8(ascii: "0")
    if digit < 10 { return digit }
    let letter = character.asciiLowercased &- UInt8(ascii: "a")
    return letter < 6 ? letter &+ 10 : nil
  }
}
