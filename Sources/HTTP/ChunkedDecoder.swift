// Takes the chunks of a body apart: RFC 9112, section 7.1.
//
//     *( hex-size [ ";" extension ] CR LF  data CR LF )
//     "0" [ ";" extension ] CR LF  *( trailer-field CR LF )  CR LF
//
// A state machine without I/O. Extensions are read over; they carry nothing that we know.
//
// Invariants:
//   1. The output does not depend on how the input or the output buffer was split.
//   2. Every byte of input is either data or counted against a limit, so no body costs more to receive
//      than it is worth: extensions against the data received, trailers against `trailersMaxBytes`.
//   3. No byte behind the end is consumed.

private import Base

/// Decodes one chunked body.
package struct ChunkedDecoder {
  private enum State {
    /// Before the first digit of a size.
    case sizeStart
    case size
    /// White space behind a size, which must lead to an extension.
    case sizePadding
    case chunkExtension
    case sizeLineFeed
    case data
    case dataCarriageReturn
    case dataLineFeed
    case trailers
    case finished
  }

  private var state = State.sizeStart
  /// The digits of a size so far, then the data that the chunk still has.
  private var remaining: UInt64 = 0
  private var digitCount = 0
  /// How many more bytes of extensions are put up with.
  private var extensionCredit = Self.extensionCreditMax
  private var trailerBytes: [UInt8] = []
  private var trailerParser = HeadParser(
    fieldLimits: HeadLimits(headMaxBytes: trailersMaxBytes, fieldCountMax: trailerCountMax))

  /// The fields behind the last chunk.
  package private(set) var trailers = HTTPHeaders()

  package init() {}

  /// Whether the body's last byte has been consumed.
  package var isFinished: Bool { state == .finished }

  /// How much plain data comes next; 0 when anything else does.
  ///
  /// The caller may take up to that much from the
  /// input by itself and report it with `skipData`.
  var dataRemaining: UInt64 { state == .data ? remaining : 0 }

  /// Says that `count` bytes, at most `dataRemaining`, have been taken by the caller.
  mutating func skipData(_ count: Int) {
    precondition(UInt64(count) <= dataRemaining)
    tookData(count)
  }

  /// Decodes until the input is used up, the output is full or the body ends.
  ///
  /// - Returns: how many bytes of `input` were used, and how many were put into `output`.
  package mutating func decode(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) throws(HTTPRejection) -> (consumed: Int, produced: Int) {
    var consumed = 0
    var produced = 0
    while consumed < input.count, state != .finished {
      if state == .data {
        let room = output.count - produced
        let count = Int(min(remaining, UInt64(min(input.count - consumed, room))))
        guard count > 0 else { break }
        UnsafeMutableRawBufferPointer(rebasing: output[produced..<produced + count])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: input[consumed..<consumed + count]))
        consumed += count
        produced += count
        tookData(count)
      } else if state == .trailers {
        consumed += try takeTrailers(UnsafeRawBufferPointer(rebasing: input[consumed...]))
      } else {
        try take(input[consumed])
        consumed += 1
      }
    }
    return (consumed, produced)
  }

  private mutating func tookData(_ count: Int) {
    remaining -= UInt64(count)
    extensionCredit = min(Self.extensionCreditMax, extensionCredit + count)
    if remaining == 0 { state = .dataCarriageReturn }
  }

  /// Takes one byte that is neither data nor part of the trailers.
  private mutating func take(_ byte: UInt8) throws(HTTPRejection) {
    switch (state, byte) {
    case (.sizeStart, _),
      (.size, _) where Hex.value(of: byte) != nil:
      try takeDigit(byte)
    case (.size, UInt8(ascii: "\r")), (.chunkExtension, UInt8(ascii: "\r")):
      state = .sizeLineFeed
    case (.size, UInt8(ascii: ";")), (.sizePadding, UInt8(ascii: ";")):
      state = .chunkExtension
    case (.size, UInt8(ascii: " ")), (.size, UInt8(ascii: "\t")), (.sizePadding, UInt8(ascii: " ")),
      (.sizePadding, UInt8(ascii: "\t")):
      try spendExtensionCredit()
      state = .sizePadding
    case (.chunkExtension, _) where (byte >= 0x20 && byte != 0x7F) || byte == UInt8(ascii: "\t"):
      try spendExtensionCredit()
    case (.sizeLineFeed, UInt8(ascii: "\n")):
      state = remaining == 0 ? .trailers : .data
      digitCount = 0
    case (.dataCarriageReturn, UInt8(ascii: "\r")): state = .dataLineFeed
    case (.dataLineFeed, UInt8(ascii: "\n")): state = .sizeStart
    default: throw HTTPRejection(400, "invalid chunk")
    }
  }

  private mutating func takeDigit(_ byte: UInt8) throws(HTTPRejection) {
    // 15 digits stay below 2^60.
    guard let value = Hex.value(of: byte), digitCount < 15 else {
      throw HTTPRejection(400, "invalid chunk size")
    }
    remaining = remaining << 4 | UInt64(value)
    digitCount += 1
    state = .size
  }

  private mutating func spendExtensionCredit() throws(HTTPRejection) {
    guard extensionCredit > 0 else { throw HTTPRejection(400, "chunk extensions are too long") }
    extensionCredit -= 1
  }

  /// Consumes up to the end of the body.
  private mutating func takeTrailers(_ input: UnsafeRawBufferPointer) throws(HTTPRejection) -> Int {
    let held = trailerBytes.count
    trailerBytes.append(contentsOf: input.prefix(Self.trailersMaxBytes + 1 - held))
    let outcome: HeadParser.Outcome
    do {
      // The closure loses the type of the error.
      outcome = try trailerBytes.withUnsafeBytes { try trailerParser.parse($0) }
    } catch let rejection as HTTPRejection {
      throw rejection
    } catch {
      throw HTTPRejection(400, "invalid trailers")
    }
    guard case .complete(let end) = outcome else { return trailerBytes.count - held }
    trailers = trailerBytes.withUnsafeBytes { trailerParser.headers($0, end: end) }
    trailerBytes = []
    state = .finished
    return end - held
  }

  /// Twice what S3's checksum trailers and a signature take, many times over.
  private static let trailersMaxBytes = 8 << 10
  private static let trailerCountMax = 64
  /// Extensions may be this much longer than the data they came with.
  private static let extensionCreditMax = 16 << 10
}
