import APICommon
import Base
import Codecs
import Crypto
import HTTP
import SimulatedWorld
import Testing

@Suite struct S3ObjectTests {
  private static let large = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 11) }

  @Test func anUploadSaysHowLongItIs() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      let answer = try await node.sendWithoutLength("PUT", "/bucket/k")
      #expect(answer.hasPrefix("HTTP/1.1 411 "))
      #expect(answer.contains("<Code>MissingContentLength</Code>"))
      try await node.expect(404, "GET", "/bucket/k")
    }
  }

  @Test func aBodyThatStallsIsARequestTimeout() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      let url = RequestSigner(
        accessKeyID: SimulatedS3.accessKeyID, secret: SimulatedS3.secret,
        region: SimulatedS3.region
      ).presign(
        method: "PUT", target: RequestTarget(path: Array("/bucket/k".utf8)),
        headers: ["Host": "s3.test"], expirySeconds: 60, at: node.runtime.wallNow)
      let pieces = PieceCounter()
      let response = try await node.client.request(
        "PUT", .tcp(host: "s3.test", port: 80), url, headers: ["Host": "s3.test"],
        body: .stream(length: 100) { buffer in
          pieces.count += 1
          if pieces.count > 1 { try await node.runtime.sleep(for: .seconds(61)) }
          buffer[0] = 1
          return 1
        })
      let body = String(decoding: try await response.collect(maxBytes: 10_000), as: UTF8.self)
      #expect(response.status == 400)
      #expect(body.contains("<Code>RequestTimeout</Code>"))
      try await node.expect(404, "GET", "/bucket/k")
    }
  }

  /// Nothing of it is done here, and S3 refuses what it does not know.
  @Test(arguments: [
    ("x-amz-storage-class", "FLOPPY", "InvalidStorageClass"),
    ("x-amz-storage-class", "standard", "InvalidStorageClass"),
    ("x-amz-storage-class", "GLACIER_IR", nil),
    ("x-amz-acl", "friends", "InvalidArgument"), ("x-amz-acl", "public-read", nil),
  ])
  func madeUpNamesAreRefused(name: String, value: String, code: String?) throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      try await node.expect(200, "PUT", "/bucket/k")
      var headers = HTTPHeaders()
      headers.append(name, value)
      var copying = headers
      copying.append("x-amz-copy-source", "bucket/k")
      var requests = [
        ("PUT", "/bucket/a", headers), ("PUT", "/bucket/b", copying),
        ("POST", "/bucket/c?uploads", headers),
      ]
      if name == "x-amz-acl" { requests.append(("PUT", "/bucket2", headers)) }
      for (method, target, headers) in requests {
        let answer = try await node.expect(
          code == nil ? 200 : 400, method, target, headers: headers)
        #expect(answer.code == code)
      }
    }
  }

  @Test(arguments: [0, 1, 8192, 8193, 3_000_000])
  func anObjectComesBackAsItWasPut(size: Int) throws {
    let bytes = Array(Self.large[..<size])
    let path = "/bucket/a%20b//..%2F%C3%A9%25"
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      let put = try await node.expect(
        200, "PUT", path,
        headers: [
          "Content-Type": "text/plain; charset=utf-8", "x-amz-meta-Note": "één",
          "Content-Encoding": "aws-chunked,gzip", "Cache-Control": "max-age=1",
        ], body: bytes)
      let etag = "\"\(Hex.encode(Digests.md5(bytes)))\""
      #expect(put.headers["etag"] == etag)
      let get = try await node.expect(200, "GET", path)
      #expect(get.body == bytes)
      let head = try await node.expect(200, "HEAD", path)
      #expect(head.body.isEmpty)
      for response in [get, head] {
        #expect(response.headers["etag"] == etag)
        #expect(response.headers["content-length"] == String(size))
        #expect(response.headers["content-type"] == "text/plain; charset=utf-8")
        #expect(response.headers["x-amz-meta-note"] == "=?UTF-8?B?w6nDqW4=?=")
        #expect(response.headers["content-encoding"] == "gzip")
        #expect(response.headers["cache-control"] == "max-age=1")
        #expect(response.headers["last-modified"] != nil)
        #expect(response.headers["x-amz-request-id"]?.utf8.count == 16)
      }
      try await node.expect(204, "DELETE", path)
      #expect(try await node.expect(404, "GET", path).code == "NoSuchKey")
      #expect(try await node.expect(404, "HEAD", path).body.isEmpty)
      try await node.expect(204, "DELETE", path)
    }
  }

  @Test func rangesAreParts() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      try await node.expect(200, "PUT", "/bucket/k", body: Self.large)
      let size = Self.large.count
      for range in [0..<1, 999_999..<2_100_000, (size - 5)..<size, 0..<size] {
        let bounds = "\(range.lowerBound)-\(range.upperBound - 1)"
        let part = try await node.expect(
          206, "GET", "/bucket/k", headers: ["Range": "bytes=\(bounds)"])
        #expect(part.body == Array(Self.large[range]))
        #expect(part.headers["content-range"] == "bytes \(bounds)/\(size)")
      }
      let suffix = try await node.expect(206, "GET", "/bucket/k", headers: ["Range": "bytes=-7"])
      #expect(suffix.body == Array(Self.large.suffix(7)))
      let behind = try await node.expect(
        416, "GET", "/bucket/k", headers: ["Range": "bytes=\(size)-"])
      #expect(behind.code == "InvalidRange")
      #expect(behind.headers["content-range"] == "bytes */\(size)")
    }
  }

  @Test func conditionsOfReadsHold() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      let put = try await node.expect(
        200, "PUT", "/bucket/k", headers: ["cache-control": "max-age=60", "content-type": "a/b"],
        body: [1])
      let etag = try #require(put.headers["etag"])
      let same = try await node.expect(
        304, "GET", "/bucket/k?response-expires=never", headers: ["If-None-Match": etag])
      #expect(same.headers["etag"] == etag)
      #expect(same.headers["last-modified"] != nil)
      #expect(same.headers["cache-control"] == "max-age=60")
      #expect(same.headers["expires"] == "never")
      #expect(same.headers["content-type"] == nil)
      #expect(same.body.isEmpty)
      try await node.expect(200, "GET", "/bucket/k", headers: ["If-None-Match": "\"x\""])
      try await node.expect(200, "HEAD", "/bucket/k", headers: ["If-Match": etag])
      // The simulated clock stands somewhere before 2100.
      let future: HTTPHeaders = ["If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"]
      try await node.expect(200, "GET", "/bucket/k", headers: future)
      let other = try await node.expect(412, "GET", "/bucket/k", headers: ["If-Match": "\"x\""])
      #expect(other.code == "PreconditionFailed")
    }
  }

  @Test func conditionsOfWritesAreNotIgnored() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      let answer = try await node.expect(
        501, "PUT", "/bucket/k", headers: ["If-None-Match": "*"], body: [1])
      #expect(answer.code == "NotImplemented")
      try await node.expect(404, "GET", "/bucket/k")
    }
  }

  @Test func checksumsAreComparedKeptAndGivenBack() throws {
    let bytes = Array("hello".utf8)
    let sum = "NhCmhg=="
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      let md5 = Base64.encode(Digests.md5(bytes))
      let put = try await node.expect(
        200, "PUT", "/bucket/k", headers: ["x-amz-checksum-crc32": sum, "Content-MD5": md5],
        body: bytes)
      #expect(put.headers["x-amz-checksum-crc32"] == sum)
      let reads: [(HTTPHeaders, String?)] = [
        (["x-amz-checksum-mode": "ENABLED"], sum), ([:], nil),
        (["x-amz-checksum-mode": "ENABLED", "Range": "bytes=0-1"], nil),
      ]
      for (headers, expected) in reads {
        let get = try await node.send("GET", "/bucket/k", headers: headers)
        #expect(get.headers["x-amz-checksum-crc32"] == expected)
      }
      let writes: [(HTTPHeaders, String)] = [
        (["x-amz-checksum-crc32": "AAAAAA=="], "BadDigest"), (["Content-MD5": md5], "BadDigest"),
        (["Content-MD5": "x"], "InvalidDigest"),
      ]
      for (headers, code) in writes {
        let bad = try await node.expect(
          400, "PUT", "/bucket/k", headers: headers, body: Array("hellp".utf8))
        #expect(bad.code == code)
      }
      #expect(try await node.expect(200, "GET", "/bucket/k").body == bytes)
    }
  }

  @Test func manyObjectsAreDeletedAtOnce() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      for key in ["a", "b", "c"] { try await node.expect(200, "PUT", "/bucket/\(key)", body: [1]) }
      let answer = try await Self.delete(
        node, 200,
        "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key>a</Key></Object>"
          + "<Object><Key>absent</Key></Object><Object><Key></Key></Object>"
          + "<Object><Key>b</Key><VersionId>x</VersionId></Object></Delete>")
      let result = try answer.xml()
      #expect(result.children(named: "Deleted").map { $0.text(of: "Key") } == ["a", "absent"])
      #expect(
        result.children(named: "Error").map { $0.text(of: "Code") }
          == ["InvalidArgument", "NotImplemented"])
      try await node.expect(404, "GET", "/bucket/a")
      try await node.expect(200, "GET", "/bucket/b")
      let silent = try await Self.delete(
        node, 200, "<Delete><Quiet>true</Quiet><Object><Key>c</Key></Object></Delete>")
      #expect(try silent.xml().children.isEmpty)
      for bad in [
        "", "<Delete/>", "<Delete>", "<Delete><Object/></Delete>",
        "<Other><Object><Key>b</Key></Object></Other>",
      ] {
        #expect(try await Self.delete(node, 400, bad).code == "MalformedXML")
      }
    }
  }

  private static func delete(
    _ node: SimulatedS3, _ status: Int, _ document: String
  ) async throws -> S3Response {
    try await node.expect(status, "POST", "/bucket?delete", body: Array(document.utf8))
  }
}

/// Counts on the simulated runtime's one thread.
private final class PieceCounter: @unchecked Sendable {
  // Safe because only the simulated runtime's one thread touches it.
  var count = 0
}
