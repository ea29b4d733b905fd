// Chunked bodies: compared with a decoder that has the whole body at once and no limits.

import Base
import HTTP
import SimulatedWorld

private struct Decoded: Equatable {
  var content: [UInt8]
  var trailers: [[UInt8]]
  var consumed: Int
}

private enum ChunkedOutcome: Equatable {
  case incomplete
  case rejected
  case complete(Decoded)
}

private func decode(
  _ body: [UInt8], _ pieces: [ArraySlice<UInt8>], outputBytes: () -> Int
) throws -> ChunkedOutcome {
  var decoder = ChunkedDecoder()
  var content: [UInt8] = []
  var consumed = 0
  for piece in pieces {
    var rest = piece
    while !rest.isEmpty, !decoder.isFinished {
      let output = UnsafeMutableRawBufferPointer.allocate(byteCount: outputBytes(), alignment: 1)
      defer { output.deallocate() }
      let step: (consumed: Int, produced: Int)
      do {
        step = try withExactBytes(rest) {
          try decoder.decode(UnsafeRawBufferPointer($0), into: output)
        }
      } catch {
        return .rejected
      }
      try require(step.consumed > 0, "no progress")
      content += output[..<step.produced]
      consumed += step.consumed
      rest = rest.dropFirst(step.consumed)
    }
  }
  guard decoder.isFinished else { return .incomplete }
  let trailers = decoder.trailers
  return .complete(
    Decoded(
      content: content, trailers: fields(of: trailers).map(\.value), consumed: consumed))
}

/// What RFC 9112, section 7.1, makes of the chunks of `body`: their data and where the trailers begin; `nil` when they
/// break it.
private func reference(_ body: [UInt8]) -> (content: [UInt8], trailers: Int)? {
  var content: [UInt8] = []
  var position = 0
  while let line = line(of: body, at: position) {
    let digits = body[position..<line].prefix { hexDigit($0) != nil }
    let rest = body[(position + digits.count)..<line].drop { $0 == 0x20 || $0 == 9 }
    let isPadded = position + digits.count < line
    guard !digits.isEmpty, digits.count < 16, !isPadded || rest.first == UInt8(ascii: ";"),
      rest.allSatisfy({ $0 == 9 || ($0 >= 0x20 && $0 != 0x7F) })
    else { return nil }
    let size = digits.reduce(0) { $0 << 4 | Int(hexDigit($1) ?? 0) }
    position = line + 2
    if size == 0 { return (content, position) }
    guard size <= body.count - position - 2, body[position + size] == 13,
      body[position + size + 1] == 10
    else { return nil }
    content += body[position..<position + size]
    position += size + 2
  }
  return nil
}

private func line(of body: [UInt8], at start: Int) -> Int? {
  guard start < body.count, let end = body[start...].firstIndex(of: 10), end > start,
    body[end - 1] == 13
  else { return nil }
  return end - 1
}

private func hexDigit(_ byte: UInt8) -> UInt8? {
  switch byte {
  case 48...57: byte - 48
  case 65...70: byte - 55
  case 97...102: byte - 87
  default: nil
  }
}

extension Fuzzer {
  static let httpChunked = Fuzzer("http-chunked", of: ["HTTP/ChunkedDecoder"]) { input in
    let random = choices(input)
    let whole = try decode(input, [input[...]]) { input.count + 1 }
    let split = try decode(input, pieces(input, random)) { 1 + random.below(9) }
    try require(split == whole, "pieces: \(split), whole: \(whole)")
    if case .complete(let decoded) = whole {
      guard let (content, trailers) = reference(input) else {
        throw BrokenProperty(description: "took what RFC 9112 forbids")
      }
      try require(content == decoded.content, "other data than RFC 9112 gives")
      let ends = Array("\r\n".utf8)
      let trailerBytes = input[trailers..<decoded.consumed]
      try require(
        trailerBytes.suffix(2).elementsEqual(ends) && trailerBytes.count <= 8 << 10,
        "the end of the trailers")
    }
    try checkEncoded(input, random)
    if random.below(100) == 0 {
      let long =
        Array("1;".utf8) + [UInt8](repeating: 0x61, count: 20_000)
        + Array("\r\na\r\n0\r\n\r\n".utf8)
      try require(
        try decode(long, pieces(long, random)) { 99 } == .rejected, "extensions without end")
    }
  }

  /// The input as data, in chunks of any size.
  private static func checkEncoded(_ data: [UInt8], _ random: SeededRandom) throws {
    var body: [UInt8] = []
    for chunk in pieces(data, random) {
      body += String(chunk.count, radix: 16, uppercase: random.below(2) == 0).utf8
      if random.below(4) == 0 { body += " ;a=\"b\"".utf8 }
      body += "\r\n".utf8
      body += chunk
      body += "\r\n".utf8
    }
    body += "000;x\r\nA: b \r\n\r\n".utf8
    let outcome = try decode(body + [0x47], pieces(body + [0x47], random)) { 1 + random.below(99) }
    let expected = Decoded(content: data, trailers: [[UInt8(ascii: "b")]], consumed: body.count)
    try require(outcome == .complete(expected), "encoded and decoded: \(outcome)")
  }
}
