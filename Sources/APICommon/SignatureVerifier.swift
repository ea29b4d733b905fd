// Checks the signature of a request: AWS Signature Version 4.
//
// The order of the checks is that of what the client should fix first: region, clock, unsigned headers,
// signature. The signature is compared in constant time.
//
// Invariants:
//   1. Every header that changes what the request does (`host` and all `x-amz-*`) is among the signed ones, or
//      the request is refused: whoever relays a presigned URL cannot add any.
//   2. A signature is good for 15 minutes around its time, or for the time a presigned URL names.

package import Base
import Crypto
package import HTTP

/// A signature that was found right.
package struct VerifiedSignature: Sendable {
  /// What it says about the body.
  package let payload: PayloadIntegrity
  /// What the signatures of the body's chunks continue from.
  package let chunks: ChunkSigningContext
}

/// Verifies signatures for one service in one region.
package struct SignatureVerifier: Sendable {
  /// How far a client's clock may be off.
  private static let skewMax: Duration = .seconds(15 * 60)

  /// How many bytes of the canonical request are shown to who signed another.
  ///
  /// Those of usual clients have below 2 KiB; a stranger must not get an answer as large as its heads may be.
  private static let canonicalRequestDetailMax = 8 << 10

  private let region: String
  private let service: String
  private let keys = SigningKeyCache()

  package init(region: String, service: String = "s3") {
    self.region = region
    self.service = service
  }

  /// Checks what can be checked without the secret: scope, time, and which headers are signed.
  package func check(
    _ claim: SignatureClaim, _ head: HTTPRequestHead, _ target: RequestTarget, now: WallTime
  ) throws(S3Error) {
    try checkScope(claim)
    try checkTime(claim, now: now)
    try checkSignedHeaders(claim, head)
    if head.headers.contains("x-amz-security-token") || target.has("X-Amz-Security-Token") {
      throw S3Error(.invalidToken)
    }
  }

  /// Checks the signature itself.
  ///
  /// - Requires: `check` passed, and `secret` is that of the access key of the claim's scope.
  /// - Parameter bodySHA256: the digest of the body, for a request that signs it and does not state it.
  package func verify(
    _ claim: SignatureClaim, _ head: HTTPRequestHead, _ target: RequestTarget, secret: String,
    bodySHA256: [UInt8]? = nil
  ) throws(S3Error) -> VerifiedSignature {
    let payload = try PayloadIntegrity.read(
      head, target, form: claim.form, bodySHA256: bodySHA256)
    let request = CanonicalRequest.make(
      method: head.method, target: target, headers: head.headers,
      signedHeaders: claim.signedHeaders, payloadHash: payload.text)
    let key = keys.key(claim.scope, secret: secret)
    let signature = StringToSign.sign(
      canonicalRequest: request, time: claim.time, scope: claim.scope, key: key)
    guard constantTimeEquals(signature, claim.signature) else {
      throw S3Error(
        .signatureDoesNotMatch,
        details: [
          S3Error.Detail("AWSAccessKeyId", claim.scope.accessKeyID),
          S3Error.Detail(
            "CanonicalRequest",
            String(decoding: request.prefix(Self.canonicalRequestDetailMax), as: UTF8.self)),
        ])
    }
    return VerifiedSignature(
      payload: payload.meaning,
      chunks: ChunkSigningContext(
        requestSignature: signature, time: claim.time, scope: claim.scope, key: key))
  }

  private func checkScope(_ claim: SignatureClaim) throws(S3Error) {
    let malformed: S3ErrorCode =
      claim.form == .header ? .authorizationHeaderMalformed : .authorizationQueryParametersError
    // Older programs look for the right region behind "expecting".
    let fault =
      claim.form == .header
      ? "The authorization header is malformed" : "Error parsing the X-Amz-Credential parameter"
    guard claim.scope.region == region else {
      throw S3Error(
        malformed,
        "\(fault); the region '\(claim.scope.region)' is wrong; expecting '\(region)'",
        details: [S3Error.Detail("Region", region)],
        // The answer to a HEAD has no document; SDKs find the right region here too.
        headers: ["x-amz-bucket-region": region])
    }
    guard claim.scope.service == service else {
      throw S3Error(
        malformed, "\(fault); the service '\(claim.scope.service)' is wrong; expecting '\(service)'"
      )
    }
  }

  private func checkTime(_ claim: SignatureClaim, now: WallTime) throws(S3Error) {
    let age = Duration.milliseconds(now.milliseconds - claim.time.wallTime.milliseconds)
    switch claim.form {
    case .header:
      guard age <= Self.skewMax, age >= .zero - Self.skewMax else {
        throw S3Error(
          .requestTimeTooSkewed,
          details: [
            S3Error.Detail("RequestTime", claim.time.basic),
            S3Error.Detail("ServerTime", CivilTime(now).iso8601),
            S3Error.Detail("MaxAllowedSkewMilliseconds", "900000"),
          ])
      }
    case .query(let expirySeconds):
      guard age >= .zero - Self.skewMax else {
        throw S3Error(.accessDenied, "Request is not valid yet")
      }
      guard age <= .seconds(expirySeconds) else {
        throw S3Error(
          .accessDenied, "Request has expired",
          details: [
            S3Error.Detail("X-Amz-Expires", String(expirySeconds)),
            S3Error.Detail("ServerTime", CivilTime(now).iso8601),
          ])
      }
    }
  }

  private func checkSignedHeaders(_ claim: SignatureClaim, _ head: HTTPRequestHead) throws(S3Error)
  {
    guard claim.coversHost else {
      throw S3Error(.accessDenied, "The host header must be signed.")
    }
    let missing = claim.signedHeaders.firstMissing(of: head.headers) { name in
      // The payload hash is part of the canonical request whether or not its header is signed.
      name.begins(with: "x-amz-") && !name.spells("x-amz-content-sha256")
    }
    if let missing {
      throw S3Error(
        .accessDenied, "There were headers present in the request which were not signed",
        details: [S3Error.Detail("HeadersNotSigned", missing)])
    }
  }
}

/// The last step of a signature.
enum StringToSign {
  /// The signature of a canonical request, 32 bytes.
  static func sign(
    canonicalRequest: [UInt8], time: CivilTime, scope: CredentialScope, key: HMACKey
  ) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(192)
    text += SignatureClaim.algorithm.utf8
    text.append(UInt8(ascii: "\n"))
    time.appendBasic(to: &text)
    text.append(UInt8(ascii: "\n"))
    scope.appendSignedPart(to: &text)
    text.append(UInt8(ascii: "\n"))
    Digests.withSHA256(canonicalRequest) { Hex.append($0, to: &text) }
    return key.sign(text)
  }
}
