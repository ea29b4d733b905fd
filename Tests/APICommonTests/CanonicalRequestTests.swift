import APICommon
import Base
import HTTP
import Testing

/// The parts of a canonical request that a signer of our own would get wrong in the same way as we do.
@Suite struct CanonicalRequestTests {
  private func names(_ text: String) -> SignedHeaderNames? {
    Array(text.utf8).withUnsafeBytes { SignedHeaderNames($0) }
  }

  @Test(
    arguments: [
      ("a b", "a b"), ("a  b", "a b"), ("a \t b", "a b"), ("a\tb", "a b"), ("a   b  c", "a b c"),
      ("", ""), ("a", "a"),
    ])
  func aRunOfWhiteSpaceIsSignedAsOneSpace(_ row: (value: String, signed: String)) throws {
    let request = CanonicalRequest.make(
      method: "GET", target: RequestTarget(path: Array("/".utf8)),
      headers: ["x-amz-meta-a": row.value, "x-amz-meta-b": "other"],
      signedHeaders: try #require(names("x-amz-meta-a")), payloadHash: Array("hash".utf8))
    #expect(
      String(decoding: request, as: UTF8.self)
        == "GET\n/\n\nx-amz-meta-a:\(row.signed)\n\nx-amz-meta-a\nhash")
  }

  @Test func aHeaderThatComesTwiceIsSignedAsAList() throws {
    let request = CanonicalRequest.make(
      method: "GET", target: RequestTarget(path: Array("/".utf8)),
      headers: ["x-amz-meta-a": "1", "host": "h", "x-amz-meta-a": "2"],
      signedHeaders: try #require(names("host;x-amz-meta-a")), payloadHash: [])
    #expect(
      String(decoding: request, as: UTF8.self)
        == "GET\n/\n\nhost:h\nx-amz-meta-a:1,2\n\nhost;x-amz-meta-a\n")
  }

  @Test(arguments: ["", ";", "host;", ";host", "a;;b", "host;host", "host;hosts;host", "a;A"])
  func namesThatAreEmptyOrComeTwiceAreRefused(text: String) {
    #expect(names(text) == nil)
  }

  @Test(arguments: ["host", "host;hosts", "hosts;host", "a;b;c"])
  func namesThatDifferAreTaken(text: String) {
    #expect(names(text).map { String(decoding: $0.text, as: UTF8.self) } == text)
  }
}
