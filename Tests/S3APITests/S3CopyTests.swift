import Base
import Blocks
import Codecs
import Crypto
import HTTP
import Model
import SimulatedWorld
import Testing

@Suite struct S3CopyTests {
  private static let small = Array("small".utf8)
  /// A few blocks, whose bounds are not those of any range below.
  private static let large = (0..<3_500_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 11) }

  private static func fill(_ node: SimulatedS3) async throws {
    try await node.expect(200, "PUT", "/bucket")
    try await node.expect(
      200, "PUT", "/bucket/small",
      headers: ["Content-Type": "a/b", "x-amz-meta-colour": "red", "Cache-Control": "no-store"],
      body: small)
    try await node.expect(200, "PUT", "/bucket/large", body: large)
  }

  private static func source(_ path: String, _ more: KeyValuePairs<String, String> = [:])
    -> HTTPHeaders
  {
    var headers: HTTPHeaders = ["x-amz-copy-source": path]
    for (name, value) in more { headers.append(name, value) }
    return headers
  }

  /// The arguments are keys alone: Swift Testing prints what it is given.
  @Test(arguments: ["small", "large"])
  func aCopyOutlivesItsSource(_ key: String) throws {
    let bytes = key == "small" ? Self.small : Self.large
    try SimulatedS3.run { node in
      try await Self.fill(node)
      try await node.expect(200, "PUT", "/other")
      let etag = try await node.expect(200, "HEAD", "/bucket/\(key)").headers["etag"]
      let copied = try await node.expect(
        200, "PUT", "/other/copy", headers: Self.source("/bucket/\(key)"))
      #expect(try copied.xml().text(of: "ETag") == etag)
      try await node.expect(204, "DELETE", "/bucket/\(key)")
      let get = try await node.expect(200, "GET", "/other/copy")
      #expect(get.body == bytes)
      #expect(get.headers["etag"] == etag)
    }
  }

  @Test func theDirectiveSaysWhoseHeadersStay() throws {
    try SimulatedS3.run { node in
      try await Self.fill(node)
      try await node.expect(
        200, "PUT", "/bucket/a",
        headers: Self.source("bucket/small", ["x-amz-meta-colour": "blue"]))
      let copied = try await node.expect(200, "HEAD", "/bucket/a").headers
      #expect(copied["x-amz-meta-colour"] == "red")
      #expect(copied["cache-control"] == "no-store")
      try await node.expect(
        200, "PUT", "/bucket/a",
        headers: Self.source(
          "bucket/small",
          ["x-amz-metadata-directive": "REPLACE", "x-amz-meta-size": "xl"]))
      let replaced = try await node.expect(200, "HEAD", "/bucket/a").headers
      #expect(replaced["x-amz-meta-size"] == "xl")
      #expect(replaced["x-amz-meta-colour"] == nil)
      #expect(replaced["content-type"] == "binary/octet-stream")
      let unknown = Self.source("bucket/small", ["x-amz-metadata-directive": "MIX"])
      try await node.expect(400, "PUT", "/bucket/a", headers: unknown)
    }
  }

  /// What is given back is what was meant, and a copy has the same.
  @Test func metadataIsText() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      let given = "=?UTF-8?Q?caf=C3=A9_au_lait?="
      for (key, sent) in [
        ("raw", "café au lait"), ("b", "=?utf-8?b?Y2Fmw6kgYXUgbGFpdA==?="), ("q", given),
      ] {
        try await node.expect(
          200, "PUT", "/bucket/\(key)",
          headers: ["x-amz-meta-a": sent, "x-amz-meta-b": "=?UTF-8?Q?plain?="], body: Self.small)
        try await node.expect(200, "PUT", "/bucket/copy", headers: Self.source("bucket/\(key)"))
        for (method, path) in [("HEAD", key), ("GET", key), ("HEAD", "copy")] {
          let headers = try await node.expect(200, method, "/bucket/\(path)").headers
          #expect(headers["x-amz-meta-a"] == given, "\(method) \(path)")
          #expect(headers["x-amz-meta-b"] == "plain")
        }
      }
      // No text becomes a header of its own.
      try await node.expect(
        200, "PUT", "/bucket/split", headers: ["x-amz-meta-a": "=?UTF-8?Q?a=0D=0Ax-amz-meta-b:_c?="]
      )
      let split = try await node.expect(200, "HEAD", "/bucket/split").headers
      #expect(split["x-amz-meta-b"] == nil)
      #expect(split["x-amz-meta-a"] == "=?UTF-8?Q?a=0D=0Ax-amz-meta-b:_c?=")
    }
  }

  /// AWS CLI asks for the tags before a copy in parts, and says what is to become of them.
  @Test func noObjectHasTags() throws {
    try SimulatedS3.run { node in
      try await Self.fill(node)
      let tagging = try await node.expect(200, "GET", "/bucket/small?tagging").xml()
      #expect(tagging.name == "Tagging")
      #expect(tagging.child("TagSet")?.children(named: "Tag").isEmpty == true)
      #expect(try await node.expect(404, "GET", "/bucket/none?tagging").code == "NoSuchKey")
      for (directive, status) in [("COPY", 200), ("REPLACE", 200), ("MIX", 400)] {
        try await node.expect(
          status, "PUT", "/bucket/a",
          headers: Self.source("/bucket/small", ["x-amz-tagging-directive": directive]))
      }
      try await node.expect(
        501, "PUT", "/bucket/a",
        headers: Self.source(
          "/bucket/small", ["x-amz-tagging-directive": "REPLACE", "x-amz-tagging": "a=b"]))
    }
  }

  @Test func anObjectIsCopiedOntoItselfOnlyToChangeIt() throws {
    try SimulatedS3.run { node in
      try await Self.fill(node)
      let same = try await node.expect(
        400, "PUT", "/bucket/large", headers: Self.source("/bucket/large"))
      #expect(same.code == "InvalidRequest")
      for change: KeyValuePairs in [
        ["x-amz-storage-class": "STANDARD"], ["x-amz-website-redirect-location": "/elsewhere"],
      ] {
        try await node.expect(
          200, "PUT", "/bucket/large", headers: Self.source("/bucket/large", change))
      }
      try await node.expect(
        200, "PUT", "/bucket/large",
        headers: Self.source("/bucket/large", ["x-amz-metadata-directive": "REPLACE"]))
      #expect(try await node.expect(200, "GET", "/bucket/large").body == Self.large)
    }
  }

  @Test func anotherChecksumIsComputed() throws {
    try SimulatedS3.run { node in
      try await Self.fill(node)
      let copied = try await node.expect(
        200, "PUT", "/bucket/a",
        headers: Self.source("/bucket/large", ["x-amz-checksum-algorithm": "SHA256"])
      ).xml()
      #expect(copied.text(of: "ChecksumSHA256") == Base64.encode(Digests.sha256(Self.large)))
      #expect(copied.text(of: "ChecksumType") == "FULL_OBJECT")
    }
  }

  /// Who says whose bucket it must be would rather fail than write into another's.
  @Test(arguments: ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"])
  func theExpectedOwnerMustBeOne(header: String) throws {
    try SimulatedS3.run { node in
      try await Self.fill(node)
      let reader = try await node.store.accessKeys.create(name: "reader")
      let bucket = try #require(try await node.store.buckets.resolve("bucket", for: nil))
      _ = try await node.store.buckets.allow([.read, .write], to: reader.id, in: bucket.id)
      for (owner, status) in [(SimulatedS3.accessKeyID, 200), (reader.id, 403), ("", 403)] {
        let answer = try await node.expect(
          status, "PUT", "/bucket/a", headers: Self.source("/bucket/small", [header: owner]))
        #expect(answer.code == (status == 403 ? "AccessDenied" : nil))
      }
    }
  }

  /// A loop that hashes for seconds answers nobody.
  @Test func aChecksumIsNotComputedOnTheLoop() throws {
    try SimulatedS3.run { node in
      try await Self.fill(node)
      node.runtime.blockingDelay = .seconds(1) ... .seconds(1)
      let start = node.runtime.now
      try await node.expect(
        200, "PUT", "/bucket/a",
        headers: Self.source("/bucket/large", ["x-amz-checksum-algorithm": "SHA256"]))
      // One call for each piece of 128 KiB, and few beside.
      let pieces = (Self.large.count - 1) / ClientHold.pieceBytes + 1
      #expect(node.runtime.now - start > .seconds(pieces))
    }
  }

  @Test(arguments: [
    ("", 400, "InvalidArgument"), ("bucket", 400, "InvalidArgument"),
    ("/bucket/", 400, "InvalidArgument"), ("//small", 400, "InvalidArgument"),
    ("bucket/%zz", 400, "InvalidArgument"), ("bucket/none", 404, "NoSuchKey"),
    ("none/small", 404, "NoSuchBucket"), ("bucket/small?versionId=1", 501, "NotImplemented"),
    ("bucket/small?acl", 400, "InvalidArgument"),
  ])
  func sourcesThatAreNoneAreRefused(_ row: (source: String, status: Int, code: String)) throws {
    try SimulatedS3.run { node in
      try await Self.fill(node)
      let answer = try await node.expect(
        row.status, "PUT", "/bucket/a", headers: Self.source(row.source))
      #expect(answer.code == row.code)
    }
  }

  @Test func escapesInTheSourceAreDecoded() throws {
    try SimulatedS3.run { node in
      try await Self.fill(node)
      try await node.expect(200, "PUT", "/bucket/a%20%2B%3F/%C3%A9", body: [7])
      try await node.expect(
        200, "PUT", "/bucket/b",
        headers: Self.source("/bucket/a%20%2B%3F/%C3%A9?versionId=null"))
      #expect(try await node.expect(200, "GET", "/bucket/b").body == [7])
    }
  }

  /// What encodes for forms writes a space as `+`, and a plus as `%2B`.
  @Test func aPlusInTheSourceIsASpace() throws {
    try SimulatedS3.run { node in
      try await Self.fill(node)
      try await node.expect(200, "PUT", "/bucket/cp/x%20y", body: [1])
      try await node.expect(200, "PUT", "/bucket/cp/x+y", body: [2])
      let sources: [(String, UInt8)] = [
        ("bucket%2Fcp%2Fx+y", 1), ("/bucket/cp/x%20y", 1), ("/bucket/cp/x%2By", 2),
      ]
      let target = try await Self.begin(node)
      for (source, byte) in sources {
        try await node.expect(200, "PUT", "/bucket/a", headers: Self.source(source))
        #expect(try await node.expect(200, "GET", "/bucket/a").body == [byte])
        let part = try await node.expect(
          200, "PUT", target + "&partNumber=1", headers: Self.source(source))
        #expect(try part.xml().text(of: "ETag") == "\"\(Hex.encode(Digests.md5([byte])))\"")
      }
    }
  }

  @Test func conditionsAreThoseOfTheSource() throws {
    try SimulatedS3.run { node in
      try await Self.fill(node)
      let head = try await node.expect(200, "HEAD", "/bucket/small").headers
      let etag = try #require(head["etag"])
      let date = try #require(head["last-modified"])
      let rows: [(KeyValuePairs<String, String>, Int)] = [
        (["x-amz-copy-source-if-match": etag], 200),
        (["x-amz-copy-source-if-match": "\"x\""], 412),
        (["x-amz-copy-source-if-none-match": etag], 412),
        (["x-amz-copy-source-if-none-match": "\"x\""], 200),
        (["x-amz-copy-source-if-modified-since": date], 412),
        (["x-amz-copy-source-if-modified-since": "Fri, 01 Jan 2100 00:00:00 GMT"], 200),
        (["x-amz-copy-source-if-unmodified-since": date], 200),
        (["x-amz-copy-source-if-unmodified-since": "Sat, 01 Jan 2000 00:00:00 GMT"], 412),
      ]
      for (headers, status) in rows {
        try await node.expect(
          status, "PUT", "/bucket/a", headers: Self.source("/bucket/small", headers))
      }
    }
  }

  @Test func aCopyOfPartsHasTheParts() throws {
    try SimulatedS3.run { node in
      try await Self.fill(node)
      let target = try await Self.begin(node, ["x-amz-checksum-algorithm": "CRC32"])
      var parts: [(Int, String)] = []
      // The whole, which is a part large enough to be followed, twice; and a range of it that begins and ends
      // inside of blocks.
      for (number, range) in [(1, "bytes=0-3499999"), (2, "bytes=1048000-2200000")] {
        let copied = try await node.expect(
          200, "PUT", target + "&partNumber=\(number)",
          headers: Self.source("/bucket/large", ["x-amz-copy-source-range": range]))
        let document = try copied.xml()
        #expect(document.name == "CopyPartResult")
        #expect(document.text(of: "ChecksumCRC32") != nil)
        parts.append((number, try #require(document.text(of: "ETag"))))
      }
      #expect(
        parts[1].1 == "\"\(Hex.encode(Digests.md5(Array(Self.large[1_048_000...2_200_000]))))\"")
      let listed = parts.map {
        "<Part><PartNumber>\($0.0)</PartNumber><ETag>\($0.1)</ETag></Part>"
      }
      let completion = "<CompleteMultipartUpload>\(listed.joined())</CompleteMultipartUpload>"
      let refused = try await node.expect(400, "POST", target, body: Array(completion.utf8))
      #expect(refused.code == "EntityTooSmall")
    }
  }

  @Test func theCopyOfAnUploadInPartsKeepsThem() throws {
    try SimulatedS3.run { node in
      try await Self.fill(node)
      let target = try await Self.begin(node, ["x-amz-checksum-algorithm": "CRC32"])
      let part = try await node.expect(
        200, "PUT", target + "&partNumber=3", headers: Self.source("/bucket/large")
      ).xml()
      let completion = """
        <CompleteMultipartUpload><Part><PartNumber>3</PartNumber><ETag>\(
          part.text(of: "ETag") ?? "")</ETag><ChecksumCRC32>\(
          part.text(of: "ChecksumCRC32") ?? "")</ChecksumCRC32></Part></CompleteMultipartUpload>
        """
      try await node.expect(200, "POST", target, body: Array(completion.utf8))
      try await node.expect(
        200, "PUT", "/bucket/copy", headers: Self.source("/bucket/parts"))
      for key in ["parts", "copy"] {
        let get = try await node.expect(
          206, "GET", "/bucket/\(key)?partNumber=3", headers: ["x-amz-checksum-mode": "ENABLED"])
        #expect(get.body == Self.large)
        #expect(get.headers["x-amz-mp-parts-count"] == "1")
        #expect(get.headers["x-amz-checksum-crc32"] == part.text(of: "ChecksumCRC32"))
        #expect(get.headers["x-amz-checksum-type"] == "COMPOSITE")
      }
    }
  }

  @Test(arguments: [
    ("0-1", 400), ("bytes=1", 400), ("bytes=a-b", 400), ("bytes=+0-1", 400), ("bytes=2-1", 400),
    ("bytes=-5", 400), ("bytes=0-4", 200), ("bytes=4-4", 200), ("bytes=0-5", 400),
    ("bytes=0-18446744073709551615", 400), ("bytes=0-18446744073709551616", 400),
  ])
  func rangesOfPartsLieInTheSource(_ row: (range: String, status: Int)) throws {
    try SimulatedS3.run { node in
      try await Self.fill(node)
      let target = try await Self.begin(node)
      try await node.expect(
        row.status, "PUT", target + "&partNumber=1",
        headers: Self.source("/bucket/small", ["x-amz-copy-source-range": row.range]))
    }
  }

  private static func begin(
    _ node: SimulatedS3, _ headers: HTTPHeaders = HTTPHeaders()
  ) async throws -> String {
    let answer = try await node.expect(200, "POST", "/bucket/parts?uploads", headers: headers)
    return "/bucket/parts?uploadId=" + (try #require(try answer.xml().text(of: "UploadId")))
  }
}
