// Parses the head of a request: RFC 9112, section 3.

private import Base
private import Glibc

/// A request's head with what it means for the connection.
package struct ParsedRequest {
  package var head: HTTPRequestHead
  package var framing: BodyFraming
  /// Whether the client wants to send another request on the connection.
  package var persists: Bool
  /// Whether the client waits for `100 Continue` before it sends the body.
  package var expectsContinue: Bool
  /// How many bytes the head takes.
  package var byteCount: Int
}

/// Parses one request's head; a new one for each.
package struct RequestParser {
  private struct RequestLine {
    var method: String
    var target: Range<Int>
    var minorVersion: Int
  }

  private var lines: HeadParser
  private var requestLine: RequestLine?

  package init(limits: HeadLimits) { lines = HeadParser(limits: limits) }

  /// Goes on with `bytes`, which are all that arrived from the head's first byte on.
  ///
  /// - Returns: `nil` when more are needed.
  /// - Throws: the status to answer with before the connection is closed.
  package mutating func parse(_ bytes: UnsafeRawBufferPointer) throws(HTTPRejection)
    -> ParsedRequest?
  {
    while true {
      switch try lines.parse(bytes) {
      case .needsMoreBytes: return nil
      case .startLine(let line): requestLine = try Self.parseLine(bytes, line)
      case .complete(let end):
        guard let requestLine else { throw HTTPRejection(400, "no request line") }
        return try finish(requestLine, bytes, end: end)
      }
    }
  }

  private func finish(
    _ line: RequestLine, _ bytes: UnsafeRawBufferPointer, end: Int
  ) throws(HTTPRejection) -> ParsedRequest {
    let framing = lines.framing
    guard framing.hostCount == 1 || (framing.hostCount == 0 && line.minorVersion == 0) else {
      throw HTTPRejection(400, framing.hostCount == 0 ? "no Host" : "more than one Host")
    }
    let body = try framing.body(minorVersion: line.minorVersion) ?? .none
    let offset = lines.headStart
    let head = HTTPRequestHead(
      method: line.method, minorVersion: line.minorVersion,
      headers: lines.headers(bytes, end: end),
      targetRange: line.target.lowerBound - offset..<line.target.upperBound - offset)
    // RFC 9112, section 3.2.2, prefers the target's authority; but signatures cover the Host field, and
    // what was signed for one host must not be read as meant for another.
    if let authority = head.targetAuthority,
      !equalsIgnoringCase(Array((head.host ?? "").utf8), authority)
    {
      throw HTTPRejection(400, "the target's host is not that in Host")
    }
    return ParsedRequest(
      head: head, framing: body, persists: framing.persists(minorVersion: line.minorVersion),
      expectsContinue: framing.expectsContinue && line.minorVersion > 0, byteCount: end)
  }

  /// `method SP request-target SP HTTP-version`, with single spaces.
  private static func parseLine(
    _ bytes: UnsafeRawBufferPointer, _ line: Range<Int>
  ) throws(HTTPRejection) -> RequestLine {
    var methodEnd = line.lowerBound
    while methodEnd < line.upperBound, isTokenCharacter(bytes[methodEnd]) { methodEnd += 1 }
    let targetStart = methodEnd + 1
    guard methodEnd > line.lowerBound, targetStart < line.upperBound,
      bytes[methodEnd] == UInt8(ascii: " ")
    else { throw HTTPRejection(400, "invalid request line") }
    guard methodEnd - line.lowerBound <= methodMaxBytes else {
      throw HTTPRejection(501, "unknown method")
    }
    guard let base = bytes.baseAddress,
      let space = memchr(base + targetStart, 0x20, line.upperBound - targetStart)
    else { throw HTTPRejection(400, "invalid request line") }
    let targetEnd = UnsafeRawPointer(space) - base
    let minorVersion = try parseVersion(
      UnsafeRawBufferPointer(rebasing: bytes[targetEnd + 1..<line.upperBound]))
    let method = String(decoding: bytes[line.lowerBound..<methodEnd], as: UTF8.self)
    try checkTarget(
      UnsafeRawBufferPointer(rebasing: bytes[targetStart..<targetEnd]), method: method)
    return RequestLine(
      method: method, target: targetStart..<targetEnd, minorVersion: minorVersion)
  }

  /// The minor version of `HTTP/1.x`; the preface of HTTP/2 and other versions are refused by 505.
  private static func parseVersion(_ text: UnsafeRawBufferPointer) throws(HTTPRejection) -> Int {
    guard text.count == 8, text.begins(with: "HTTP/"), text[5] &- 48 < 10,
      text[6] == UInt8(ascii: "."), text[7] &- 48 < 10
    else { throw HTTPRejection(400, "invalid HTTP version") }
    guard text[5] == UInt8(ascii: "1") else {
      throw HTTPRejection(505, "unsupported HTTP version")
    }
    return text[7] == UInt8(ascii: "0") ? 0 : 1
  }

  /// Accepts a path, an `http` URI as sent to proxies, and `*` (RFC 9112, section 3.2).
  ///
  /// CONNECT, and with it the fourth form, is not for us.
  private static func checkTarget(
    _ target: UnsafeRawBufferPointer, method: String
  ) throws(HTTPRejection) {
    var invalid = false
    for byte in target where byte &- 0x21 > 0x7E - 0x21 || byte == UInt8(ascii: "#") {
      invalid = true
    }
    guard !target.isEmpty, !invalid else { throw HTTPRejection(400, "invalid request target") }
    guard method != "CONNECT" else { throw HTTPRejection(501, "CONNECT is not supported") }
    if target[0] == UInt8(ascii: "/") { return }
    if target.count == 1, target[0] == UInt8(ascii: "*"), method == "OPTIONS" { return }
    for scheme in ["http://", "https://"] where target.count > scheme.utf8.count {
      guard equalsIgnoringCase(target[..<scheme.utf8.count], scheme) else { continue }
      let rest = target[scheme.utf8.count...]
      let authority = rest.prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
      if !authority.isEmpty, authority.allSatisfy(isHostCharacter) { return }
    }
    throw HTTPRejection(400, "invalid request target")
  }

  /// Longer than any registered method.
  private static let methodMaxBytes = 32
}
