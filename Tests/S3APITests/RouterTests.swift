import APICommon
import Codecs
import HTTP
import S3API
import Testing

@Suite struct RouterTests {
  private static let service = RequestAddress()
  private static let bucket = RequestAddress(bucket: "b")
  private static let object = RequestAddress(bucket: "b", key: Array("k".utf8))

  private func route(
    _ method: String, _ address: RequestAddress, _ query: String
  ) throws -> S3Operation {
    let target = try RequestTarget(HTTPRequestHead(method: method, target: "/?\(query)"))
    return try Router.route(method, address, target)
  }

  @Test(
    arguments: [
      ("GET", service, "", S3Operation.listBuckets),
      ("GET", service, "x-id=ListBuckets", .listBuckets),
      ("GET", bucket, "", .listObjects),
      ("GET", bucket, "prefix=a&marker=acl", .listObjects),
      ("GET", bucket, "list-type=2&prefix=uploads", .listObjectsV2),
      ("GET", bucket, "location", .getBucketLocation),
      ("GET", bucket, "location=", .getBucketLocation),
      ("GET", bucket, "uploads", .listMultipartUploads),
      ("GET", bucket, "acl", .getBucketACL),
      ("GET", bucket, "versioning", .getBucketVersioning),
      ("GET", bucket, "versions&prefix=a", .listObjectVersions),
      ("GET", bucket, "policy", .getBucketPolicy),
      ("DELETE", bucket, "policy", .deleteBucketPolicy),
      ("GET", bucket, "lifecycle&id=a", .getBucketLifecycleConfiguration),
      (
        "GET", bucket, "metrics&x-id=ListBucketMetricsConfigurations",
        .listBucketMetricsConfigurations
      ),
      ("GET", bucket, "metrics&id=a", .getBucketMetricsConfiguration),
      ("DELETE", bucket, "metrics&id=a", .deleteBucketMetricsConfiguration),
      ("HEAD", bucket, "", .headBucket),
      ("PUT", bucket, "", .createBucket),
      ("DELETE", bucket, "", .deleteBucket),
      ("POST", bucket, "delete", .deleteObjects),
      ("GET", object, "", .getObject),
      ("GET", object, "response-content-type=a", .getObject),
      ("GET", object, "versionId=null", .getObject),
      ("GET", object, "partNumber=2", .getObject),
      ("GET", object, "acl", .getObjectACL),
      ("GET", object, "attributes&versionId=null", .getObjectAttributes),
      ("GET", object, "tagging", .getObjectTagging),
      ("GET", object, "retention", .getObjectRetention),
      ("GET", object, "legal-hold&versionId=null", .getObjectLegalHold),
      ("DELETE", object, "tagging", .deleteObjectTagging),
      ("HEAD", object, "", .headObject),
      ("PUT", object, "x-id=PutObject", .putObject),
      ("DELETE", object, "", .deleteObject),
      ("POST", object, "uploads", .createMultipartUpload),
      ("PUT", object, "uploadId=a&partNumber=1", .uploadPart),
      ("POST", object, "uploadId=a", .completeMultipartUpload),
      ("DELETE", object, "uploadId=a", .abortMultipartUpload),
      ("GET", object, "uploadId=a&max-parts=1", .listParts),
    ] as [(String, RequestAddress, String, S3Operation)])
  func findsTheOperation(
    _ row: (method: String, address: RequestAddress, query: String, operation: S3Operation)
  ) throws {
    #expect(try route(row.method, row.address, row.query) == row.operation)
  }

  /// To overlook the parameter would do something else, and something worse.
  @Test(
    arguments: [
      ("PUT", bucket, "policy"), ("DELETE", bucket, "policy&lifecycle"), ("PUT", bucket, "acl"),
      ("DELETE", bucket, "logging"), ("DELETE", bucket, "metrics"), ("GET", bucket, "retention"),
      ("HEAD", bucket, "policy"), ("GET", object, "policy"), ("DELETE", object, "retention"),
      ("DELETE", object, "annotation&annotationName=a"), ("PUT", object, "annotation"),
      ("PUT", bucket, "metadataAnnotationTable"), ("GET", object, "torrent"),
      ("PUT", bucket, "versioning"), ("GET", bucket, "versions&acl"), ("HEAD", bucket, "acl"),
      ("PUT", object, "tagging"), ("PUT", bucket, "tagging"),
      ("DELETE", object, "versionId=abc"),
      ("GET", object, "versionId=abc"), ("PUT", object, "acl"), ("PUT", object, "uploadId=a"),
      ("POST", object, "restore"), ("POST", object, ""),
      ("POST", bucket, ""), ("OPTIONS", object, ""), ("PUT", service, ""),
      ("DELETE", object, "uploadId=a&acl"),
    ] as [(String, RequestAddress, String)])
  func whatIsNotImplementedIs501(_ row: (method: String, address: RequestAddress, query: String)) {
    let error = #expect(throws: S3Error.self) {
      try route(row.method, row.address, row.query)
    }
    #expect(error?.code == .notImplemented)
  }

  @Test func otherMethodsAndListTypesAreRefused() {
    #expect(throws: S3Error.self) { try route("BREW", Self.object, "") }
    for query in ["list-type=3", "list-type=1", "list-type=", "list-type"] {
      let error = #expect(throws: S3Error.self) { try route("GET", Self.bucket, query) }
      #expect(error?.code == .invalidArgument)
      #expect(error?.details.first?.value == "list-type")
    }
  }

  @Test(
    arguments: [
      ("GET", "uploads", S3ErrorCode.invalidRequest), ("GET", "versions", .invalidRequest),
      ("PUT", "partNumber=1", .invalidArgument), ("GET", "versionId=", .invalidArgument),
      ("DELETE", "versionId", .invalidArgument),
    ])
  func whatIsMixedUpIsSaid(method: String, query: String, code: S3ErrorCode) {
    let error = #expect(throws: S3Error.self) { try route(method, Self.object, query) }
    #expect(error?.code == code)
  }

  /// Conditions are refused of whatever changes something (`refuseWhatIsNotImplemented`).
  @Test func writesAreWhatIsNoReadByItsName() {
    let unset = Set(UnsetConfiguration.operations)
    for operation in S3Operation.allCases where !unset.contains(operation) {
      let isRead = ["Get", "Head", "List"].contains { operation.rawValue.hasPrefix($0) }
      #expect(operation.isWrite == !isRead, "\(operation)")
    }
  }

  @Test(arguments: [
    ("if-none-match", "*", S3Operation.putObject, true),
    ("if-match", "a", .completeMultipartUpload, true),
    ("if-match", "a", .deleteObject, true),
    ("if-none-match", "a", .getObject, false),
    ("x-amz-copy-source-server-side-encryption-customer-key", "k", .copyObject, true),
    ("x-amz-copy-source-range", "bytes=0-1", .uploadPartCopy, false),
    ("x-amz-server-side-encryption-customer-key", "k", .getObject, true),
    ("x-amz-tagging", "a=b", .putObject, true),
    ("x-amz-tagging-directive", "COPY", .copyObject, false),
    ("x-amz-bucket-object-lock-enabled", "true", .createBucket, true),
    ("x-amz-bucket-object-lock-enabled", "false", .createBucket, false),
    ("x-amz-acl", "private", .putObject, false),
    ("x-amz-grant-read", "id=a", .putObject, true),
    ("x-amz-meta-copy-source", "a", .putObject, false),
    ("x-amz-checksum-sha512", "AAAA", .putObject, true),
    ("X-Amz-Checksum-MD5", "AAAA", .uploadPart, true),
    ("x-amz-checksum-crc64nvme", "AAAA", .putObject, false),
    ("x-amz-checksum-mode", "ENABLED", .getObject, false),
  ])
  func headersThatChangeTheMeaningAreNotIgnored(
    name: String, value: String, operation: S3Operation, isRefused: Bool
  ) {
    var headers = HTTPHeaders()
    headers.append(name, value)
    var code: S3ErrorCode?
    do {
      try Router.refuseWhatIsNotImplemented(operation, headers)
    } catch {
      code = error.code
    }
    #expect(code == (isRefused ? .notImplemented : nil))
  }
}

@Suite struct RequestAddressTests {
  private func address(_ path: String, host: String? = nil, root: String = "") throws
    -> RequestAddress
  {
    let target = try RequestTarget(HTTPRequestHead(method: "GET", target: path))
    return try RequestAddress(target, host: host, rootDomain: RootDomain(root))
  }

  @Test(
    arguments: [
      ("/", nil, nil), ("/b", "b", nil), ("/b/", "b", nil), ("/b/k", "b", "k"),
      ("/b//k/", "b", "/k/"),
      ("/b/../k", "b", "../k"), ("/b/a%2Fb%20c+d", "b", "a/b c+d"), ("/b?k", "b", nil),
    ] as [(String, String?, String?)])
  func takesPathStyleApart(_ row: (path: String, bucket: String?, key: String?)) throws {
    let expected = RequestAddress(bucket: row.bucket, key: row.key.map { Array($0.utf8) })
    #expect(try address(row.path) == expected)
    #expect(try address(row.path, host: "s3.example.org:3900", root: ".s3.example.org") == expected)
    #expect(try address(row.path, host: "[::1]:3900", root: "s3.example.org") == expected)
  }

  @Test(arguments: [
    ("b.s3.example.org", "b"), ("B.S3.Example.Org:3900", "b"), ("a.b.s3.example.org", "a.b"),
    ("b.s3.example.org.", "b"),
  ])
  func takesVirtualHostStyleApart(host: String, bucket: String) throws {
    for root in [".s3.example.org", "s3.example.org", ".S3.example.org"] {
      #expect(
        try address("//k", host: host, root: root)
          == RequestAddress(bucket: bucket, key: Array("/k".utf8)))
      #expect(try address("/", host: host, root: root) == RequestAddress(bucket: bucket))
    }
  }

  @Test(arguments: ["xs3.example.org", "example.org", "b.s3.example.com", ""])
  func otherHostsAreNoBuckets(host: String) throws {
    #expect(
      try address("/b/k", host: host, root: ".s3.example.org")
        == RequestAddress(bucket: "b", key: Array("k".utf8)))
  }

  @Test(arguments: ["//k", "/%FF/k"])
  func refusesBucketsThatCannotBe(path: String) {
    #expect(throws: S3Error.self) { try address(path) }
  }
}
