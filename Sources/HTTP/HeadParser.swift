// Splits the head of a message into its lines and fields: RFC 9112, sections 2 and 5.
//
//     start-line CR LF
//     *( field-name ":" OWS field-value OWS CR LF )
//     CR LF
//
// A state machine without I/O: it is given the bytes that have arrived so far, from the head's first byte
// on, and again with more until the head is complete. It remembers how far it got, so each byte is
// looked at once, and lines are judged as they come, so that nonsense is refused before its end.
//
// Invariants:
//   1. The outcome does not depend on how the bytes were split between calls.
//   2. What is accepted has one reading only: every line ends in CR LF; there is no other CR, LF, NUL or
//      control character but tab; no line is folded; no white space stands before a colon.
//   3. A head is refused as soon as it exceeds a limit.

private import Glibc

/// How large a head may be.
package struct HeadLimits {
  /// From its first byte to its last.
  package var headMaxBytes: Int
  package var fieldCountMax: Int

  package init(headMaxBytes: Int, fieldCountMax: Int) {
    self.headMaxBytes = headMaxBytes
    self.fieldCountMax = fieldCountMax
  }
}

/// Finds the lines of a head and its fields.
struct HeadParser {
  /// What a step of `parse` came to.
  enum Outcome {
    case needsMoreBytes
    /// The first line is the bytes in this range. `parse` goes on behind it.
    case startLine(Range<Int>)
    /// The head ends before this offset.
    case complete(Int)
  }

  private let limits: HeadLimits
  /// The head's first byte: behind an empty line that came before it.
  private(set) var headStart = 0
  private var lineStart = 0
  /// Where the search for the end of the current line goes on.
  private var searchStart = 0
  /// Where the field lines begin, once the first line is complete.
  private(set) var fieldsStart: Int?
  /// Offsets from `headStart`.
  private(set) var fields: [HTTPHeaders.Field] = []
  private(set) var framing = FramingFields()

  init(limits: HeadLimits) { self.limits = limits }

  /// A parser of field lines alone, as trailers are.
  init(fieldLimits limits: HeadLimits) {
    self.limits = limits
    fieldsStart = 0
  }

  /// Goes on with `bytes`, which begin as in the call before and have grown at the end.
  mutating func parse(_ bytes: UnsafeRawBufferPointer) throws(HTTPRejection) -> Outcome {
    while true {
      guard let lineFeed = offsetOfLineFeed(in: bytes) else {
        searchStart = bytes.count
        try checkStart(bytes)
        guard bytes.count < limits.headMaxBytes else { throw tooLarge }
        return .needsMoreBytes
      }
      try checkStart(bytes)
      guard lineFeed < limits.headMaxBytes else { throw tooLarge }
      guard lineFeed > lineStart, bytes[lineFeed - 1] == UInt8(ascii: "\r") else {
        throw HTTPRejection(400, "a line that does not end in CR LF")
      }
      let line = lineStart..<lineFeed - 1
      lineStart = lineFeed + 1
      searchStart = lineStart
      if fieldsStart == nil {
        if line.isEmpty {
          // One empty line before a request is ignored (RFC 9112, section 2.2).
          guard headStart == 0 else { throw HTTPRejection(400, "no request line") }
          headStart = lineStart
          continue
        }
        fieldsStart = lineStart
        return .startLine(line)
      }
      if line.isEmpty { return .complete(lineStart) }
      try parseField(bytes, line)
    }
  }

  private func offsetOfLineFeed(in bytes: UnsafeRawBufferPointer) -> Int? {
    guard searchStart < bytes.count, let base = bytes.baseAddress,
      let found = memchr(base + searchStart, 0x0A, bytes.count - searchStart)
    else { return nil }
    return UnsafeRawPointer(found) - base
  }

  /// A message begins with a token.
  ///
  /// Anything else, a TLS handshake for example, is refused at its first
  /// byte rather than waited for.
  private func checkStart(_ bytes: UnsafeRawBufferPointer) throws(HTTPRejection) {
    guard fieldsStart == nil, headStart < bytes.count else { return }
    let first = bytes[headStart]
    guard isTokenCharacter(first) || (first == UInt8(ascii: "\r") && headStart == 0) else {
      throw HTTPRejection(400, "no HTTP message")
    }
  }

  private var tooLarge: HTTPRejection {
    fieldsStart == nil
      ? HTTPRejection(414, "the request target is too long")
      : HTTPRejection(431, "the header fields are too large")
  }

  private mutating func parseField(
    _ bytes: UnsafeRawBufferPointer, _ line: Range<Int>
  ) throws(HTTPRejection) {
    var nameEnd = line.lowerBound
    while nameEnd < line.upperBound, isTokenCharacter(bytes[nameEnd]) { nameEnd += 1 }
    guard nameEnd < line.upperBound, bytes[nameEnd] == UInt8(ascii: ":"),
      nameEnd > line.lowerBound
    else { throw HTTPRejection(400, "invalid header field name or a folded line") }
    var valueStart = nameEnd + 1
    var valueEnd = line.upperBound
    while valueStart < valueEnd, isWhiteSpace(bytes[valueStart]) { valueStart += 1 }
    while valueStart < valueEnd, isWhiteSpace(bytes[valueEnd - 1]) { valueEnd -= 1 }
    let value = UnsafeRawBufferPointer(rebasing: bytes[valueStart..<valueEnd])
    guard !holdsControlCharacter(value) else {
      throw HTTPRejection(400, "a control character in a header field")
    }
    guard fields.count < limits.fieldCountMax else {
      throw HTTPRejection(431, "too many header fields")
    }
    let name = UnsafeRawBufferPointer(rebasing: bytes[line.lowerBound..<nameEnd])
    try framing.note(name: name, value: value)
    if fields.isEmpty { fields.reserveCapacity(Self.usualFieldCount) }
    fields.append(
      HTTPHeaders.Field(
        nameStart: UInt32(truncatingIfNeeded: line.lowerBound - headStart),
        nameCount: UInt32(truncatingIfNeeded: name.count),
        valueStart: UInt32(truncatingIfNeeded: valueStart - headStart),
        valueCount: UInt32(truncatingIfNeeded: value.count)))
  }

  /// The parsed fields, with a copy of the head's bytes up to `end`, the offset behind its empty line.
  func headers(_ bytes: UnsafeRawBufferPointer, end: Int) -> HTTPHeaders {
    HTTPHeaders(
      bytes: Array(UnsafeRawBufferPointer(rebasing: bytes[headStart..<end - 2])), fields: fields,
      fieldsStart: (fieldsStart ?? headStart) - headStart)
  }

  /// Fields of a signed S3 request, so that the index is allocated once.
  private static let usualFieldCount = 16
}
