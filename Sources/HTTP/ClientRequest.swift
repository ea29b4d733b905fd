// A request as a client sends it.

private import Base

/// A request that has been checked to be one message, whatever its parts are made of.
struct ClientRequest {
  let method: String
  let body: HTTPRequestBody
  private let target: String
  private let authority: String
  private let headers: HTTPHeaders

  init(
    method: String, target: String, authority: String, headers: HTTPHeaders, body: HTTPRequestBody
  ) throws(HTTPError) {
    guard !method.isEmpty, method.utf8.allSatisfy(isTokenCharacter), !target.isEmpty,
      target.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }),
      headers.contains("host") || authority.utf8.allSatisfy(isHostCharacter)
    else { throw .malformed(HTTPRejection(400, "invalid method, target or host")) }
    self.method = method
    self.target = target
    self.authority = authority
    self.headers = headers
    self.body = body
  }

  /// Whether sending it twice does what sending it once does (RFC 9110, section 9.2.2), and it can be sent
  /// twice.
  var isRepeatable: Bool {
    guard case .bytes = body else { return false }
    return ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"].contains(method)
  }

  func writeHead(to buffer: SendBuffer) {
    buffer.append(method)
    buffer.append(" ")
    buffer.append(target)
    buffer.append(" HTTP/1.1\r\n")
    if !headers.contains("host") {
      buffer.append("host: ")
      buffer.append(authority)
      buffer.append("\r\n")
    }
    headers.writeFieldLines(to: buffer, without: Self.isClientsField)
    switch body {
    case .bytes(let bytes):
      if !bytes.isEmpty || method == "PUT" || method == "POST" {
        writeLength(UInt64(bytes.count), to: buffer)
      }
    case .stream(let length?, _): writeLength(length, to: buffer)
    case .stream(nil, _): buffer.append("transfer-encoding: chunked\r\n")
    }
    buffer.append("\r\n")
  }

  private func writeLength(_ length: UInt64, to buffer: SendBuffer) {
    buffer.append("content-length: ")
    buffer.append(length)
    buffer.append("\r\n")
  }

  private static func isClientsField(_ name: UnsafeRawBufferPointer) -> Bool {
    switch name.count {
    case 14: name.spellsIgnoringCase("content-length")
    case 17: name.spellsIgnoringCase("transfer-encoding")
    default: false
    }
  }
}
