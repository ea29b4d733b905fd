// Takes the aws-chunked coding off a body: a state machine without I/O.
//
//   chunk    = hex-size [";chunk-signature=" 64-hex-digits] CRLF bytes CRLF
//   body     = chunk* "0" [";chunk-signature=..."] CRLF trailer* CRLF
//   trailer  = name ":" value CRLF
//
// With signatures, the trailers end with `x-amz-trailer-signature:...`. Clients differ at the very end: S3's
// own example ends a trailer with LF and an empty line before the signature, others leave out the last
// empty line. All of these are taken; everything else is refused.
//
// The decoder works in place: the caller's buffer holds coded bytes, and afterwards plain ones at its start.
//
// Invariants:
//   1. Memory is bounded: one line of at most `lineMax` bytes, and at most `trailersMax` trailers.
//   2. No more than the announced decoded length is ever let through; `finish` throws for less.

import Base

/// Decodes one body.
package struct AWSChunkedDecoder {
  /// What follows the last chunk.
  package struct Trailers: Equatable, Sendable {
    /// Names in lower case, values without white space around them, in order; without the signature.
    package var fields: [(name: String, value: String)] = []
    /// The value of `x-amz-trailer-signature`.
    package var signature: String?

    /// What the signature covers.
    var signedBytes: [UInt8] {
      fields.reduce(into: []) { $0 += "\($1.name):\($1.value)\n".utf8 }
    }

    package static func == (left: Self, right: Self) -> Bool {
      left.signature == right.signature && left.signedBytes == right.signedBytes
    }
  }

  /// A chunk header is 100 bytes; a trailer holds a checksum or a signature.
  private static let lineMax = 1024
  /// S3 takes one checksum as trailer; a few more do no harm.
  private static let trailersMax = 8

  private enum State {
    case chunkHeader, data, dataEnd, trailer, end
  }

  private let isSigned: Bool
  private let hasTrailer: Bool
  private var state = State.chunkHeader
  private var line: [UInt8] = []
  /// Bytes of the current chunk that are still to come.
  private var chunkRemaining: UInt64 = 0
  /// Bytes of the announced decoded length that are still to come.
  private var remaining: UInt64
  private var sawLastChunk = false
  /// The trailers so far.
  package private(set) var trailers = Trailers()

  /// A decoder for a body that decodes to `decodedLength` bytes.
  package init(isSigned: Bool, hasTrailer: Bool, decodedLength: UInt64) {
    self.isSigned = isSigned
    self.hasTrailer = hasTrailer
    remaining = decodedLength
  }

  /// Decodes the next bytes of the body in place and returns how many plain bytes stand at the start of
  /// `buffer` now; 0 is no end.
  ///
  /// - Parameter announce: called with the length and signature of each signed chunk before its bytes.
  package mutating func decode(
    _ buffer: UnsafeMutableRawBufferPointer,
    announce: (UInt64, String) throws(S3Error) -> Void
  ) throws(S3Error) -> Int {
    var read = 0
    var written = 0
    while read < buffer.count {
      if state == .data {
        let count = Int(min(UInt64(buffer.count - read), chunkRemaining))
        if read != written {
          UnsafeMutableRawBufferPointer(rebasing: buffer[written..<written + count]).copyMemory(
            from: UnsafeRawBufferPointer(rebasing: buffer[read..<read + count]))
        }
        read += count
        written += count
        chunkRemaining -= UInt64(count)
        if chunkRemaining == 0 { state = .dataEnd }
      } else {
        let byte = buffer[read]
        read += 1
        if byte == UInt8(ascii: "\n") {
          if line.last == UInt8(ascii: "\r") { line.removeLast() }
          try finishLine(announce)
          line.removeAll(keepingCapacity: true)
        } else {
          guard line.count < Self.lineMax else { throw Self.malformed("a line is too long") }
          line.append(byte)
        }
      }
    }
    return written
  }

  /// Checks that the body is complete.
  ///
  /// Call it at the end of the coded bytes.
  ///
  /// - Throws: `IncompleteBody`.
  package mutating func finish() throws(S3Error) {
    guard sawLastChunk, line.isEmpty, remaining == 0 else { throw S3Error(.incompleteBody) }
    state = .end
  }

  private mutating func finishLine(
    _ announce: (UInt64, String) throws(S3Error) -> Void
  ) throws(S3Error) {
    switch state {
    case .chunkHeader: try startChunk(announce)
    case .dataEnd:
      guard line.isEmpty else { throw Self.malformed("a chunk is longer than its header says") }
      state = .chunkHeader
    case .trailer: try addTrailer()
    case .data, .end: throw Self.malformed("bytes follow the last chunk")
    }
  }

  private mutating func startChunk(
    _ announce: (UInt64, String) throws(S3Error) -> Void
  ) throws(S3Error) {
    let parts = line.split(
      separator: UInt8(ascii: ";"), maxSplits: 1, omittingEmptySubsequences: false)
    guard let digits = parts.first, (1...16).contains(digits.count),
      !digits.contains(UInt8(ascii: "+")), !digits.contains(UInt8(ascii: "-")),
      let count = UInt64(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw Self.malformed("a chunk's size is not a hexadecimal number") }
    guard count <= remaining else {
      throw S3Error(
        .incompleteBody, "The chunks hold more bytes than x-amz-decoded-content-length says.")
    }
    if isSigned {
      guard parts.count == 2, let signature = Self.signature(in: parts[1]) else {
        throw Self.malformed("a chunk has no signature")
      }
      try announce(count, signature)
    }
    remaining -= count
    chunkRemaining = count
    if count == 0 {
      sawLastChunk = true
      state = .trailer
    } else {
      state = .data
    }
  }

  private static func signature(in extension: ArraySlice<UInt8>) -> String? {
    let name = "chunk-signature=".utf8
    guard `extension`.starts(with: name) else { return nil }
    let text = String(decoding: `extension`.dropFirst(name.count), as: UTF8.self)
    return text.utf8.count == 64 && Hex.decode(text) != nil ? text.lowercased() : nil
  }

  private mutating func addTrailer() throws(S3Error) {
    if line.isEmpty {
      // See the head of this file: an empty line may stand before the signature.
      let awaitsSignature = isSigned && hasTrailer && trailers.signature == nil
      if !awaitsSignature || trailers.fields.isEmpty { state = .end }
      return
    }
    guard hasTrailer else { throw Self.malformed("trailers were not announced") }
    guard trailers.signature == nil, let colon = line.firstIndex(of: UInt8(ascii: ":")),
      let name = String(validating: line[..<colon], as: UTF8.self),
      let value = String(validating: line[(colon + 1)...], as: UTF8.self)
    else { throw Self.malformed("a trailer is not valid") }
    let lowercasedName = Self.trimmed(name).lowercased()
    if lowercasedName == "x-amz-trailer-signature" {
      trailers.signature = Self.trimmed(value).lowercased()
      return
    }
    guard trailers.fields.count < Self.trailersMax else {
      throw Self.malformed("too many trailers")
    }
    trailers.fields.append((lowercasedName, Self.trimmed(value)))
  }

  private static func trimmed(_ text: String) -> String {
    let isSpace = { (byte: UInt8) in byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
    let bytes = text.utf8.drop(while: isSpace).reversed().drop(while: isSpace).reversed()
    return String(decoding: Array(bytes), as: UTF8.self)
  }

  private static func malformed(_ what: String) -> S3Error {
    S3Error(.invalidRequest, "The aws-chunked body is malformed: \(what).")
  }
}
