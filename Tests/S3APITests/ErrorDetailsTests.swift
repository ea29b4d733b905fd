import Codecs
import HTTP
import Testing

/// What error documents say beside the code: SDKs and scripts read it.
@Suite struct ErrorDetailsTests {
  /// Sends a request, and compares elements of the error document, given as `Name=text`.
  private func expect(
    _ node: SimulatedS3, _ status: Int, _ method: String, _ target: String,
    headers: HTTPHeaders = HTTPHeaders(), body: String = "", _ details: String...,
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let answer = try await node.expect(
      status, method, target, headers: headers, body: Array(body.utf8),
      sourceLocation: sourceLocation
    ).xml()
    let found = answer.children.map { "\($0.name)=\($0.text)" }
    for detail in details {
      #expect(found.contains(detail), "\(found)", sourceLocation: sourceLocation)
    }
  }

  @Test func bucketsAndKeysAreNamed() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      try await node.expect(200, "PUT", "/bucket/k", body: [1, 2])
      try await expect(
        node, 404, "GET", "/none/k", "Code=NoSuchBucket", "BucketName=none",
        "Message=The specified bucket does not exist")
      try await expect(
        node, 404, "GET", "/bucket/%C3%A9%20x", "Code=NoSuchKey", "Key=é x",
        "Message=The specified key does not exist.")
      try await expect(
        node, 404, "PUT", "/bucket/copy", headers: ["x-amz-copy-source": "bucket/none"],
        "Code=NoSuchKey", "Key=none")
      try await expect(
        node, 409, "DELETE", "/bucket", "Code=BucketNotEmpty", "BucketName=bucket")
      try await expect(
        node, 409, "PUT", "/bucket", "Code=BucketAlreadyOwnedByYou", "BucketName=bucket")
      try await expect(node, 400, "PUT", "/NO", "Code=InvalidBucketName", "BucketName=NO")
      try await expect(
        node, 400, "GET", "/bucket/" + String(repeating: "k", count: 1025), "Code=KeyTooLongError",
        "Size=1025", "MaxSizeAllowed=1024")
      try await expect(
        node, 405, "BREW", "/bucket/k", "Code=MethodNotAllowed", "Method=BREW",
        "ResourceType=OBJECT")
    }
  }

  @Test func conditionsAndRangesAreRepeated() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      try await node.expect(200, "PUT", "/bucket/k", body: [1, 2])
      let text = "Message=At least one of the pre-conditions you specified did not hold"
      let old = "Sat, 01 Jan 2000 00:00:00 GMT"
      let late = "Fri, 01 Jan 2100 00:00:00 GMT"
      try await expect(
        node, 412, "GET", "/bucket/k", headers: ["if-match": "a", "if-unmodified-since": late],
        "Code=PreconditionFailed", "Condition=If-Match", text)
      try await expect(
        node, 412, "GET", "/bucket/k", headers: ["if-unmodified-since": old],
        "Condition=If-Unmodified-Since")
      for (name, value) in [
        ("If-Match", "a"), ("If-None-Match", "*"), ("If-Unmodified-Since", old),
      ] {
        var headers: HTTPHeaders = ["x-amz-copy-source": "bucket/k"]
        headers.append("x-amz-copy-source-" + name.lowercased(), value)
        try await expect(
          node, 412, "PUT", "/bucket/copy", headers: headers, "Condition=x-amz-copy-source-\(name)",
          text)
      }
      try await expect(
        node, 416, "GET", "/bucket/k", headers: ["range": "bytes=5-9"], "Code=InvalidRange",
        "RangeRequested=bytes=5-9", "ActualObjectSize=2")
      try await expect(
        node, 416, "GET", "/bucket/k?partNumber=2", "Code=InvalidPartNumber",
        "PartNumberRequested=2", "ActualPartCount=1")
    }
  }

  @Test func digestsAreSetSideBySide() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      try await expect(
        node, 400, "PUT", "/bucket/k", headers: ["content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="],
        body: "a", "Code=BadDigest", "ExpectedDigest=1B2M2Y8AsgTpgAmY7PhCfg==",
        "CalculatedDigest=DMF1ucDxtqgxw5niaXcmYQ==")
      try await expect(
        node, 400, "PUT", "/bucket/k", headers: ["content-md5": "x"], "Code=InvalidDigest",
        "Content-MD5=x")
      try await expect(
        node, 400, "PUT", "/bucket/k", headers: ["x-amz-checksum-crc32": "AAAAAA=="], body: "a",
        "Message=The CRC32 you specified did not match the calculated checksum.")
    }
  }

  @Test func uploadsAndPartsAreNamed() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      let begun = try await node.expect(200, "POST", "/bucket/k?uploads").xml()
      let id = try #require(begun.text(of: "UploadId"))
      for query in ["partNumber=1&uploadId=made-up", "uploadId=made-up"] {
        try await expect(
          node, 404, query.hasPrefix("p") ? "PUT" : "DELETE", "/bucket/k?" + query,
          "Code=NoSuchUpload", "UploadId=made-up")
      }
      for number in ["0", "10001", "x", "", "-1"] {
        for method in ["PUT", "GET"] {
          try await expect(
            node, 400, method,
            "/bucket/k?partNumber=\(number)" + (method == "PUT" ? "&uploadId=\(id)" : ""),
            "Code=InvalidArgument", "ArgumentName=partNumber", "ArgumentValue=\(number)",
            "Message=Part number must be an integer between 1 and 10000, inclusive")
          if method == "PUT" { try await node.expect(200, "PUT", "/bucket/k", body: [1]) }
        }
      }
      func completion(_ parts: (Int, String)...) -> String {
        let parts = parts.map {
          "<Part><PartNumber>\($0.0)</PartNumber><ETag>\($0.1)</ETag></Part>"
        }
        return "<CompleteMultipartUpload>\(parts.joined())</CompleteMultipartUpload>"
      }
      try await expect(
        node, 400, "POST", "/bucket/k?uploadId=\(id)", body: completion((7, "abc")),
        "Code=InvalidPart", "UploadId=\(id)", "PartNumber=7", "ETag=abc")
      try await expect(
        node, 400, "POST", "/bucket/k?uploadId=\(id)", body: completion((2, "a"), (1, "b")),
        "Code=InvalidPartOrder", "UploadId=\(id)")
    }
  }

  @Test func listsOfPartsTakeWhatS3Takes() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      let begun = try await node.expect(200, "POST", "/bucket/k?uploads").xml()
      let id = try #require(begun.text(of: "UploadId"))
      try await node.expect(200, "PUT", "/bucket/k?partNumber=1&uploadId=\(id)", body: [1])
      for (query, count) in [
        ("part-number-marker=&max-parts=", 1), ("part-number-marker=0&max-parts=99999", 1),
        ("part-number-marker=1", 0), ("part-number-marker=2147483647", 0), ("max-parts=0", 0),
      ] {
        let page = try await node.expect(200, "GET", "/bucket/k?uploadId=\(id)&\(query)").xml()
        #expect(page.children(named: "Part").count == count, "\(query)")
        #expect(page.text(of: "IsTruncated") == "false")
      }
      for query in ["max-parts=x", "part-number-marker=-1", "max-parts=2147483648"] {
        try await expect(
          node, 400, "GET", "/bucket/k?uploadId=\(id)&\(query)", "Code=InvalidArgument",
          "ArgumentName=\(query.prefix { $0 != "=" })")
      }
    }
  }

  @Test func listsOfUploadsTakeWhatS3Takes() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      var ids: [String: String] = [:]
      for key in ["f/a/1", "f/a/2", "f/b"] {
        let begun = try await node.expect(200, "POST", "/bucket/\(key)?uploads").xml()
        ids[key] = begun.text(of: "UploadId")
      }
      let other = ids["f/b"] ?? ""
      for (query, keys, prefixes) in [
        ("max-uploads=0", [], []), ("max-uploads=", ["f/a/1", "f/a/2", "f/b"], []),
        ("max-uploads=5000&upload-id-marker=", ["f/a/1", "f/a/2", "f/b"], []),
        // Without a key's marker that of the upload is ignored, as S3 does.
        ("upload-id-marker=x", ["f/a/1", "f/a/2", "f/b"], []),
        ("key-marker=f/a/2&upload-id-marker=", ["f/b"], []),
        ("key-marker=f/b&upload-id-marker=\(other)", [], []),
        ("prefix=f/&delimiter=/", ["f/b"], ["f/a/"]),
        ("prefix=f/&delimiter=/&key-marker=f/a/", ["f/b"], []),
        ("prefix=f/&delimiter=/&key-marker=f/a/1", ["f/b"], []),
      ] as [(String, [String], [String])] {
        let page = try await node.expect(200, "GET", "/bucket?uploads&\(query)").xml()
        let found = page.children(named: "Upload").compactMap { $0.text(of: "Key") }
        #expect(found == keys, "\(query)")
        let groups = page.children(named: "CommonPrefixes").compactMap { $0.text(of: "Prefix") }
        #expect(groups == prefixes, "\(query)")
        #expect(page.text(of: "IsTruncated") == "false", "\(query)")
      }
      let ignored = try await node.expect(200, "GET", "/bucket?uploads&upload-id-marker=x").xml()
      #expect(ignored.text(of: "UploadIdMarker") == "")
    }
  }
}
