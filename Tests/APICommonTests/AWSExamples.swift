// The worked examples of the S3 documentation: "Signature calculations for the Authorization header",
// "Authenticating requests: query parameters", "... transferring payload in multiple chunks (including
// trailing headers)".

import APICommon
import Base
import Codecs
import HTTP

enum AWSExamples {
  static let accessKeyID = "AKIAIOSFODNN7EXAMPLE"
  static let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
  static let region = "us-east-1"
  static let scope = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"
  static let emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

  /// 2013-05-24T00:00:00Z.
  static let time = WallTime(milliseconds: 1_369_353_600_000)

  /// A request as on the page, with its Authorization header.
  static func request(
    _ method: String, _ target: String, headers: HTTPHeaders, signedHeaders: String,
    signature: String, payload: String = emptySHA256
  ) -> HTTPRequestHead {
    var all = headers
    all.append("x-amz-date", "20130524T000000Z")
    all.append("x-amz-content-sha256", payload)
    all.append(
      "Authorization",
      "AWS4-HMAC-SHA256 Credential=\(scope),SignedHeaders=\(signedHeaders),Signature=\(signature)")
    return HTTPRequestHead(method: method, target: target, headers: all)
  }

  static let getObject = request(
    "GET", "/test.txt",
    headers: ["Host": "examplebucket.s3.amazonaws.com", "Range": "bytes=0-9"],
    signedHeaders: "host;range;x-amz-content-sha256;x-amz-date",
    signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")

  static let putObject = request(
    "PUT", "/test$file.text",
    headers: [
      "Host": "examplebucket.s3.amazonaws.com", "Date": "Fri, 24 May 2013 00:00:00 GMT",
      "x-amz-storage-class": "REDUCED_REDUNDANCY",
    ],
    signedHeaders: "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
    signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    payload: "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072")

  static let getLifecycle = request(
    "GET", "/?lifecycle", headers: ["Host": "examplebucket.s3.amazonaws.com"],
    signedHeaders: "host;x-amz-content-sha256;x-amz-date",
    signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")

  static let listObjects = request(
    "GET", "/?max-keys=2&prefix=J", headers: ["Host": "examplebucket.s3.amazonaws.com"],
    signedHeaders: "host;x-amz-content-sha256;x-amz-date",
    signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")

  static let presigned = HTTPRequestHead(
    method: "GET",
    target: "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
      + "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
      + "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
      + "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
    headers: ["Host": "examplebucket.s3.amazonaws.com"])

  static let streaming = request(
    "PUT", "/examplebucket/chunkObject.txt",
    headers: [
      "Host": "s3.amazonaws.com", "x-amz-storage-class": "REDUCED_REDUNDANCY",
      "Content-Encoding": "aws-chunked", "x-amz-decoded-content-length": "66560",
      "Content-Length": "66824",
    ],
    signedHeaders: "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"
      + "x-amz-decoded-content-length;x-amz-storage-class",
    signature: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    payload: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")

  static let streamingBody =
    chunk(
      65_536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648")
    + chunk(1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497")
    + chunk(0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9")

  static let streamingTrailer = request(
    "PUT", "/examplebucket/chunkObject.txt",
    headers: [
      "Host": "s3.amazonaws.com", "x-amz-storage-class": "REDUCED_REDUNDANCY",
      "Content-Encoding": "aws-chunked", "x-amz-decoded-content-length": "66560",
      "x-amz-trailer": "x-amz-checksum-crc32c",
    ],
    signedHeaders: "content-encoding;host;x-amz-content-sha256;x-amz-date;"
      + "x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
    signature: "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    payload: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")

  static let streamingTrailerChunks =
    chunk(65_536, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2")
    + chunk(1024, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7")
    + Array(
      "0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n".utf8)

  /// As SDKs send it.
  static let streamingTrailerBody =
    streamingTrailerChunks
    + Array(
      ("x-amz-checksum-crc32c:sOO8/Q==\r\n"
        + "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
        + "\r\n\r\n").utf8)

  /// As the documentation prints it.
  static let streamingTrailerBodyAsPrinted =
    streamingTrailerChunks
    + Array(
      ("x-amz-checksum-crc32c:sOO8/Q==\n\r\n"
        + "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
        + "\r\n\r\n").utf8)

  private static func chunk(_ count: Int, _ signature: String) -> [UInt8] {
    Array("\(String(count, radix: 16));chunk-signature=\(signature)\r\n".utf8)
      + [UInt8](repeating: UInt8(ascii: "a"), count: count) + Array("\r\n".utf8)
  }
}

/// Verifies `head` with the documentation's key.
func verifyExample(
  _ head: HTTPRequestHead, secret: String = AWSExamples.secret, now: WallTime = AWSExamples.time
) throws -> VerifiedSignature {
  let target = try RequestTarget(head)
  guard let claim = try SignatureClaim.read(head, target) else { throw S3Error(.accessDenied) }
  let verifier = SignatureVerifier(region: AWSExamples.region)
  try verifier.check(claim, head, target, now: now)
  return try verifier.verify(claim, head, target, secret: secret)
}

/// The code of the error that `body` throws; `nil` when it throws none.
func s3Code(_ body: () throws -> Void) -> S3ErrorCode? {
  do {
    try body()
    return nil
  } catch let error as S3Error {
    return error.code
  } catch {
    return .internalError
  }
}
