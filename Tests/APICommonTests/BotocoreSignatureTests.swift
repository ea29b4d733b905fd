// Requests signed by botocore 1.43.11 with the documentation's key and time: names and values that are hard to
// escape, which the documentation's examples leave out.

import APICommon
import HTTP
import Testing

@Suite struct BotocoreSignatureTests {
  private static let path = "/bucket/a%20b%2Bc%25d//e/../f%28%C3%A9%29%27%21%2A~"

  private func head(
    _ method: String, _ target: String, signedHeaders: String, signature: String,
    _ headers: HTTPHeaders
  ) -> HTTPRequestHead {
    var headers = headers
    headers.append("Host", "localhost:3900")
    headers.append("X-Amz-Date", "20130524T000000Z")
    headers.append(
      "Authorization",
      "AWS4-HMAC-SHA256 Credential=\(AWSExamples.scope), SignedHeaders=\(signedHeaders), "
        + "Signature=\(signature)")
    return HTTPRequestHead(method: method, target: target, headers: headers)
  }

  @Test func acceptsAKeyThatIsHardToEscape() throws {
    _ = try verifyExample(
      head(
        "PUT", Self.path,
        signedHeaders: "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-meta-note",
        signature: "9f224d678590543279f55094670d356c79ddfc1778d8dd8cd9314e4817240c40",
        [
          "x-amz-meta-note": "  two   words ", "Content-Type": "text/plain",
          "X-Amz-Content-SHA256":
            "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        ]))
  }

  @Test func acceptsAQueryWithPlusForSpace() throws {
    _ = try verifyExample(
      head(
        "GET",
        "/bucket?list-type=2&prefix=a+b%2F%2B%C3%A9&delimiter=%2F"
          + "&continuation-token=aGVsbG8%2B%2Fw%3D%3D",
        signedHeaders: "host;x-amz-content-sha256;x-amz-date",
        signature: "2dddfc9246c8844992c9587e0ff08db4b9419d79a639278bee87ff9bc1547966",
        ["X-Amz-Content-SHA256": AWSExamples.emptySHA256]))
  }

  @Test func acceptsAPresignedURLWithOtherParameters() throws {
    _ = try verifyExample(
      HTTPRequestHead(
        method: "GET",
        target: Self.path
          + "?response-content-disposition=attachment%3B%20filename%3D%22a%20b.txt%22"
          + "&X-Amz-Algorithm=AWS4-HMAC-SHA256"
          + "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
          + "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host"
          + "&X-Amz-Signature=38a40006e5e2941d2eca9199bb1e831f7a3f92170a8a545711eedf61f2417889",
        headers: ["Host": "localhost:3900"]))
  }
}
