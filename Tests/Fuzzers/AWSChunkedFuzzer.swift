// The aws-chunked coding, signed and not, with trailers and without.
//
//   input:  [flags] [decoded length: 2] [coded bytes]

import APICommon
import Base
import Crypto
import HTTP
import SimulatedWorld

/// What decoding came to.
private struct Decoded: Equatable {
  var plain: [UInt8] = []
  var announced: [String] = []
  var error: S3ErrorCode?
  var trailers: AWSChunkedDecoder.Trailers?
}

private func decode(
  _ pieces: [ArraySlice<UInt8>], isSigned: Bool, hasTrailer: Bool, length: UInt64
) -> Decoded {
  var decoder = AWSChunkedDecoder(isSigned: isSigned, hasTrailer: hasTrailer, decodedLength: length)
  var decoded = Decoded()
  do throws(S3Error) {
    for piece in pieces {
      decoded.plain += try withExactBytes(piece) { (buffer) throws(S3Error) -> [UInt8] in
        let count = try decoder.decode(buffer) { (count, signature) throws(S3Error) in
          decoded.announced.append("\(count) \(signature)")
        }
        return Array(buffer[..<count])
      }
    }
    try decoder.finish()
  } catch {
    // How much came out before the error depends on the pieces.
    return Decoded(error: error.code)
  }
  decoded.trailers = decoder.trailers
  return decoded
}

/// The data of a body that is whole, by its grammar; `nil` when it breaks it.
private func reference(_ body: [UInt8]) -> [UInt8]? {
  var plain: [UInt8] = []
  var rest = body[...]
  while let end = rest.firstIndex(of: 10) {
    let digits = rest[..<end].prefix { $0 != UInt8(ascii: ";") && $0 != 13 }
    let isHexadecimal = digits.allSatisfy {
      (48...57).contains($0) || (65...70).contains($0) || (97...102).contains($0)
    }
    guard isHexadecimal, let size = Int(String(decoding: digits, as: UTF8.self), radix: 16) else {
      return nil
    }
    rest = rest[(end + 1)...]
    if size == 0 { return plain }
    guard size <= rest.count else { return nil }
    plain += rest.prefix(size)
    rest = rest.dropFirst(size)
    if rest.first == 13 { rest = rest.dropFirst() }
    guard rest.first == 10 else { return nil }
    rest = rest.dropFirst()
  }
  return nil
}

extension Fuzzer {
  static let awsChunked = Fuzzer(
    "aws-chunked",
    of: [
      "APICommon/AWSChunkedDecoder", "APICommon/ChunkSignatures", "APICommon/PlainBody",
      "APICommon/BodyDigests",
    ]
  ) { input in
    guard (3...2000).contains(input.count) else { return }
    let random = choices(input)
    let body = Array(input[3...])
    let isSigned = input[0] & 1 == 1
    let hasTrailer = input[0] & 2 == 2
    for length in [UInt64(input[1]) << 8 | UInt64(input[2]), UInt64(reference(body)?.count ?? 0)] {
      let whole = decode([body[...]], isSigned: isSigned, hasTrailer: hasTrailer, length: length)
      let split = decode(
        pieces(body, random), isSigned: isSigned, hasTrailer: hasTrailer, length: length)
      try require(split == whole, "pieces: \(split), whole: \(whole)")
      guard whole.error == nil else { continue }
      try require(
        UInt64(whole.plain.count) == length, "\(whole.plain.count) bytes instead of \(length)")
      try require(reference(body) == whole.plain, "other data than the grammar gives")
      try require(whole.trailers?.fields.count ?? 0 <= 8, "too many trailers")
    }
    if input[0] & 4 == 4 { try checkSigned(body, hasTrailer: hasTrailer, random) }
    if input[0] & 8 == 8 { try checkUnsigned(body, random) }
    if input[0] & 16 == 16 { try checkPlain(body, random) }
    if body.elementsEqual("many chunks".utf8) { try checkManyChunks() }
  }

  // MARK: Bodies that the input is the data of

  private static let time = WallTime(milliseconds: 1_790_000_000_000)

  /// The claims of a request and its body, whose chunks and trailer are signed.
  private static func signed(
    _ chunks: [ArraySlice<UInt8>], hasTrailer: Bool
  ) throws -> (claims: BodyClaims, body: [UInt8]) {
    let data = chunks.flatMap { $0 }
    let secret = "secret"
    let signer = RequestSigner(accessKeyID: "GK1", secret: secret, region: "r")
    var headers: HTTPHeaders = ["host": "a", "x-amz-decoded-content-length": "\(data.count)"]
    if hasTrailer { headers.append("x-amz-trailer", "x-amz-checksum-crc32c") }
    let target = RequestTarget(path: Array("/b/k".utf8))
    let context = signer.sign(
      method: "PUT", target: target, headers: &headers,
      payloadHash: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + (hasTrailer ? "-TRAILER" : ""), at: time)
    var previous = context.seedSignature
    var body: [UInt8] = []
    for chunk in chunks + [[]] {
      previous = context.chunkSignature(previous: previous, sha256: Digests.sha256(Array(chunk)))
      body += "\(String(chunk.count, radix: 16));chunk-signature=\(previous)\r\n".utf8
      body += chunk
      if !chunk.isEmpty { body += "\r\n".utf8 }
    }
    if hasTrailer {
      let sum = withUnsafeBytes(of: CRC32C.checksum(data).bigEndian) { Base64.encode(Array($0)) }
      let trailer = Array("x-amz-checksum-crc32c:\(sum)\n".utf8)
      body += trailer.dropLast() + Array("\r\n".utf8)
      let signature = context.trailerSignature(previous: previous, trailers: trailer)
      body += "x-amz-trailer-signature:\(signature)\r\n".utf8
    }
    body += "\r\n".utf8
    let head = HTTPRequestHead(method: "PUT", target: "/b/k", headers: headers)
    let verifier = SignatureVerifier(region: "r")
    let claim = try SignatureClaim.read(head, target)
    let signature = try claim.map { claim throws(S3Error) in
      try verifier.verify(claim, head, target, secret: secret)
    }
    return (
      try BodyClaims(headers, contentLength: UInt64(body.count), signature: signature), body
    )
  }

  private static func checkSigned(_ data: [UInt8], hasTrailer: Bool, _ random: SeededRandom) throws
  {
    let (claims, body) = try signed(pieces(data, random), hasTrailer: hasTrailer)
    try require(plain(claims, body, random) == data, "what was signed is refused")
    let place = random.below(body.count - 2)
    var changed = body
    changed[place] ^= UInt8(1 << random.below(8))
    let found = plain(claims, changed, random)
    // A digit of either case is the same, and so is a trailer's name.
    try require(found == nil || found == data, "byte \(place) was changed and the data taken")
    // At the very end, an empty line is no more than good manners.
    let cut = plain(claims, Array(body[..<place]), random)
    try require(
      cut == nil || cut == data && place >= body.count - 4, "cut at \(place) of \(body.count)")
  }

  /// Chunks of one byte that all arrive in one piece: as many as may wait, and more.
  private static func checkManyChunks() throws {
    for (count, isTaken) in [(3000, true), (5000, false)] {
      let data = [UInt8](repeating: 0x61, count: count)
      let (claims, coded) = try signed(data.indices.map { data[$0...$0] }, hasTrailer: false)
      let taken = try? SimulatedRuntime(seed: 1).run {
        var rest = coded[...]
        let body = PlainBody(claims) { buffer in
          buffer.copyBytes(from: rest)
          defer { rest = [] }
          return rest.count
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: coded.count, alignment: 1)
        defer { buffer.deallocate() }
        let read = try await body.read(into: buffer)
        body.digests.observe(UnsafeRawBufferPointer(rebasing: buffer[..<read]))
        _ = try await body.read(into: buffer)
        _ = try body.finish()
        return read
      }
      try require(taken == (isTaken ? count : nil), "\(count) chunks at once")
    }
  }

  private static func checkUnsigned(_ data: [UInt8], _ random: SeededRandom) throws {
    let sum = withUnsafeBytes(of: CRC32.checksum(data).bigEndian) { Base64.encode(Array($0)) }
    var body: [UInt8] = []
    for chunk in pieces(data, random) {
      body += "\(String(chunk.count, radix: 16))\r\n".utf8 + chunk + "\r\n".utf8
    }
    body += "0\r\nx-amz-checksum-crc32: \(sum)\r\n\r\n".utf8
    let headers: HTTPHeaders = [
      "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
      "x-amz-trailer": "x-amz-checksum-crc32",
      "x-amz-decoded-content-length": "\(data.count)",
    ]
    let claims = try BodyClaims(headers, contentLength: nil, signature: nil)
    try require(plain(claims, body, random) == data, "what was encoded is refused")
  }

  /// A body without coding, with every digest that can be claimed.
  private static func checkPlain(_ data: [UInt8], _ random: SeededRandom) throws {
    var headers: HTTPHeaders = [
      "x-amz-content-sha256": Hex.encode(Digests.sha256(data)),
      "content-md5": Base64.encode(Digests.md5(data)),
    ]
    if random.below(2) == 0 {
      headers.append("x-amz-checksum-sha256", Base64.encode(Digests.sha256(data)))
    } else {
      headers.append("x-amz-checksum-sha1", Base64.encode(Digests.sha1(data)))
    }
    let kept = random.below(3)
    if kept > 0 { headers.remove("x-amz-content-sha256") }
    if kept > 1 { headers.remove("content-md5") }
    let claims = try BodyClaims(headers, contentLength: UInt64(data.count), signature: nil)
    try require(plain(claims, data, random) == data, "what was claimed rightly is refused")
    guard !data.isEmpty else { return }
    var changed = data
    changed[random.below(data.count)] ^= UInt8(1 << random.below(8))
    try require(plain(claims, changed, random) == nil, "another body with the same digests")
    try require(plain(claims, Array(data.dropLast()), random) == nil, "a shorter body")
    for error in [HTTPError.truncated, .timedOut, .malformed(HTTPRejection(400, "x")), .closed] {
      try require(plain(claims, data, random, failure: error) == nil, "a body that broke off")
    }
  }

  /// The data of a body whose claims all hold; `nil` when one does not.
  private static func plain(
    _ claims: BodyClaims, _ coded: [UInt8], _ random: SeededRandom, failure: HTTPError? = nil
  ) -> [UInt8]? {
    let runtime = SimulatedRuntime(seed: 1)
    let pieceMax = 1 + random.below(coded.count + 1)
    return try? runtime.run {
      var rest = coded[...]
      let body = PlainBody(claims) { buffer in
        if let failure { throw failure }
        let piece = rest.prefix(min(pieceMax, buffer.count))
        buffer.copyBytes(from: piece)
        rest = rest.dropFirst(piece.count)
        return piece.count
      }
      if (try? body.finish()) != nil { return [0, 0, 0] }
      return try await body.collect(maxBytes: 2000, tooLarge: S3Error(.entityTooLarge))
    }
  }
}
