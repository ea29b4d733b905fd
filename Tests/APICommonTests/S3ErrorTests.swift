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
    #expect(code.usualMessage.contains { $0.isLetter })
    #expect(!code.usualMessage.contains { $0.isNewline })
  }

  /// Programs compare these, letter by letter.
  @Test(arguments: [
    (S3ErrorCode.noSuchBucket, "The specified bucket does not exist"),
    (.noSuchKey, "The specified key does not exist."),
    (.preconditionFailed, "At least one of the pre-conditions you specified did not hold"),
    (
      .bucketAlreadyOwnedByYou,
      "Your previous request to create the named bucket succeeded and you already own it."
    ),
    (.bucketNotEmpty, "The bucket you tried to delete is not empty"),
    (.invalidRange, "The requested range is not satisfiable"),
    (
      .noSuchUpload,
      "The specified upload does not exist. The upload ID may be invalid, or the upload may have "
        + "been aborted or completed."
    ),
    (
      .malformedXML,
      "The XML you provided was not well-formed or did not validate against our published schema"
    ),
  ])
  func theSentencesAreThoseOfS3(code: S3ErrorCode, sentence: String) {
    #expect(code.usualMessage == sentence)
  }

  @Test func aDetailIsWhatWasThrownFirst() {
    var error = S3Error(.noSuchKey, details: [S3Error.Detail("Key", "source")])
    error.note("Key", "target")
    error.note("BucketName", "b")
    error.note("UploadId", nil)
    #expect(error.details.map { "\($0.name)=\($0.value)" } == ["Key=source", "BucketName=b"])
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
