// Writes the head of a response: RFC 9112, section 4.

import Base

/// How a response's body is framed.
enum ResponseFraming {
  /// No body and no word about one: 204 and 304.
  case none
  case length(UInt64)
  case chunked
  /// Ends with the connection: to a client of HTTP/1.0, which does not know chunks.
  case untilClose
}

/// What a response says about its connection.
enum ResponseConnection {
  /// Nothing: it persists, as is usual in HTTP/1.1.
  case persist
  /// It persists although the client speaks HTTP/1.0.
  case keepAlive
  case close
}

/// Writes response heads of one exchange.
struct ResponseHeadWriter {
  let server: HTTPServer
  let requestNumber: UInt64

  /// Appends a head to `buffer`, without those of `headers` that are the server's business.
  func write(
    _ status: Int, headers: HTTPHeaders, framing: ResponseFraming,
    connection: ResponseConnection, to buffer: SendBuffer
  ) {
    buffer.append("HTTP/1.1 ")
    buffer.append(UInt64(status))
    buffer.append(" ")
    buffer.append(reasonPhrase(status))
    buffer.append("\r\n")
    buffer.append(server.standardFields.lines(server.runtime.wallNow))
    if let name = server.options.requestIDHeader {
      buffer.append(name)
      buffer.append(": ")
      buffer.appendHex(requestNumber)
      buffer.append("\r\n")
    }
    headers.writeFieldLines(to: buffer, without: Self.isServersField)
    switch framing {
    case .none, .untilClose: break
    case .length(let count):
      buffer.append("content-length: ")
      buffer.append(count)
      buffer.append("\r\n")
    case .chunked: buffer.append("transfer-encoding: chunked\r\n")
    }
    switch connection {
    case .persist: break
    case .keepAlive: buffer.append("connection: keep-alive\r\n")
    case .close: buffer.append("connection: close\r\n")
    }
    buffer.append("\r\n")
  }

  /// Told apart by the length first, as most fields are none of these.
  private static func isServersField(_ name: UnsafeRawBufferPointer) -> Bool {
    switch name.count {
    case 4: name.spellsIgnoringCase("date")
    case 6: name.spellsIgnoringCase("server")
    case 10: name.spellsIgnoringCase("connection")
    case 14: name.spellsIgnoringCase("content-length")
    case 17: name.spellsIgnoringCase("transfer-encoding")
    default: false
    }
  }
}

extension HTTPHeaders {
  /// Appends the field lines to `buffer`, except those whose name `isLeftOut`; usually by one copy.
  func writeFieldLines(
    to buffer: SendBuffer, without isLeftOut: (UnsafeRawBufferPointer) -> Bool
  ) {
    bytes.withUnsafeBytes { bytes in
      let isWhole = fields.allSatisfy {
        !isLeftOut(UnsafeRawBufferPointer(rebasing: bytes[$0.name]))
      }
      if isWhole { return withFieldLines { buffer.append($0) } }
      for field in fields {
        let name = UnsafeRawBufferPointer(rebasing: bytes[field.name])
        if isLeftOut(name) { continue }
        buffer.append(name)
        buffer.append(": ")
        buffer.append(UnsafeRawBufferPointer(rebasing: bytes[field.value]))
        buffer.append("\r\n")
      }
    }
  }
}
