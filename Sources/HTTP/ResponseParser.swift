// Parses the head of a response: RFC 9112, section 4. As strict as for requests: a peer that frames its
// messages badly is not asked again on the same connection.

private import Base

/// A response's head with what it means for the connection.
package struct ParsedResponse {
  package var head: HTTPResponseHead
  package var framing: BodyFraming
  /// Whether the connection may be used again once the body has been read.
  package var persists: Bool
  /// How many bytes the head takes.
  package var byteCount: Int
}

/// Parses one response's head; a new one for each.
package struct ResponseParser {
  private var lines: HeadParser
  private var statusLine: (status: Int, minorVersion: Int)?
  /// Whether the request was a HEAD, whose response has no body whatever its fields say.
  private let answersHead: Bool

  package init(limits: HeadLimits, answersHead: Bool) {
    lines = HeadParser(limits: limits)
    self.answersHead = answersHead
  }

  /// Goes on with `bytes`, which are all that arrived from the head's first byte on.
  ///
  /// - Returns: `nil` when more are needed.
  package mutating func parse(_ bytes: UnsafeRawBufferPointer) throws(HTTPRejection)
    -> ParsedResponse?
  {
    while true {
      switch try lines.parse(bytes) {
      case .needsMoreBytes: return nil
      case .startLine(let line):
        statusLine = try Self.parseLine(UnsafeRawBufferPointer(rebasing: bytes[line]))
      case .complete(let end):
        guard let (status, minorVersion) = statusLine else {
          throw HTTPRejection(502, "no status line")
        }
        let named = try lines.framing.body(minorVersion: minorVersion)
        let hasBody = !(answersHead || status < 200 || status == 204 || status == 304)
        let framing: BodyFraming = hasBody ? named ?? .untilClose : .none
        return ParsedResponse(
          head: HTTPResponseHead(
            status: status, minorVersion: minorVersion, headers: lines.headers(bytes, end: end)),
          framing: framing,
          persists: framing != .untilClose && lines.framing.persists(minorVersion: minorVersion),
          byteCount: end)
      }
    }
  }

  /// Reads `HTTP/1.x SP 3DIGIT [ SP reason ]`: the second space is often left out with the reason.
  private static func parseLine(
    _ line: UnsafeRawBufferPointer
  ) throws(HTTPRejection) -> (status: Int, minorVersion: Int) {
    guard line.count >= 12, line.starts(with: "HTTP/1.".utf8), line[7] &- 48 < 10,
      line[8] == UInt8(ascii: " "), line.count == 12 || line[12] == UInt8(ascii: " "),
      !holdsControlCharacter(line)
    else { throw HTTPRejection(502, "invalid status line") }
    guard let status = Int(digits: line[9..<12]), (100...599).contains(status) else {
      throw HTTPRejection(502, "invalid status")
    }
    return (status, line[7] == UInt8(ascii: "0") ? 0 : 1)
  }
}
