// Writes the frames of a chunked body: RFC 9112, section 7.1.

/// What stands around the data of chunks.
enum ChunkedEncoder {
  static let lineEndBytes = 2

  /// The line before a chunk of `count` bytes, which must not be 0: that would be the end.
  static func appendStart(_ count: Int, to buffer: SendBuffer) {
    precondition(count > 0)
    buffer.append(UInt64(count), radix: 16)
    buffer.append("\r\n")
  }

  static func appendLineEnd(to buffer: SendBuffer) { buffer.append("\r\n") }

  /// The last chunk, the trailers and the empty line.
  static func appendEnd(trailers: HTTPHeaders, to buffer: SendBuffer) {
    buffer.append("0\r\n")
    trailers.withFieldLines { buffer.append($0) }
    buffer.append("\r\n")
  }
}
