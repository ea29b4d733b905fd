import APICommon
import HTTP
import Model
import Testing

@Suite struct S3ErrorTests {
  @Test func rendersTheDocumentOfS3() {
    let error = S3Error(
      .noSuchKey, "No <such> key.", details: [S3Error.Detail("Key", "a&b")])
    #expect(
      String(decoding: error.document(resource: "/b/a&b", requestID: "0123"), as: UTF8.self)
        == """
        <?xml version="1.0" encoding="UTF-8"?>
        <Error><Code>NoSuchKey</Code><Message>No &lt;such&gt; key.</Message><Key>a&amp;b</Key>\
        <Resource>/b/a&amp;b</Resource><RequestId>0123</RequestId></Error>
        """)
  }

  @Test(arguments: S3ErrorCode.allCases)
  func everyCodeHasAStatusAndASentence(code: S3ErrorCode) {
    #expect((300..<600).contains(code.status))
    #expect(code.usualMessage.hasSuffix("."))
  }

  @Test func whatIsNotForeseenTellsTheClientNothing() {
    struct Secret: Error { let path = "/var/lib/grange" }
    let error = S3Error(answering: Secret())
    #expect(error.code == .internalError)
    #expect(!error.message.contains("/var"))
  }

  @Test(arguments: [
    (ModelError.noSuchBucket, 404), (.bucketNotEmpty, 409), (.storageFull(reason: "x"), 507),
    (.quorumUnavailable(reason: "x"), 503), (.corrupt(reason: "x"), 500), (.keyTooLong, 400),
  ])
  func failuresOfTheModelHaveTheStatusOfS3(error: ModelError, status: Int) {
    #expect(S3Error(answering: error).status == status)
  }

  @Test(arguments: ["/%", "/%zz", "/a?b=%", "/?" + String(repeating: "a&", count: 101)])
  func brokenTargetsAreInvalidURIs(target: String) {
    #expect(
      s3Code { _ = try RequestTarget(HTTPRequestHead(method: "GET", target: target)) }
        == .invalidURI)
  }
}
