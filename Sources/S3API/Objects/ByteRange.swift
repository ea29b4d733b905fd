// The Range header (RFC 9110, section 14.2), as S3 understands it: one range of bytes.

/// What a Range header asks for, of an object of known size.
package enum ByteRange: Equatable, Sendable {
  /// All of it: there is no range, or one that is not understood and hence ignored.
  case whole
  case part(Range<UInt64>)
  /// The range lies behind the end.
  case unsatisfiable

  /// Reads the header's value.
  package init(_ text: String?, size: UInt64) {
    guard let text, text.utf8.starts(with: "bytes=".utf8) else {
      self = .whole
      return
    }
    let parts = text.dropFirst(6).split(
      separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let first = Self.number(parts[0]), let last = Self.number(parts[1])
    else {
      self = .whole
      return
    }
    switch (first, last) {
    case (nil, nil): self = .whole
    case (nil, let suffix?):
      self = suffix == 0 || size == 0 ? .unsatisfiable : .part(size - min(suffix, size)..<size)
    case (let first?, nil): self = first < size ? .part(first..<size) : .unsatisfiable
    case (let first?, let last?):
      guard first <= last else {
        self = .whole
        return
      }
      self = first < size ? .part(first..<min(last, size - 1) + 1) : .unsatisfiable
    }
  }

  /// The number; `.some(nil)` for no digits, `nil` for anything else.
  ///
  /// One too large for 64 bits lies behind any end.
  private static func number(_ text: Substring) -> UInt64?? {
    if text.isEmpty { return .some(nil) }
    guard text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
    return .some(UInt64(text) ?? .max)
  }
}
