// The head of an answer, of which only what is checked is read.

/// Status and length of an answer.
struct AnswerHead {
  let status: Int
  /// The value of `Content-Length`; `nil` without one.
  let contentLength: Int?
  let closesConnection: Bool
  /// Up to and with the empty line.
  let headBytes: Int

  enum Incomplete: Error {
    case needsMore, malformed
  }

  private static let lf = UInt8(ascii: "\n")

  /// Reads the head that `bytes` begin with.
  init(_ bytes: UnsafeRawBufferPointer) throws(Incomplete) {
    var status: Int?
    var length: Int?
    var closes = false
    var start = 0
    while true {
      guard let end = Self.lineEnd(bytes, from: start) else { throw .needsMore }
      let line = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
      start = end + 1
      if status == nil {
        status = try Self.status(line)
      } else if line.count <= 1 {
        break
      } else if Self.has(line, name: "content-length:") {
        length = Self.number(line, from: 15)
      } else if Self.has(line, name: "connection: close") {
        closes = true
      }
    }
    self.status = status ?? 0
    contentLength = length
    closesConnection = closes
    headBytes = start
  }

  private static func lineEnd(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
    var index = start
    while index < bytes.count {
      if bytes[index] == lf { return index }
      index += 1
    }
    return nil
  }

  /// `HTTP/1.1 200 OK`.
  private static func status(_ line: UnsafeRawBufferPointer) throws(Incomplete) -> Int {
    guard line.count >= 12, let status = number(line, from: 9), (100...599).contains(status) else {
      throw .malformed
    }
    return status
  }

  private static func has(_ line: UnsafeRawBufferPointer, name: StaticString) -> Bool {
    guard line.count > name.utf8CodeUnitCount, line[0] | 0x20 == name.utf8Start[0] else {
      return false
    }
    for index in 0..<name.utf8CodeUnitCount
    where line[index] | 0x20 != name.utf8Start[index] | 0x20 {
      return false
    }
    return true
  }

  /// The digits at `start`, after spaces.
  private static func number(_ line: UnsafeRawBufferPointer, from start: Int) -> Int? {
    var value: Int?
    var index = start
    while index < line.count, line[index] == UInt8(ascii: " ") { index += 1 }
    while index < line.count, (48...57).contains(line[index]), (value ?? 0) < 1 << 50 {
      value = (value ?? 0) * 10 + Int(line[index] - 48)
      index += 1
    }
    return value
  }
}
