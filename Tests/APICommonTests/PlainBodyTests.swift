import APICommon
import Base
import Crypto
import HTTP
import Model
import Testing

@Suite struct PlainBodyTests {
  private let plain = [UInt8](repeating: UInt8(ascii: "a"), count: 66_560)

  @Test(arguments: [1, 7, 100, 8192, 100_000])
  func decodesTheSignedExample(pieceBytes: Int) async throws {
    let (bytes, summary) = try await read(
      AWSExamples.streaming, AWSExamples.streamingBody, pieceBytes: pieceBytes)
    #expect(bytes == plain)
    #expect(summary.size == 66_560)
    #expect(summary.md5 == Digests.md5(plain))
  }

  @Test(arguments: [
    AWSExamples.streamingTrailerBody, AWSExamples.streamingTrailerBodyAsPrinted,
    Array(AWSExamples.streamingTrailerBody.dropLast(2)),
  ])
  func decodesTheSignedExampleWithTrailer(body: [UInt8]) async throws {
    let (bytes, summary) = try await read(AWSExamples.streamingTrailer, body, pieceBytes: 1000)
    #expect(bytes == plain)
    #expect(summary.checksum == ObjectChecksum(.crc32c, base64: "sOO8/Q=="))
  }

  /// Flips one bit in each of many places: framing, signatures, bytes, checksum.
  @Test func refusesEveryChangedByte() async throws {
    let body = AWSExamples.streamingTrailerBody
    let places =
      Array(0..<90) + [5000, 65_000] + Array((body.count - 320)..<(body.count - 2))
    for place in places {
      var changed = body
      changed[place] ^= 0x01
      let result = try? await read(AWSExamples.streamingTrailer, changed, pieceBytes: 50_000)
      // A hexadecimal digit of either case is the same; so is a name of a trailer.
      #expect(result == nil || result?.0 == plain, "byte \(place)")
      if place >= 90 && place < body.count - 320 { #expect(result == nil, "byte \(place)") }
    }
  }

  /// Without trailers nothing behind a chunk vouches for it: its own signature must.
  @Test func refusesChangesThatNoTrailerWouldShow() async throws {
    let body = AWSExamples.streamingBody
    for place in [100, 65_000, 65_700, 66_000] + Array((body.count - 68)..<(body.count - 4)) {
      var changed = body
      changed[place] ^= 0x01
      let error = await #expect(throws: S3Error.self, "byte \(place)") {
        try await read(AWSExamples.streaming, changed, pieceBytes: 50_000)
      }
      #expect([.signatureDoesNotMatch, .invalidRequest].contains(error?.code), "byte \(place)")
    }
  }

  @Test func refusesEveryTruncation() async throws {
    let body = AWSExamples.streamingBody
    for count in Array(0..<90) + [66_000] + Array((body.count - 95)..<(body.count - 4)) {
      let result = try? await read(
        AWSExamples.streaming, Array(body[..<count]), pieceBytes: 50_000)
      #expect(result == nil, "\(count) of \(body.count) bytes")
    }
  }

  @Test func decodesUnsignedChunksWithTrailer() async throws {
    let head = unsigned(length: 11, trailer: "x-amz-checksum-crc32")
    let sum = try #require(checksum(.crc32, "hello world"))
    let body = "6\r\nhello \r\n5\r\nworld\r\n0\r\nx-amz-checksum-crc32:\(sum)\r\n\r\n"
    for pieceBytes in [1, 3, 1000] {
      let (bytes, summary) = try await read(head, Array(body.utf8), pieceBytes: pieceBytes)
      #expect(bytes == Array("hello world".utf8))
      #expect(summary.checksum?.base64 == sum)
    }
  }

  @Test(arguments: [
    ("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", S3ErrorCode.badDigest),
    ("5\r\nhello\r\n0\r\n\r\n", .malformedTrailer),
    ("5\r\nhello\r\n0\r\nx-amz-checksum-sha1:AAAA\r\n\r\n", .malformedTrailer),
    (
      "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\nx-amz-checksum-sha1:AAAA\r\n\r\n",
      .malformedTrailer
    ),
    ("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAA\r\n\r\n", .invalidRequest),
    ("4\r\nhell\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", .incompleteBody),
    ("6\r\nhello!\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", .incompleteBody),
    ("5\r\nhello!\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", .invalidRequest),
    ("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\nmore\r\n", .invalidRequest),
    // Nothing else is wrong with these two.
    ("+5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", .invalidRequest),
    ("5\r\nhello\r\n-0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", .invalidRequest),
    ("ffffffffffffffff\r\n", .incompleteBody),
    ("10000000000000000\r\n", .invalidRequest),
    ("\r\n", .invalidRequest),
    ("5\r\nhello\r\n", .incompleteBody),
    ("", .incompleteBody),
  ])
  func refusesMalformedUnsignedChunks(body: String, expected: S3ErrorCode) async throws {
    let head = unsigned(length: 5, trailer: "x-amz-checksum-crc32")
    let error = await #expect(throws: S3Error.self) {
      try await read(head, Array(body.utf8), pieceBytes: 10)
    }
    #expect(error?.code == expected)
  }

  /// A checksum that nobody compares would look as if it had been.
  @Test func refusesATrailerThatWasNotAnnounced() async throws {
    let head = HTTPRequestHead(
      method: "PUT", target: "/",
      headers: [
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": "5",
      ])
    let (bytes, _) = try await read(head, Array("5\r\nhello\r\n0\r\n\r\n".utf8))
    #expect(bytes == Array("hello".utf8))
    let error = await #expect(throws: S3Error.self) {
      try await read(head, Array("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n".utf8))
    }
    #expect(error?.code == .malformedTrailer)
  }

  @Test func boundsLinesAndTrailers() async throws {
    let head = unsigned(length: 0, trailer: "x-amz-checksum-crc32")
    let long = "0;" + String(repeating: "x", count: 2000)
    let many = "0\r\n" + String(repeating: "a:b\r\n", count: 20) + "\r\n"
    for body in [long, many] {
      let error = await #expect(throws: S3Error.self) {
        try await read(head, Array(body.utf8), pieceBytes: 100)
      }
      #expect(error?.code == .invalidRequest)
    }
  }

  @Test func comparesPlainHeadersWithTheBody() async throws {
    let body = Array("hello".utf8)
    let md5 = Base64.encode(Digests.md5(body))
    for algorithm in ChecksumAlgorithm.allCases {
      let sum = try #require(checksum(algorithm, "hello"))
      let good: HTTPHeaders = [algorithm.headerName: sum, "content-md5": md5]
      let (_, summary) = try await read(
        HTTPRequestHead(method: "PUT", target: "/", headers: good), body)
      #expect(summary.checksum?.base64 == sum)
      let error = await #expect(throws: S3Error.self) {
        try await read(
          HTTPRequestHead(method: "PUT", target: "/", headers: good), Array("hellp".utf8))
      }
      #expect(error?.code == .badDigest)
    }
  }

  @Test func comparesTheSignedPayloadHash() async throws {
    let digest = Digests.sha256(Array("hello".utf8))
    let claims = try BodyClaims(
      ["x-amz-content-sha256": Hex.encode(digest)], contentLength: 5, signature: nil)
    #expect(claims.payload == .sha256(digest))
    #expect(try await read(claims, Array("hello".utf8)).1.size == 5)
    let error = await #expect(throws: S3Error.self) { try await read(claims, Array("hellp".utf8)) }
    #expect(error?.code == .contentSHA256Mismatch)
  }

  private static let senseless: [(HTTPHeaders, S3ErrorCode)] = [
    (["content-md5": "abc"], S3ErrorCode.invalidDigest),
    (["x-amz-checksum-crc32": "AAAA"], .invalidRequest),
    (["x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAA=="], .invalidRequest),
    (["x-amz-sdk-checksum-algorithm": "CRC32"], .invalidRequest),
    (["x-amz-trailer": "x-amz-checksum-crc32"], .invalidRequest),
    (["x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"], .missingContentLength),
    (
      [
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": "+1",
      ], .missingContentLength
    ),
    (
      [
        "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "x-amz-decoded-content-length": "1",
      ], .accessDenied
    ),
    (
      [
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": "1", "x-amz-trailer": "x-amz-meta-a",
      ], .invalidRequest
    ),
  ]

  @Test(arguments: senseless)
  func refusesClaimsThatMakeNoSense(headers: HTTPHeaders, expected: S3ErrorCode) {
    #expect(
      s3Code { _ = try BodyClaims(headers, contentLength: 1, signature: nil) } == expected)
  }

  @Test func collectsSmallBodiesOnly() async throws {
    let claims = try BodyClaims([:], contentLength: nil, signature: nil)
    let tooLarge = S3Error(.entityTooLarge)
    let bytes = [UInt8](repeating: 1, count: 20_000)
    let small = try await PlainBody(claims, source: source(bytes, 900)).collect(
      maxBytes: 20_000, tooLarge: tooLarge)
    #expect(small == bytes)
    let error = await #expect(throws: S3Error.self) {
      try await PlainBody(claims, source: source(bytes, 900)).collect(
        maxBytes: 19_999, tooLarge: tooLarge)
    }
    #expect(error?.code == .entityTooLarge)
  }

  @Test func comparesACollectedBodyWithItsMD5() async throws {
    let body = Array("hello".utf8)
    let claims = try BodyClaims(
      ["content-md5": Base64.encode(Digests.md5(body))], contentLength: nil, signature: nil)
    func collect(_ text: String) async throws -> [UInt8] {
      try await PlainBody(claims, source: source(Array(text.utf8), 2)).collect(
        maxBytes: 5, tooLarge: S3Error(.entityTooLarge))
    }
    #expect(try await collect("hello") == body)
    let error = await #expect(throws: S3Error.self) { try await collect("hellp") }
    #expect(error?.code == .badDigest)
  }

  private func unsigned(length: Int, trailer: String) -> HTTPRequestHead {
    HTTPRequestHead(
      method: "PUT", target: "/",
      headers: [
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": "\(length)", "x-amz-trailer": trailer,
      ])
  }

  private func checksum(_ algorithm: ChecksumAlgorithm, _ text: String) -> String? {
    var hasher = ChecksumHasher(algorithm)
    Array(text.utf8).withUnsafeBytes { hasher.update($0) }
    return hasher.finish().base64
  }

  private func read(
    _ head: HTTPRequestHead, _ coded: [UInt8], pieceBytes: Int = 1000
  ) async throws -> ([UInt8], BodySummary) {
    let signature =
      head.headers.contains("authorization") ? try verifyExample(head) : nil
    return try await read(
      BodyClaims(head.headers, contentLength: UInt64(coded.count), signature: signature), coded,
      pieceBytes: pieceBytes)
  }

  private func read(
    _ claims: BodyClaims, _ coded: [UInt8], pieceBytes: Int = 1000
  ) async throws -> ([UInt8], BodySummary) {
    let body = PlainBody(claims, source: source(coded, pieceBytes))
    var bytes: [UInt8] = []
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 70_000, alignment: 16)
    defer { buffer.deallocate() }
    while true {
      let count = try await body.read(into: buffer)
      if count == 0 { break }
      let piece = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count])
      body.digests.observe(piece)
      bytes.append(contentsOf: piece)
    }
    return (bytes, try body.finish())
  }

  private func source(_ coded: [UInt8], _ pieceBytes: Int) -> PlainBody.Source {
    var position = 0
    return { buffer in
      let count = min(pieceBytes, buffer.count, coded.count - position)
      for index in 0..<count { buffer[index] = coded[position + index] }
      position += count
      return count
    }
  }
}
