import APICommon
import Base
import Codecs
import Crypto
import HTTP
import Testing

@Suite struct SignatureVerifierTests {
  @Test(arguments: [
    AWSExamples.getObject, AWSExamples.putObject, AWSExamples.getLifecycle,
    AWSExamples.listObjects, AWSExamples.presigned, AWSExamples.streaming,
    AWSExamples.streamingTrailer,
  ])
  func acceptsTheExamplesOfTheDocumentation(head: HTTPRequestHead) throws {
    _ = try verifyExample(head)
  }

  @Test func refusesAnotherSecretMethodPathQueryAndHeader() {
    let good = AWSExamples.getObject
    #expect(code { try verifyExample(good, secret: "x") } == .signatureDoesNotMatch)
    var headers = good.headers
    headers.set("range", "bytes=0-10")
    for changed in [
      HTTPRequestHead(method: "PUT", target: good.target, headers: good.headers),
      HTTPRequestHead(method: "GET", target: "/Test.txt", headers: good.headers),
      HTTPRequestHead(method: "GET", target: "/test.txt?acl", headers: good.headers),
      HTTPRequestHead(method: "GET", target: good.target, headers: headers),
    ] {
      #expect(code { try verifyExample(changed) } == .signatureDoesNotMatch)
    }
  }

  @Test func doesNotCareHowThePathIsEscaped() throws {
    _ = try verifyExample(
      HTTPRequestHead(
        method: "PUT", target: "/%74est%24file.text", headers: AWSExamples.putObject.headers))
  }

  @Test func refusesHeadersThatAreNotSigned() {
    var headers = AWSExamples.getObject.headers
    headers.append("x-amz-meta-a", "b")
    let head = HTTPRequestHead(method: "GET", target: "/test.txt", headers: headers)
    #expect(code { try verifyExample(head) } == .accessDenied)
  }

  @Test func namesTheRightRegion() throws {
    let head = AWSExamples.getObject
    let target = try RequestTarget(head)
    let claim = try #require(try SignatureClaim.read(head, target))
    let error = #expect(throws: S3Error.self) {
      try SignatureVerifier(region: "grange").check(claim, head, target, now: AWSExamples.time)
    }
    #expect(error?.code == .authorizationHeaderMalformed)
    #expect(error?.details.contains { "\($0.name)" == "Region" && $0.value == "grange" } == true)
  }

  @Test(arguments: [-900, 0, 900])
  func acceptsClocksWithinFifteenMinutes(seconds: Int64) throws {
    _ = try verifyExample(AWSExamples.getObject, now: later(seconds))
  }

  @Test(arguments: [-901, 901])
  func refusesClocksFurtherAway(seconds: Int64) {
    #expect(
      code { try verifyExample(AWSExamples.getObject, now: later(seconds)) }
        == .requestTimeTooSkewed)
  }

  @Test func aPresignedURLIsGoodUntilItExpires() throws {
    _ = try verifyExample(AWSExamples.presigned, now: later(86_400))
    #expect(
      code { try verifyExample(AWSExamples.presigned, now: later(86_401)) } == .accessDenied)
    #expect(code { try verifyExample(AWSExamples.presigned, now: later(-901)) } == .accessDenied)
  }

  @Test(arguments: ["0", "604801", "-1", "%2B60", "+60", "", "abc", "99999999999999999999"])
  func refusesExpiryOutOfBounds(expiry: String) {
    let target = AWSExamples.presigned.target
    guard let range = target.firstRange(of: "Expires=86400") else { return }
    let head = HTTPRequestHead(
      method: "GET", target: target.replacing(target[range], with: "Expires=\(expiry)"),
      headers: AWSExamples.presigned.headers)
    #expect(code { try verifyExample(head) } == .authorizationQueryParametersError)
  }

  @Test(arguments: [
    ("AWS AKIA:abc", S3ErrorCode.invalidRequest),
    ("AWS4-HMAC-SHA256", .invalidRequest),
    ("", .invalidRequest),
    ("AWS4-HMAC-SHA256 Credential", .authorizationHeaderMalformed),
    ("AWS4-HMAC-SHA256 Credential=a/b/c/d/e,SignedHeaders=host", .authorizationHeaderMalformed),
    (
      "AWS4-HMAC-SHA256 Credential=\(AWSExamples.scope),SignedHeaders=host,Signature=abc",
      .authorizationHeaderMalformed
    ),
    (
      "AWS4-HMAC-SHA256 Credential=a/20130523/us-east-1/s3/aws4_request,SignedHeaders=host,"
        + "Signature=\(AWSExamples.emptySHA256)", .authorizationHeaderMalformed
    ),
    (authorization(signedHeaders: "host;x-amz-date;Host"), .authorizationHeaderMalformed),
    (authorization(signedHeaders: "host,SignedHeaders=host"), .authorizationHeaderMalformed),
    (
      authorization(signedHeaders: "host" + (0..<128).map { ";x\($0)" }.joined()),
      .authorizationHeaderMalformed
    ),
  ])
  func refusesMalformedAuthorization(value: String, expected: S3ErrorCode) {
    var headers = AWSExamples.getObject.headers
    headers.set("authorization", value)
    let head = HTTPRequestHead(method: "GET", target: "/test.txt", headers: headers)
    #expect(code { try verifyExample(head) } == expected)
  }

  private static func authorization(signedHeaders: String) -> String {
    "AWS4-HMAC-SHA256 Credential=\(AWSExamples.scope),SignedHeaders=\(signedHeaders),"
      + "Signature=\(AWSExamples.emptySHA256)"
  }

  @Test func theCanonicalRequestThatIsShownIsBounded() throws {
    var headers = AWSExamples.getObject.headers
    headers.set("range", String(repeating: "a", count: 20_000))
    let head = HTTPRequestHead(method: "GET", target: "/test.txt", headers: headers)
    let error = #expect(throws: S3Error.self) { try verifyExample(head) }
    let shown = try #require(error?.details.first { "\($0.name)" == "CanonicalRequest" })
    #expect(shown.value.hasPrefix("GET\n/test.txt\n"))
    #expect(shown.value.utf8.count == 8192)
  }

  /// One of the two would be checked, and the other could be obeyed, here or behind us.
  @Test(arguments: [
    ("Authorization", S3ErrorCode.invalidRequest), ("X-Amz-Date", .invalidRequest),
    ("x-amz-content-sha256", .invalidRequest), ("Date", .invalidRequest),
    ("X-Amz-Copy-Source", .invalidRequest),
  ])
  func refusesARepeatedHeader(name: String, expected: S3ErrorCode) {
    var headers = AWSExamples.getObject.headers
    if !headers.contains(name) { headers.append(name, "a") }
    headers.append(name, headers[name] ?? "")
    let head = HTTPRequestHead(method: "GET", target: "/test.txt", headers: headers)
    #expect(code { try verifyExample(head) } == expected)
  }

  @Test func takesAListInSeveralFields() throws {
    for name in ["x-amz-meta-a", "x-amz-object-attributes"] {
      let head = HTTPRequestHead(
        method: "GET", target: "/b/k", headers: ["Host": "h", name: "a", name: "b"])
      #expect(try SignatureClaim.read(head, RequestTarget(head)) == nil)
    }
  }

  @Test(arguments: [
    "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders",
    "X-Amz-Signature",
  ])
  func refusesARepeatedSigningParameter(name: String) {
    for addition in ["&\(name)=", "&%58\(name.dropFirst())=20130524"] {
      let head = HTTPRequestHead(
        method: "GET", target: AWSExamples.presigned.target + addition,
        headers: AWSExamples.presigned.headers)
      #expect(code { try verifyExample(head) } == .authorizationQueryParametersError)
    }
  }

  @Test func refusesTwoSignatures() {
    var headers = AWSExamples.presigned.headers
    headers.append("Authorization", AWSExamples.getObject.headers["authorization"] ?? "")
    let head = HTTPRequestHead(
      method: "GET", target: AWSExamples.presigned.target, headers: headers)
    #expect(code { try verifyExample(head) } == .invalidArgument)
  }

  @Test func signaturesOfVersionTwoAreNamed() {
    let head = HTTPRequestHead(
      method: "GET", target: "/b/k?AWSAccessKeyId=a&Signature=b&Expires=1", headers: ["Host": "h"])
    #expect(s3Code { _ = try SignatureClaim.read(head, RequestTarget(head)) } == .invalidRequest)
  }

  @Test func aRequestWithoutSignatureIsAnonymous() throws {
    let head = HTTPRequestHead(method: "GET", target: "/b/k?uploads", headers: ["Host": "h"])
    #expect(try SignatureClaim.read(head, RequestTarget(head)) == nil)
  }

  private func later(_ seconds: Int64) -> WallTime {
    WallTime(milliseconds: AWSExamples.time.milliseconds + seconds * 1000)
  }

  private func code(_ body: () throws -> VerifiedSignature) -> S3ErrorCode? {
    s3Code { _ = try body() }
  }
}

@Suite struct RequestSignerTests {
  private let signer = RequestSigner(
    accessKeyID: AWSExamples.accessKeyID, secret: AWSExamples.secret, region: AWSExamples.region)

  @Test func signsAsTheDocumentationDoes() throws {
    var headers: HTTPHeaders = ["Host": "examplebucket.s3.amazonaws.com", "Range": "bytes=0-9"]
    signer.sign(
      method: "GET", target: RequestTarget(path: Array("/test.txt".utf8)), headers: &headers,
      payloadHash: AWSExamples.emptySHA256, at: AWSExamples.time)
    #expect(headers["authorization"] == AWSExamples.getObject.headers["authorization"])
  }

  @Test func presignsAsTheDocumentationDoes() {
    let target = signer.presign(
      method: "GET", target: RequestTarget(path: Array("/test.txt".utf8)),
      headers: ["Host": "examplebucket.s3.amazonaws.com"], expirySeconds: 86_400,
      at: AWSExamples.time)
    #expect(target == AWSExamples.presigned.target)
  }

  @Test(arguments: [
    "/b/a b+c%d//e/../f", "/b/\u{1F600}é", "/b/'()*!$&,;=:@?#[]", "/b/ ", "/b/\u{1}\u{7F}",
  ])
  func theVerifierAcceptsEveryKey(path: String) throws {
    let target = RequestTarget(
      path: Array(path.utf8),
      query: [FormField("b", "2"), FormField("a", " +%"), FormField("a", "")])
    let url = signer.presign(
      method: "DELETE", target: target, headers: ["Host": "h:3900"], expirySeconds: 1,
      at: AWSExamples.time)
    let head = HTTPRequestHead(method: "DELETE", target: url, headers: ["Host": "h:3900"])
    #expect(try RequestTarget(head).path == target.path)
    _ = try verifyExample(head)
  }
}

@Suite struct SigningKeyCacheTests {
  @Test func aNewSecretOfTheSameKeyReplacesTheOldOne() {
    let cache = SigningKeyCache()
    let scope = CredentialScope(accessKeyID: "a", day: "20261121", region: "r", service: "s3")
    let first = cache.key(scope, secret: "one")
    #expect(cache.key(scope, secret: "one") === first)
    #expect(cache.key(scope, secret: "two").sign([]) != first.sign([]))
  }
}
