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

  /// - Parameter sums: a checksum element for each part.
  private static func completion(_ parts: [(Int, String)], sums: [String] = []) -> [UInt8] {
    let listed = parts.enumerated().map { index, part in
      "<Part><PartNumber>\(part.0)</PartNumber><ETag>\(part.1)</ETag>"
        + (index < sums.count ? sums[index] : "") + "</Part>"
    }
    return Array("<CompleteMultipartUpload>\(listed.joined())</CompleteMultipartUpload>".utf8)
  }

  /// The URL of the object as the client addressed it.
  @Test(
    arguments: [
      ("/bucket/a%20b/c", "s3.test:3900", nil, "http://s3.test:3900/bucket/a%20b/c"),
      ("/a%20b/c", "bucket.s3.test", nil, "http://bucket.s3.test/a%20b/c"),
      ("/bucket/a%2Bb", "s3.test", "https", "https://s3.test/bucket/a%2Bb"),
    ] as [(String, String, String?, String)])
  func theLocationIsTheURL(
    _ row: (path: String, host: String, proto: String?, location: String)
  ) throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      let begun = try await node.send("POST", row.path + "?uploads", host: row.host).xml()
      let id = try #require(begun.text(of: "UploadId"))
      let part = try await node.send(
        "PUT", "\(row.path)?partNumber=1&uploadId=\(id)", body: [1], host: row.host)
      var headers = HTTPHeaders()
      if let proto = row.proto { headers.append("X-Forwarded-Proto", proto) }
      let done = try await node.send(
        "POST", "\(row.path)?uploadId=\(id)", headers: headers,
        body: Self.completion([(1, try #require(part.headers["etag"]))]), host: row.host)
      #expect(try done.xml().text(of: "Location") == row.location)
    }
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
      #expect(done.text.contains("<Location>http://s3.test/bucket/d%01e%0D%1F</Location>"))
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
        #expect(
          try answer.xml().text(of: "Message") == "The requested partnumber is not satisfiable")
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
      let sums = [Self.first, Self.second].map {
        "<ChecksumCRC32>\(Self.sum(.crc32, $0).base64)</ChecksumCRC32>"
      }
      let done = try await node.expect(
        200, "POST", upload, body: Self.completion(parts, sums: sums)
      ).xml()
      let target = "/bucket/k?attributes"
      let all: HTTPHeaders = [
        "x-amz-object-attributes": "ETag,Checksum, ObjectParts,StorageClass,ObjectSize"
      ]
      let answer = try await node.expect(200, "GET", target, headers: all).xml()
      #expect(answer.text(of: "ETag").map { "\"\($0)\"" } == done.text(of: "ETag"))
      #expect(answer.text(of: "ObjectSize") == "\(Self.first.count + Self.second.count)")
      #expect(answer.text(of: "StorageClass") == "STANDARD")
      let checksum = try #require(answer.child("Checksum"))
      let whole = try #require(checksum.text(of: "ChecksumCRC32"))
      #expect(done.text(of: "ChecksumCRC32") == whole + "-2")
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
      let both = [Self.first, Self.second].map { Self.sum(.crc32c, $0) }
      let sum =
        type == "COMPOSITE"
        ? Self.sum(.crc32c, both[0].value + both[1].value).base64 + "-2"
        : Self.sum(.crc32c, Self.first + Self.second).base64
      let document = Self.completion(
        parts,
        sums: type == "COMPOSITE"
          ? both.map { "<ChecksumCRC32C>\($0.base64)</ChecksumCRC32C>" } : [])
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

  /// What a completion says about checksums, and the code of the refusal; `nil` for none.
  struct Claim: Sendable {
    var type = "COMPOSITE"
    /// Of the part; empty for none.
    var part = "<ChecksumCRC32>NhCmhg==</ChecksumCRC32>"
    var headers: HTTPHeaders = [:]
    var code: String?
  }

  private static let sha256 = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="

  /// Of one part, "hello", whose CRC-32 is NhCmhg==.
  private static let claims: [Claim] = [
    Claim(),
    Claim(part: "", code: "InvalidRequest"),
    Claim(part: "<ChecksumCRC32>AAAAAA==</ChecksumCRC32>", code: "InvalidPart"),
    // Right, and yet nothing that this upload could compare.
    Claim(part: "<ChecksumSHA256>\(sha256)</ChecksumSHA256>", code: "BadDigest"),
    Claim(headers: ["x-amz-checksum-sha256": sha256], code: "BadDigest"),
    Claim(headers: ["x-amz-checksum-type": "FULL_OBJECT"], code: "BadDigest"),
    Claim(headers: ["x-amz-checksum-type": "PARTS"], code: "InvalidRequest"),
    Claim(headers: ["x-amz-checksum-crc32": "FKTmaw==-1"]),
    Claim(headers: ["x-amz-checksum-crc32": "FKTmaw=="]),
    Claim(headers: ["x-amz-checksum-crc32": "FKTmaw==-2"], code: "BadDigest"),
    Claim(headers: ["x-amz-checksum-crc32": "FKTmaw==-x"], code: "InvalidRequest"),
    Claim(headers: ["x-amz-checksum-crc32": "FKTmaw==-1-1"], code: "InvalidRequest"),
    Claim(headers: ["x-amz-checksum-crc32": "NhCmhg==-1"], code: "BadDigest"),
    Claim(type: "FULL_OBJECT", part: ""),
    Claim(type: "FULL_OBJECT", part: "", headers: ["x-amz-checksum-crc32": "NhCmhg=="]),
    Claim(
      type: "FULL_OBJECT", headers: ["x-amz-checksum-crc32": "NhCmhg==-1"], code: "BadDigest"),
    Claim(
      type: "FULL_OBJECT", headers: ["x-amz-checksum-type": "COMPOSITE"], code: "BadDigest"),
  ]

  @Test(arguments: claims)
  func noChecksumOfACompletionGoesUncompared(claim: Claim) throws {
    try SimulatedS3.run { node in
      let upload = try await Self.begin(
        node, ["x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": claim.type])
      let part = try await Self.put(node, upload, 1, Array("hello".utf8))
      let answer = try await node.expect(
        claim.code == nil ? 200 : 400, "POST", upload, headers: claim.headers,
        body: Self.completion([part], sums: [claim.part]))
      #expect(answer.code == claim.code)
    }
  }

  /// As in S3 since 2025: the object has a CRC-64 of all bytes, and its parts are not listed.
  @Test func withoutAnAlgorithmTheServerHasItsOwn() throws {
    try SimulatedS3.run { node in
      let upload = try await Self.begin(node)
      let one = try await node.expect(200, "PUT", upload + "&partNumber=1", body: Self.first)
      #expect(
        one.headers["x-amz-checksum-crc64nvme"] == Self.sum(.crc64nvme, Self.first).base64)
      // A part may come with a checksum of its own.
      let two = try await node.expect(
        200, "PUT", upload + "&partNumber=2",
        headers: ["x-amz-checksum-crc32": Self.sum(.crc32, Self.second).base64], body: Self.second)
      #expect(two.headers["x-amz-checksum-crc64nvme"] == nil)
      let listed = try await node.expect(200, "GET", upload).xml().children(named: "Part")
      #expect(listed.map { $0.text(of: "ChecksumCRC64NVME") } == [nil, nil])
      let parts = try zip([1, 2], [one, two]).map { ($0, try #require($1.headers["etag"])) }
      for (sums, header, code) in [
        (["", "<ChecksumCRC32>AAAAAA==</ChecksumCRC32>"], "COMPOSITE", "InvalidPart"),
        (["<ChecksumCRC32>AAAAAA==</ChecksumCRC32>"], "FULL_OBJECT", "InvalidPart"),
        ([], "COMPOSITE", "BadDigest"),
      ] {
        let answer = try await node.expect(
          400, "POST", upload, headers: ["x-amz-checksum-type": header],
          body: Self.completion(parts, sums: sums))
        #expect(answer.code == code)
      }
      let sum = Self.sum(.crc64nvme, Self.first + Self.second).base64
      let wrong = try await node.expect(
        400, "POST", upload, headers: ["x-amz-checksum-crc64nvme": "AAAAAAAAAAA="],
        body: Self.completion(parts))
      #expect(wrong.code == "BadDigest")
      let done = try await node.expect(
        200, "POST", upload, headers: ["x-amz-checksum-crc64nvme": sum],
        body: Self.completion(parts)
      ).xml()
      #expect(done.text(of: "ChecksumCRC64NVME") == sum)
      let head = try await node.expect(
        200, "HEAD", "/bucket/k", headers: ["x-amz-checksum-mode": "ENABLED"])
      #expect(head.headers["x-amz-checksum-crc64nvme"] == sum)
      #expect(head.headers["x-amz-checksum-type"] == "FULL_OBJECT")
      let attributes = try await node.expect(
        200, "GET", "/bucket/k?attributes",
        headers: ["x-amz-object-attributes": "Checksum,ObjectParts"]
      ).xml()
      #expect(attributes.child("Checksum")?.text(of: "ChecksumCRC64NVME") == sum)
      let told = try #require(attributes.child("ObjectParts"))
      #expect(told.text(of: "PartsCount") == "2")
      #expect(told.children(named: "Part").isEmpty)
    }
  }

  private static func sum(_ algorithm: ChecksumAlgorithm, _ bytes: [UInt8]) -> ObjectChecksum {
    var hasher = ChecksumHasher(algorithm)
    bytes.withUnsafeBytes { hasher.update($0) }
    return hasher.finish()
  }
}
