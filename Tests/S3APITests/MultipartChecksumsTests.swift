import APICommon
import Base
import Codecs
import Crypto
import HTTP
import Model
import S3API
import Testing

@Suite struct MultipartChecksumsTests {
  private let pieces = [
    [UInt8](repeating: 1, count: 1000), [UInt8](repeating: 2, count: 1), Array("end".utf8),
  ]

  private func checksum(_ algorithm: ChecksumAlgorithm, _ bytes: [UInt8]) -> ObjectChecksum {
    var hasher = ChecksumHasher(algorithm)
    bytes.withUnsafeBytes { hasher.update($0) }
    return hasher.finish()
  }

  private func parts(_ algorithm: ChecksumAlgorithm) -> [UploadedPart] {
    pieces.enumerated().map { index, piece in
      UploadedPart(
        number: index + 1, sizeBytes: UInt64(piece.count), etag: Hex.encode(Digests.md5(piece)),
        checksums: [checksum(algorithm, piece)], lastModified: WallTime(milliseconds: 0))
    }
  }

  @Test(arguments: [ChecksumAlgorithm.crc32, .crc32c, .crc64nvme])
  func aFullChecksumIsThatOfAllBytes(algorithm: ChecksumAlgorithm) {
    #expect(
      MultipartChecksums.combine(algorithm, .fullObject, parts(algorithm))
        == checksum(algorithm, pieces.flatMap { $0 }))
  }

  @Test(arguments: [ChecksumAlgorithm.crc32, .crc32c, .sha1, .sha256])
  func aCompositeChecksumIsThatOfTheChecksums(algorithm: ChecksumAlgorithm) throws {
    let combined = try #require(
      MultipartChecksums.combine(algorithm, .composite, parts(algorithm)))
    #expect(combined == checksum(algorithm, pieces.flatMap { checksum(algorithm, $0).value }))
    #expect(
      MultipartChecksums.text(combined, type: .composite, partCount: 3) == combined.base64 + "-3")
  }

  @Test func apartWithoutChecksumLeavesTheObjectWithout() {
    var parts = parts(.crc32)
    parts[1].checksums = []
    #expect(MultipartChecksums.combine(.crc32, .fullObject, parts) == nil)
    #expect(MultipartChecksums.combine(.sha1, .composite, parts) == nil)
  }

  @Test(
    arguments: [
      (["x-amz-checksum-algorithm": "crc32"], ChecksumAlgorithm.crc32, ChecksumType.composite),
      (["x-amz-checksum-algorithm": "CRC64NVME"], .crc64nvme, .fullObject),
      (
        ["x-amz-checksum-algorithm": "CRC32C", "x-amz-checksum-type": "FULL_OBJECT"], .crc32c,
        .fullObject
      ),
    ] as [([String: String], ChecksumAlgorithm, ChecksumType)])
  func readsWhatTheUploadIsToHave(
    _ row: (headers: [String: String], algorithm: ChecksumAlgorithm, type: ChecksumType)
  ) throws {
    let found = try #require(try MultipartEndpoints.checksum(headers(row.headers)))
    #expect(found.algorithm == row.algorithm)
    #expect(found.type == row.type)
  }

  @Test(arguments: [
    ["x-amz-checksum-algorithm": "MD5"], ["x-amz-checksum-type": "COMPOSITE"],
    ["x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-type": "FULL_OBJECT"],
    ["x-amz-checksum-algorithm": "CRC64NVME", "x-amz-checksum-type": "COMPOSITE"],
    ["x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "x"],
  ])
  func refusesWhatS3DoesNotKnow(fields: [String: String]) {
    #expect(throws: S3Error.self) { try MultipartEndpoints.checksum(headers(fields)) }
  }

  private func headers(_ fields: [String: String]) -> HTTPHeaders {
    var headers = HTTPHeaders()
    for (name, value) in fields { headers.append(name, value) }
    return headers
  }
}

@Suite struct NamedPartTests {
  private func part(_ xml: String) throws -> NamedPart {
    try NamedPart(XMLParser.parse(Array("<Part>\(xml)</Part>".utf8)))
  }

  @Test func readsETagsWithAndWithoutQuotes() throws {
    for etag in ["abc", "\"abc\"", "&quot;abc&quot;", "\n  \"abc\"\t "] {
      let part = try part("<ETag>\(etag)</ETag><PartNumber> 7\n</PartNumber>")
      #expect(part.etag == "abc")
      #expect(part.number == 7)
      #expect(part.checksums.isEmpty)
    }
  }

  @Test func readsChecksums() throws {
    let part = try part(
      "<PartNumber>1</PartNumber><ETag>a</ETag><ChecksumCRC32>AAAAAQ==</ChecksumCRC32>")
    #expect(part.checksums == [ObjectChecksum(algorithm: .crc32, value: [0, 0, 0, 1])])
  }

  @Test(arguments: [
    "", "<PartNumber>1</PartNumber>", "<ETag>a</ETag>", "<PartNumber>x</PartNumber><ETag>a</ETag>",
    "<PartNumber>99999999999999999999</PartNumber><ETag>a</ETag>",
    "<PartNumber>+1</PartNumber><ETag>a</ETag>",
    "<PartNumber>1</PartNumber><ETag>a</ETag><ChecksumCRC32>AA==</ChecksumCRC32>",
  ])
  func refusesPartsThatAreNone(xml: String) {
    #expect(throws: S3Error.self) { try part(xml) }
  }
}

@Suite struct ContinuationTokenTests {
  @Test(arguments: [
    (ListPosition.afterKey(Array("a/é".utf8)), "a2Evw6k="),
    (.afterPrefix(Array("a/".utf8)), "cGEv"),
    (.afterKey([]), "aw=="),
  ])
  func hasThisForm(position: ListPosition, token: String) throws {
    #expect(ContinuationToken.encode(position) == token)
    #expect(try ContinuationToken.decode(token) == position)
  }

  @Test(arguments: ["", "x", "eA==", "a===", "\u{0}"])
  func refusesOthers(token: String) {
    #expect(throws: S3Error.self) { try ContinuationToken.decode(token) }
  }

  @Test func refusesTokensThatAreTooLong() {
    let token = Base64.encode([UInt8](repeating: UInt8(ascii: "k"), count: 1026))
    #expect(throws: S3Error.self) { try ContinuationToken.decode(token) }
  }
}
