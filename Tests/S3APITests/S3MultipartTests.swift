import APICommon
import Base
import Codecs
import Crypto
import HTTP
import Model
import Testing

@Suite struct S3MultipartTests {
  private static let first = (0..<(5 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 9) }
  private static let second = Array("the end".utf8)

  private static func begin(
    _ node: SimulatedS3, _ headers: HTTPHeaders = HTTPHeaders()
  ) async throws -> String {
    try await node.expect(200, "PUT", "/bucket")
    let answer = try await node.expect(200, "POST", "/bucket/k?uploads", headers: headers)
    return "/bucket/k?uploadId=" + (try #require(try answer.xml().text(of: "UploadId")))
  }

  private static func put(
    _ node: SimulatedS3, _ upload: String, _ number: Int, _ bytes: [UInt8]
  ) async throws -> (Int, String) {
    let part = try await node.expect(200, "PUT", upload + "&partNumber=\(number)", body: bytes)
    return (number, try #require(part.headers["etag"]))
  }

  private static func completion(_ parts: [(Int, String)]) -> [UInt8] {
    let listed = parts.map {
      "<Part><PartNumber>\($0.0)</PartNumber><ETag>\($0.1)</ETag></Part>"
    }
    return Array("<CompleteMultipartUpload>\(listed.joined())</CompleteMultipartUpload>".utf8)
  }

  @Test func partsBecomeTheObject() throws {
    try SimulatedS3.run { node in
      let upload = try await Self.begin(node, ["x-amz-meta-a": "b", "Content-Type": "x/y"])
      let two = try await Self.put(node, upload, 7, Self.second)
      let one = try await Self.put(node, upload, 1, Self.first)
      let parts = try await node.expect(200, "GET", upload).xml()
      #expect(parts.children(named: "Part").map { $0.text(of: "PartNumber") } == ["1", "7"])
      let uploads = try await node.expect(200, "GET", "/bucket?uploads").xml()
      #expect(uploads.child("Upload")?.text(of: "Key") == "k")
      #expect(try await node.expect(404, "GET", "/bucket/k").code == "NoSuchKey")

      let done = try await node.expect(200, "POST", upload, body: Self.completion([one, two]))
      let sums = Digests.md5(Self.first) + Digests.md5(Self.second)
      let etag = "\"\(Hex.encode(Digests.md5(sums)))-2\""
      #expect(try done.xml().text(of: "ETag") == etag)
      let get = try await node.expect(200, "GET", "/bucket/k")
      #expect(get.body == Self.first + Self.second)
      #expect(get.headers["etag"] == etag)
      #expect(get.headers["x-amz-meta-a"] == "b")
      #expect(get.headers["content-type"] == "x/y")
      let range = try await node.expect(
        206, "GET", "/bucket/k", headers: ["Range": "bytes=5242878-5242883"])
      #expect(range.body == Self.first.suffix(2) + Self.second.prefix(4))
      #expect(try await node.expect(404, "GET", upload).code == "NoSuchUpload")
    }
  }

  /// Keys that XML 1.0 cannot hold: as S3 does, every answer has a character reference in their place, which readers
  /// refuse who do not ask for `encoding-type=url`, and a percent escape where that can be asked for.
  @Test func aKeyWithControlCharactersIsWrittenAlikeEverywhere() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      let path = "/bucket/d%01e%0D%1F"
      let plain = "<Key>d&#x1;e&#xD;&#x1F;</Key>"
      let encoded = "<Key>d%01e%0D%1F</Key>"
      let begun = try await node.expect(200, "POST", path + "?uploads")
      #expect(begun.text.contains(plain))
      let id = try #require(begun.text.firstMatch(of: /<UploadId>([0-9a-f]+)</)?.1)
      let upload = "\(path)?uploadId=\(id)"
      let part = try await Self.put(node, upload, 1, Self.second)
      #expect(try await node.expect(200, "GET", upload).text.contains(plain))
      #expect(try await node.expect(200, "GET", "/bucket?uploads").text.contains(plain))
      let uploads = try await node.expect(200, "GET", "/bucket?uploads&encoding-type=url")
      #expect(uploads.text.contains(encoded))
      let done = try await node.expect(200, "POST", upload, body: Self.completion([part]))
      #expect(done.text.contains(plain))
      #expect(done.text.contains("<Location>/bucket/d%01e%0D%1F</Location>"))
      for query in ["/bucket", "/bucket?list-type=2"] {
        #expect(try await node.expect(200, "GET", query).text.contains(plain))
      }
      for query in ["/bucket?encoding-type=url", "/bucket?list-type=2&encoding-type=url"] {
        #expect(try await node.expect(200, "GET", query).text.contains(encoded))
      }
      #expect(try await node.expect(200, "GET", path).body == Self.second)
      try await node.expect(204, "DELETE", path)
      #expect(try await node.expect(404, "GET", path).text.contains(plain))
    }
  }

  @Test func aPartIsReadByItsNumber() throws {
    try SimulatedS3.run { node in
      let upload = try await Self.begin(node)
      let parts = [
        try await Self.put(node, upload, 1, Self.first),
        try await Self.put(node, upload, 2, Self.second),
      ]
      try await node.expect(200, "POST", upload, body: Self.completion(parts))
      let part = try await node.expect(206, "GET", "/bucket/k?partNumber=2")
      #expect(part.body == Self.second)
      #expect(part.headers["x-amz-mp-parts-count"] == "2")
      let both = try await node.expect(
        400, "GET", "/bucket/k?partNumber=2", headers: ["range": "bytes=0-1"])
      #expect(both.code == "InvalidRequest")
      let sum: HTTPHeaders = ["x-amz-checksum-crc32": "NhCmhg=="]
      try await node.expect(200, "PUT", "/bucket/whole", headers: sum, body: Array("hello".utf8))
      let whole = try await node.expect(
        206, "GET", "/bucket/whole?partNumber=1", headers: ["x-amz-checksum-mode": "ENABLED"])
      #expect(whole.body == Array("hello".utf8))
      #expect(whole.headers["content-range"] == "bytes 0-4/5")
      #expect(whole.headers["x-amz-mp-parts-count"] == nil)
      #expect(whole.headers["x-amz-checksum-crc32"] == "NhCmhg==")
      try await node.expect(200, "PUT", "/bucket/empty")
      let empty = try await node.expect(200, "GET", "/bucket/empty?partNumber=1")
      #expect(empty.headers["content-range"] == nil)
      for (target, count) in [("k?partNumber=3", "2"), ("whole?partNumber=2", "1")] {
        let answer = try await node.expect(416, "GET", "/bucket/\(target)")
        #expect(answer.code == "InvalidPartNumber")
        #expect(try answer.xml().text(of: "ActualPartCount") == count)
        #expect(try answer.xml().text(of: "Message")?.contains("it has \(count) part") == true)
      }
    }
  }

  @Test func attributesTellOfTheParts() throws {
    try SimulatedS3.run { node in
      let upload = try await Self.begin(node, ["x-amz-checksum-algorithm": "CRC32"])
      let parts = [
        try await Self.put(node, upload, 1, Self.first),
        try await Self.put(node, upload, 3, Self.second),
      ]
      let done = try await node.expect(200, "POST", upload, body: Self.completion(parts)).xml()
      let target = "/bucket/k?attributes"
      let all: HTTPHeaders = [
        "x-amz-object-attributes": "ETag,Checksum, ObjectParts,StorageClass,ObjectSize"
      ]
      let answer = try await node.expect(200, "GET", target, headers: all).xml()
      #expect(answer.text(of: "ETag").map { "\"\($0)\"" } == done.text(of: "ETag"))
      #expect(answer.text(of: "ObjectSize") == "\(Self.first.count + Self.second.count)")
      #expect(answer.text(of: "StorageClass") == "STANDARD")
      let checksum = try #require(answer.child("Checksum"))
      #expect(checksum.text(of: "ChecksumCRC32") == done.text(of: "ChecksumCRC32"))
      #expect(checksum.text(of: "ChecksumType") == "COMPOSITE")
      let listed = try #require(answer.child("ObjectParts"))
      #expect(listed.text(of: "PartsCount") == "2")
      #expect(listed.children(named: "Part").map { $0.text(of: "PartNumber") } == ["1", "3"])

      var page: HTTPHeaders = [
        "x-amz-object-attributes": "ObjectParts", "x-amz-max-parts": "1",
      ]
      let first = try await node.expect(200, "GET", target, headers: page).xml()
      #expect(first.child("ETag") == nil)
      #expect(first.child("ObjectParts")?.text(of: "IsTruncated") == "true")
      #expect(first.child("ObjectParts")?.text(of: "NextPartNumberMarker") == "1")
      page.append("x-amz-part-number-marker", "1")
      let second = try await node.expect(200, "GET", target, headers: page).xml()
      #expect(second.child("ObjectParts")?.text(of: "IsTruncated") == "false")
      #expect(
        second.child("ObjectParts")?.child("Part")?.text(of: "Size") == "\(Self.second.count)")

      for bad in ["", "ETag,Colour"] {
        try await node.expect(
          400, "GET", target, headers: ["x-amz-object-attributes": bad])
      }
      page.set("x-amz-part-number-marker", "+1")
      #expect(
        try await node.expect(400, "GET", target, headers: page).code == "InvalidArgument")
    }
  }

  @Test func badCompletionsAreRefused() throws {
    try SimulatedS3.run { node in
      let upload = try await Self.begin(node)
      let one = try await Self.put(node, upload, 1, Self.second)
      let two = try await Self.put(node, upload, 2, Self.second)
      let completions: [([(Int, String)], String)] = [
        ([one, two], "EntityTooSmall"), ([two, one], "InvalidPartOrder"),
        ([(1, "\"abc\"")], "InvalidPart"), ([(3, one.1)], "InvalidPart"), ([], "MalformedXML"),
        ([(0, one.1)], "InvalidArgument"), ([(-4, one.1)], "InvalidArgument"),
        ([(10_001, one.1)], "InvalidPart"),
      ]
      for (parts, code) in completions {
        let answer = try await node.expect(400, "POST", upload, body: Self.completion(parts))
        #expect(answer.code == code)
      }
      let answer = try await node.expect(
        400, "POST", upload, headers: ["x-amz-mp-object-size": "+\(Self.second.count)"],
        body: Self.completion([one]))
      #expect(answer.code == "InvalidRequest")
      for number in ["0", "10001", "%2B1", "x", ""] {
        let answer = try await node.expect(400, "PUT", upload + "&partNumber=" + number, body: [1])
        #expect(answer.code == "InvalidArgument")
      }
    }
  }

  @Test func anAbortedUploadIsGone() throws {
    try SimulatedS3.run { node in
      let upload = try await Self.begin(node)
      _ = try await Self.put(node, upload, 1, Self.second)
      try await node.expect(204, "DELETE", upload)
      for (method, target) in [
        ("DELETE", upload), ("PUT", upload + "&partNumber=1"), ("GET", upload),
        ("PUT", "/bucket/k?uploadId=x&partNumber=1"),
      ] {
        #expect(try await node.expect(404, method, target).code == "NoSuchUpload")
      }
    }
  }

  @Test(arguments: ["COMPOSITE", "FULL_OBJECT"])
  func checksumsOfPartsBecomeThatOfTheObject(type: String) throws {
    try SimulatedS3.run { node in
      let upload = try await Self.begin(
        node, ["x-amz-checksum-algorithm": "CRC32C", "x-amz-checksum-type": type])
      let parts = [
        try await Self.put(node, upload, 1, Self.first),
        try await Self.put(node, upload, 2, Self.second),
      ]
      let wrong = try await node.expect(
        400, "PUT", upload + "&partNumber=3", headers: ["x-amz-checksum-crc32": "NhCmhg=="],
        body: Array("hello".utf8))
      #expect(wrong.code == "InvalidRequest")
      let sum =
        type == "COMPOSITE"
        ? Self.crc32c(Self.crc32c(Self.first).value + Self.crc32c(Self.second).value).base64 + "-2"
        : Self.crc32c(Self.first + Self.second).base64
      let document = Self.completion(parts)
      let other = try await node.expect(
        400, "POST", upload, headers: ["x-amz-checksum-crc32c": "AAAAAA=="], body: document)
      #expect(other.code == "BadDigest")
      let done = try await node.expect(
        200, "POST", upload, headers: ["x-amz-checksum-crc32c": sum], body: document)
      #expect(try done.xml().text(of: "ChecksumCRC32C") == sum)
      let head = try await node.expect(
        200, "HEAD", "/bucket/k", headers: ["x-amz-checksum-mode": "ENABLED"])
      #expect(head.headers["x-amz-checksum-crc32c"] == sum)
      #expect(head.headers["x-amz-checksum-type"] == type)
    }
  }

  private static func crc32c(_ bytes: [UInt8]) -> ObjectChecksum {
    ObjectChecksum(
      algorithm: .crc32c,
      value: withUnsafeBytes(of: CRC32C.checksum(bytes).bigEndian) { Array($0) })
  }
}
