// Reading bytes that spell words: what parsers of headers, queries and paths have in common.

private import Glibc

extension UInt8 {
  /// The letter of ASCII in lower case; any other byte as it is.
  @inlinable @inline(__always)
  package var asciiLowercased: UInt8 { self &- UInt8(ascii: "A") < 26 ? self | 0x20 : self }
}

extension UnsafeRawBufferPointer {
  /// Whether the bytes are those of `text`.
  @inlinable @inline(__always)
  package func spells(_ text: StaticString) -> Bool {
    count == text.utf8CodeUnitCount && begins(with: text)
  }

  /// Whether the bytes are those of `text`, which is in lower case, or the same in other cases of ASCII's letters.
  @inlinable @inline(__always)
  package func spellsIgnoringCase(_ text: StaticString) -> Bool {
    guard count == text.utf8CodeUnitCount else { return false }
    let lowercase = text.utf8Start
    for index in 0..<count where self[index].asciiLowercased != lowercase[index] { return false }
    return true
  }

  /// Whether the bytes begin with those of `text`.
  @inlinable @inline(__always)
  package func begins(with text: StaticString) -> Bool {
    text.utf8CodeUnitCount <= count
      && holdsAtStart(text.utf8Start, text.utf8CodeUnitCount)
  }

  /// Whether the bytes begin with the `length` ones at `other`.
  ///
  /// - Requires: There are as many.
  @usableFromInline
  func holdsAtStart(_ other: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    guard length > 0, let base = baseAddress else { return length == 0 }
    // Most names that are compared differ in their first byte.
    return self[0] == other[0] && memcmp(base, other, length) == 0
  }

  /// Whether both are the same bytes.
  @usableFromInline
  package func equals(_ other: UnsafeRawBufferPointer) -> Bool {
    guard count == other.count else { return false }
    guard let mine = baseAddress, let others = other.baseAddress else { return true }
    return memcmp(mine, others, count) == 0
  }

  /// Where `byte` comes first; `nil` when it does not.
  @usableFromInline
  package func offset(of byte: UInt8) -> Int? {
    guard let base = baseAddress, let found = memchr(base, Int32(byte), count) else { return nil }
    return UnsafeRawPointer(found) - base
  }

  /// The bytes from `start` on; none when that is behind the end.
  @inlinable
  package func from(_ start: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: self[Swift.min(start, count)...])
  }

  /// The first `length` bytes, or as many as there are.
  @inlinable
  package func upTo(_ length: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: self[..<Swift.min(length, count)])
  }

  /// Without spaces at either end.
  package var trimmingSpaces: UnsafeRawBufferPointer { trimming { $0 == UInt8(ascii: " ") } }

  /// Without the bytes at either end that are `padding`.
  @inlinable
  package func trimming(_ padding: (UInt8) -> Bool) -> UnsafeRawBufferPointer {
    var start = 0
    var end = count
    while start < end, padding(self[start]) { start += 1 }
    while start < end, padding(self[end - 1]) { end -= 1 }
    return UnsafeRawBufferPointer(rebasing: self[start..<end])
  }

  /// Hands each part between two `separator` to `body`, empty ones too.
  @inlinable
  package func forEachPart<Failure: Error>(
    between separator: UInt8, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    var rest = self
    while let end = rest.offset(of: separator) {
      try body(rest.upTo(end))
      rest = rest.from(end + 1)
    }
    try body(rest)
  }

  /// The bytes as text; what is not UTF-8 becomes U+FFFD.
  package var text: String { String(decoding: self, as: UTF8.self) }
}

extension [UInt8] {
  /// `count` bytes, as `fill` writes all of them.
  ///
  /// For a few bytes, as they come from the stack: `init(unsafeUninitializedCapacity:)` and `init(repeating:)` look
  /// up the array's type each time, which costs more than this copy.
  @inlinable
  package init(count: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
    self = withUnsafeTemporaryAllocation(byteCount: count, alignment: 8) { bytes in
      fill(bytes)
      return Array(bytes)
    }
  }
}
