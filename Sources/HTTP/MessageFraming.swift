// How long a message's body is, and whether the connection lives on: RFC 9112, sections 6 and 9.
//
// Two parties that disagree about where a message ends can be made to see different requests (request
// smuggling). So everything that leaves room for two readings is refused: more than one
// Content-Length even if equal, a list in one, signs, Content-Length beside Transfer-Encoding, any
// Transfer-Encoding but one `chunked`, and any at all in HTTP/1.0.

private import Base

/// Where a body ends.
package enum BodyFraming: Equatable {
  /// There is no body.
  case none
  /// After so many bytes.
  case length(UInt64)
  /// Where its chunks say (RFC 9112, section 7.1).
  case chunked
  /// Where the connection ends: responses only.
  case untilClose
}

/// What the fields that frame a message say, gathered while a head is parsed.
struct FramingFields {
  private enum TransferEncoding { case absent, chunked, unsupported, invalid }

  private var contentLength: UInt64?
  private var transferEncoding = TransferEncoding.absent
  private(set) var hostCount = 0
  private(set) var closes = false
  private(set) var keepsAlive = false
  /// `Expect: 100-continue` was there.
  ///
  /// Other expectations are ignored, as clients of S3 are used to (RFC 9110, section 10.1.1, leaves the
  /// choice).
  private(set) var expectsContinue = false

  /// Takes note of a field if it is one that frames messages.
  ///
  /// Names are told apart by their length first, as most fields are none of these.
  mutating func note(
    name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer
  ) throws(HTTPRejection) {
    switch name.count {
    case 4 where name.spellsIgnoringCase("host"): try noteHost(value)
    case 6 where name.spellsIgnoringCase("expect"):
      if value.spellsIgnoringCase("100-continue") { expectsContinue = true }
    case 10 where name.spellsIgnoringCase("connection"):
      forEachElement(of: value) { element in
        if element.spellsIgnoringCase("close") { closes = true }
        if element.spellsIgnoringCase("keep-alive") { keepsAlive = true }
      }
    case 14 where name.spellsIgnoringCase("content-length"): try noteContentLength(value)
    case 17 where name.spellsIgnoringCase("transfer-encoding"): noteTransferEncoding(value)
    default: break
    }
  }

  private mutating func noteHost(_ value: UnsafeRawBufferPointer) throws(HTTPRejection) {
    hostCount += 1
    guard value.allSatisfy(isHostCharacter) else { throw HTTPRejection(400, "invalid Host") }
  }

  private mutating func noteContentLength(
    _ value: UnsafeRawBufferPointer
  ) throws(HTTPRejection) {
    guard contentLength == nil else { throw HTTPRejection(400, "more than one Content-Length") }
    // 18 digits are below 2^63 and above any size of a file.
    guard value.count <= 18, let length = UInt64(digits: value) else {
      throw HTTPRejection(400, "invalid Content-Length")
    }
    contentLength = length
  }

  private mutating func noteTransferEncoding(_ value: UnsafeRawBufferPointer) {
    var found = transferEncoding
    var count = 0
    forEachElement(of: value) { element in
      count += 1
      switch found {
      case .invalid: break
      case .chunked: found = .invalid  // Nothing may follow `chunked`, not even itself.
      case .absent, .unsupported:
        if element.spellsIgnoringCase("chunked") {
          found = found == .absent ? .chunked : .unsupported
        } else {
          found = element.first.map(isTokenCharacter) == true ? .unsupported : .invalid
        }
      }
    }
    transferEncoding = count == 0 ? .invalid : found
  }

  /// How the body is framed, in a message of that minor version; `nil` when no field says.
  func body(minorVersion: Int) throws(HTTPRejection) -> BodyFraming? {
    switch transferEncoding {
    case .absent: return contentLength.map { .length($0) }
    case .chunked, .unsupported, .invalid: break
    }
    guard contentLength == nil else {
      throw HTTPRejection(400, "Content-Length beside Transfer-Encoding")
    }
    guard minorVersion > 0 else { throw HTTPRejection(400, "Transfer-Encoding in HTTP/1.0") }
    switch transferEncoding {
    case .unsupported: throw HTTPRejection(501, "unsupported Transfer-Encoding")
    case .invalid: throw HTTPRejection(400, "invalid Transfer-Encoding")
    case .chunked, .absent: return .chunked
    }
  }

  /// Whether the connection may be used for another message (RFC 9112, section 9.3).
  func persists(minorVersion: Int) -> Bool {
    !closes && (minorVersion > 0 || keepsAlive)
  }
}

/// Calls `body` with each element of a comma-separated list, without white space around it.
///
/// Empty elements are skipped (RFC 9110, section 5.6.1).
func forEachElement(of list: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void) {
  list.forEachPart(between: UInt8(ascii: ",")) { part in
    let element = part.trimming(isWhiteSpace)
    if !element.isEmpty { body(element) }
  }
}
