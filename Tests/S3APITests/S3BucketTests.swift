import Codecs
import HTTP
import Testing

@Suite struct S3BucketTests {
  @Test func bucketsAreCreatedListedAndDeleted() throws {
    try SimulatedS3.run { node in
      let created = try await node.expect(200, "PUT", "/bucket-1")
      #expect(created.headers["location"] == "/bucket-1")
      #expect(try await node.expect(409, "PUT", "/bucket-1").code == "BucketAlreadyOwnedByYou")
      #expect(try await node.expect(400, "PUT", "/NO").code == "InvalidBucketName")
      try await node.expect(200, "PUT", "/bucket-2")
      let list = try await node.expect(200, "GET", "/").xml()
      let names = list.child("Buckets")?.children(named: "Bucket").map { $0.text(of: "Name") }
      #expect(names == ["bucket-1", "bucket-2"])
      try await node.expect(200, "HEAD", "/bucket-1")
      try await node.expect(200, "PUT", "/bucket-1/k", body: [1])
      #expect(try await node.expect(409, "DELETE", "/bucket-1").code == "BucketNotEmpty")
      try await node.expect(204, "DELETE", "/bucket-1/k")
      try await node.expect(204, "DELETE", "/bucket-1")
      #expect(try await node.expect(404, "GET", "/bucket-1").code == "NoSuchBucket")
      try await node.expect(404, "HEAD", "/bucket-1")
    }
  }

  @Test func theLocationIsTheRegion() throws {
    try SimulatedS3.run { node in
      let configuration = { (region: String) in
        Array(
          ("<CreateBucketConfiguration><LocationConstraint>\(region)</LocationConstraint>"
            + "</CreateBucketConfiguration>").utf8)
      }
      try await node.expect(200, "PUT", "/bucket", body: configuration("grange"))
      let elsewhere = try await node.expect(400, "PUT", "/other", body: configuration("mars"))
      #expect(elsewhere.code == "IllegalLocationConstraintException")
      let broken = try await node.expect(400, "PUT", "/other", body: Array("<x".utf8))
      #expect(broken.code == "MalformedXML")
      let location = try await node.expect(200, "GET", "/bucket?location").xml()
      #expect(location.name == "LocationConstraint")
      #expect(location.text == "grange")
    }
  }

  /// S3's first region is older than regions.
  @Test func theFirstRegionHasNoName() throws {
    try SimulatedS3.run(region: "us-east-1") { node in
      let signing = SimulatedS3.Signing(region: "us-east-1")
      for _ in 1...2 {
        let created = try await node.send("PUT", "/bucket", signing: signing)
        #expect(created.status == 200)
        #expect(created.headers["location"] == "/bucket")
      }
      let named = Array(
        ("<CreateBucketConfiguration><LocationConstraint>us-east-1</LocationConstraint>"
          + "</CreateBucketConfiguration>").utf8)
      let refused = try await node.send("PUT", "/other", body: named, signing: signing)
      #expect(refused.status == 400 && refused.code == "InvalidLocationConstraint")
      #expect(try refused.xml().text(of: "LocationConstraint") == "us-east-1")
      let location = try await node.send("GET", "/bucket?location", signing: signing)
      #expect(try location.xml().text == "")
    }
  }

  @Test func listingBucketsHasLimits() throws {
    try SimulatedS3.run { node in
      for name in ["bucket-1", "bucket-2"] { try await node.expect(200, "PUT", "/\(name)") }
      func names(_ query: String) async throws -> [String] {
        let list = try await node.expect(200, "GET", "/?" + query).xml()
        return list.child("Buckets")?.children(named: "Bucket").compactMap {
          $0.text(of: "Name")
        } ?? []
      }
      #expect(try await names("max-buckets=1") == ["bucket-1"])
      #expect(try await names("max-buckets=1&continuation-token=bucket-1") == ["bucket-2"])
      #expect(try await names("continuation-token=&max-buckets=") == ["bucket-1", "bucket-2"])
      #expect(try await names("bucket-region=&max-buckets=10000") == ["bucket-1", "bucket-2"])
      #expect(try await names("bucket-region=grange") == ["bucket-1", "bucket-2"])
      #expect(try await names("bucket-region=eu-west-1") == [])
      for limit in ["0", "10001", "x", "-1"] {
        let refused = try await node.expect(400, "GET", "/?max-buckets=\(limit)").xml()
        #expect(refused.text(of: "Code") == "InvalidArgument")
        #expect(refused.text(of: "ArgumentName") == "max-buckets")
        #expect(refused.text(of: "ArgumentValue") == limit)
      }
    }
  }

  @Test func clientsThatAskForVersioningAndRightsGetAnswers() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      try await node.expect(200, "PUT", "/bucket/k", body: [1])
      let versioning = try await node.expect(200, "GET", "/bucket?versioning").xml()
      #expect(versioning.name == "VersioningConfiguration")
      #expect(versioning.child("Status") == nil)
      for target in ["/bucket?acl", "/bucket/k?acl"] {
        let acl = try await node.expect(200, "GET", target).xml()
        let grants = acl.child("AccessControlList")?.children(named: "Grant") ?? []
        #expect(grants.map { $0.text(of: "Permission") } == ["FULL_CONTROL"])
        #expect(
          grants.first?.child("Grantee")?.text(of: "ID") == acl.child("Owner")?.text(of: "ID"))
      }
      #expect(try await node.expect(404, "GET", "/bucket/none?acl").code == "NoSuchKey")
      #expect(try await node.expect(404, "GET", "/none?acl").code == "NoSuchBucket")
    }
  }

  @Test func virtualHostsAreBuckets() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      let put = try await node.send("PUT", "/k", body: [7], host: "bucket.s3.test:3900")
      #expect(put.status == 200)
      #expect(try await node.expect(200, "GET", "/bucket/k").body == [7])
      let list = try await node.send("GET", "/?list-type=2", host: "bucket.s3.test")
      #expect(try list.xml().text(of: "KeyCount") == "1")
    }
  }

  @Test func whatIsNotThereYetIs501() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      for (method, target) in [
        ("PUT", "/bucket?acl"), ("PUT", "/bucket?policy"), ("PUT", "/bucket?lifecycle"),
        ("PUT", "/bucket?versioning"), ("PUT", "/bucket/k?tagging"), ("POST", "/bucket/k"),
      ] {
        #expect(try await node.expect(501, method, target).code == "NotImplemented")
      }
      try await node.expect(200, "HEAD", "/bucket")
    }
  }
}
