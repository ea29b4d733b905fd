import Base
import Codecs
import HTTP
import Testing

@Suite struct S3ListingTests {
  /// In the order of their bytes.
  private static let keys = [
    "a", "b/1", "b/2", "b/c/3", "b/c/4", "c d", "d\u{1}e", "z/", "é/x",
  ]
  private static let rolledUp = ["a", "b/", "c d", "d\u{1}e", "z/", "é/"]

  @Test(arguments: [1, 2, 3, 1000], ["", "/"])
  func pagesTogetherAreTheListing(limit: Int, delimiter: String) throws {
    try SimulatedS3.run { node in
      try await Self.fill(node)
      for version in [1, 2] {
        var found: [String] = []
        var position: String?
        repeat {
          let query = Self.query(version, limit: limit, delimiter: delimiter, position)
          let page = try await node.expect(200, "GET", "/bucket?" + query).xml()
          let names = try Self.names(page)
          #expect(names.count <= limit)
          found += names
          position =
            version == 1
            ? try Self.nextMarker(page, delimiter)
            : page.text(of: "NextContinuationToken")
          #expect((page.text(of: "IsTruncated") == "true") == (position != nil))
        } while position != nil && found.count < 100
        #expect(found == (delimiter.isEmpty ? Self.keys : Self.rolledUp))
      }
    }
  }

  @Test(arguments: [1, 2, 1000], ["", "/"])
  func pagesOfVersionsTogetherAreTheListing(limit: Int, delimiter: String) throws {
    try SimulatedS3.run { node in
      try await Self.fill(node)
      var found: [String] = []
      var markers: [FormField] = []
      repeat {
        let query = FormCoding.serialize(
          [
            FormField("max-keys", String(limit)), FormField("delimiter", delimiter),
            FormField("encoding-type", "url"),
          ] + markers)
        let page = try await node.expect(200, "GET", "/bucket?versions&" + query).xml()
        #expect(page.name == "ListVersionsResult")
        let versions = page.children(named: "Version")
        #expect(versions.allSatisfy { $0.text(of: "VersionId") == "null" })
        #expect(versions.allSatisfy { $0.text(of: "IsLatest") == "true" })
        found += try Self.names(page)
        markers = []
        if let key = page.text(of: "NextKeyMarker") {
          markers.append(FormField("key-marker", try Self.decode(key)))
        }
        if let version = page.text(of: "NextVersionIdMarker") {
          markers.append(FormField("version-id-marker", version))
        }
        #expect((page.text(of: "IsTruncated") == "true") == !markers.isEmpty)
      } while !markers.isEmpty && found.count < 100
      #expect(found == (delimiter.isEmpty ? Self.keys : Self.rolledUp))
    }
  }

  @Test func markersOfVersionsAreChecked() throws {
    try SimulatedS3.run { node in
      try await Self.fill(node)
      for query in ["version-id-marker=null", "key-marker=a&version-id-marker=1"] {
        let refused = try await node.expect(400, "GET", "/bucket?versions&" + query)
        #expect(refused.code == "InvalidArgument")
      }
    }
  }

  /// As in S3: named only with a delimiter, else the last key.
  private static func nextMarker(_ page: XMLElement, _ delimiter: String) throws -> String? {
    guard delimiter.isEmpty else { return try page.text(of: "NextMarker").map(decode) }
    #expect(page.child("NextMarker") == nil)
    return page.text(of: "IsTruncated") == "true" ? try names(page).last : nil
  }

  private static func query(
    _ version: Int, limit: Int, delimiter: String, _ position: String?
  ) -> String {
    var fields = [
      FormField("max-keys", String(limit)), FormField("delimiter", delimiter),
      FormField("encoding-type", "url"),
    ]
    if version == 2 { fields.append(FormField("list-type", "2")) }
    if let position {
      fields.append(FormField(version == 1 ? "marker" : "continuation-token", position))
    }
    return FormCoding.serialize(fields)
  }

  @Test(arguments: [
    ("prefix=b/&delimiter=/&list-type=2", ["b/1", "b/2", "b/c/"]),
    ("list-type=2&start-after=b/c/4&prefix=", ["c d", "d\u{1}e", "z/", "é/x"]),
    ("list-type=2&start-after=b/1&delimiter=/", ["b/", "c d", "d\u{1}e", "z/", "é/"]),
    ("list-type=2&start-after=b/&delimiter=/", ["b/", "c d", "d\u{1}e", "z/", "é/"]),
    ("marker=b/&delimiter=/", ["c d", "d\u{1}e", "z/", "é/"]),
    ("marker=b/1&delimiter=/", ["c d", "d\u{1}e", "z/", "é/"]),
    ("marker=b/c/3&delimiter=/&prefix=b/", []),
    ("marker=b/2&delimiter=/&prefix=b/", ["b/c/"]),
    ("marker=b/1&delimiter=c", ["b/2", "b/c", "c", "d\u{1}e", "z/", "é/x"]),
    ("versions&key-marker=b/1&delimiter=/", ["c d", "d\u{1}e", "z/", "é/"]),
    ("marker=b/2&max-keys=", ["b/c/3", "b/c/4", "c d", "d\u{1}e", "z/", "é/x"]),
    ("list-type=2&start-after=&fetch-owner=&prefix=z", ["z/"]),
    ("list-type=2&max-keys=0", []), ("prefix=none", []),
  ])
  func prefixAndStartAreHonoured(query: String, expected: [String]) throws {
    try SimulatedS3.run { node in
      try await Self.fill(node)
      let page = try await node.expect(200, "GET", "/bucket?encoding-type=url&" + query).xml()
      #expect(try Self.names(page) == expected)
    }
  }

  @Test func anObjectIsDescribed() throws {
    try SimulatedS3.run { node in
      try await Self.fill(node)
      let page = try await node.expect(200, "GET", "/bucket?list-type=2&prefix=c&fetch-owner=true")
      let object = try #require(try page.xml().child("Contents"))
      #expect(object.text(of: "Key") == "c d")
      #expect(object.text(of: "Size") == "1")
      #expect(object.text(of: "ETag") == "\"55a54008ad1ba589aa210d2629c1df41\"")
      #expect(object.text(of: "LastModified")?.hasSuffix(".000Z") == true)
      #expect(object.child("Owner")?.text(of: "ID") == SimulatedS3.accessKeyID)
      #expect(object.text(of: "ChecksumAlgorithm") == "CRC64NVME")
      try await node.expect(
        200, "PUT", "/bucket/sum", headers: ["x-amz-checksum-crc32": "pQXfGw=="], body: [1])
      let summed = try await node.expect(200, "GET", "/bucket?prefix=sum").xml()
      #expect(summed.child("Contents")?.text(of: "ChecksumAlgorithm") == "CRC32")
      #expect(summed.child("Contents")?.text(of: "ChecksumType") == "FULL_OBJECT")
    }
  }

  /// HEAD has whole seconds, and programs compare the two.
  @Test func datesAreToTheSecond() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      try await node.runtime.sleep(for: .milliseconds(1234))
      try await node.expect(200, "PUT", "/bucket/k", body: [1])
      let upload = try await node.expect(200, "POST", "/bucket/u?uploads").xml()
      let id = try #require(upload.text(of: "UploadId"))
      try await node.expect(200, "PUT", "/bucket/u?partNumber=1&uploadId=\(id)", body: [1])
      let source: HTTPHeaders = ["x-amz-copy-source": "bucket/k"]
      for (method, target, headers, name) in [
        ("GET", "/", HTTPHeaders(), "CreationDate"),
        ("GET", "/bucket", HTTPHeaders(), "LastModified"),
        ("GET", "/bucket?list-type=2", HTTPHeaders(), "LastModified"),
        ("GET", "/bucket?versions", HTTPHeaders(), "LastModified"),
        ("GET", "/bucket?uploads", HTTPHeaders(), "Initiated"),
        ("GET", "/bucket/u?uploadId=\(id)", HTTPHeaders(), "LastModified"),
        ("PUT", "/bucket/copy", source, "LastModified"),
        ("PUT", "/bucket/u?partNumber=2&uploadId=\(id)", source, "LastModified"),
      ] {
        let text = try await node.expect(200, method, target, headers: headers).text
        #expect(text.contains(".000Z</\(name)>"), "\(method) \(target): \(text)")
      }
    }
  }

  @Test func keysAreEncodedButTheirSlashes() throws {
    try SimulatedS3.run { node in
      try await Self.fill(node)
      let page = try await node.expect(200, "GET", "/bucket?encoding-type=url").xml()
      let keys = page.children(named: "Contents").map { $0.text(of: "Key") }
      #expect(keys == ["a", "b/1", "b/2", "b/c/3", "b/c/4", "c%20d", "d%01e", "z/", "%C3%A9/x"])
    }
  }

  @Test func badArgumentsAreRefused() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      for query in [
        "max-keys=x", "max-keys=-1", "max-keys=%2B1", "max-keys=2147483648", "encoding-type=x",
        "encoding-type=", "list-type=2&continuation-token=x", "list-type=2&continuation-token=",
        "list-type=2&continuation-token", "prefix=%FF", "list-type=1", "list-type=",
        "versions&version-id-marker=", "versions&key-marker=a&version-id-marker=",
        "versions&encoding-type=", "uploads&encoding-type=", "uploads&max-uploads=x",
        "uploads&max-uploads=-1", "uploads&key-marker=a&upload-id-marker=x",
      ] {
        let answer = try await node.expect(400, "GET", "/bucket?" + query)
        #expect(answer.code == "InvalidArgument")
        // The name of the parameter that is wrong is one of the query's.
        let name = try #require(try answer.xml().text(of: "ArgumentName"))
        #expect(query.contains(name), "\(query): \(name)")
      }
    }
  }

  private static func fill(_ node: SimulatedS3) async throws {
    try await node.expect(200, "PUT", "/bucket")
    for key in keys {
      try await node.expect(200, "PUT", "/bucket/" + PercentCoding.encode(key), body: [1])
    }
  }

  /// Keys and common prefixes, decoded, in the order of their bytes.
  private static func names(_ page: XMLElement) throws -> [String] {
    let objects = page.children(named: "Contents") + page.children(named: "Version")
    let keys = objects.compactMap { $0.text(of: "Key") }
    let prefixes = page.children(named: "CommonPrefixes").compactMap { $0.text(of: "Prefix") }
    return try (keys + prefixes).map(decode).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  private static func decode(_ text: String) throws -> String {
    String(decoding: try #require(PercentCoding.decode(text.utf8)), as: UTF8.self)
  }
}
