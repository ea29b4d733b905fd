// Finds out who sent a request.

package import Base
import Crypto
package import HTTP
package import Model

/// Who sent a request, and what the signature says about its body.
///
/// A class, as it goes with the request everywhere.
package final class Caller: Sendable {
  package let accessKey: AccessKey
  package let signature: VerifiedSignature

  init(accessKey: AccessKey, signature: VerifiedSignature) {
    self.accessKey = accessKey
    self.signature = signature
  }
}

/// Authenticates requests by their signatures.
package struct Authenticator: Sendable {
  private let verifier: SignatureVerifier
  private let accessKeys: AccessKeys
  private let runtime: any Runtime

  package init(
    region: String, service: String = "s3", accessKeys: AccessKeys, runtime: any Runtime
  ) {
    verifier = SignatureVerifier(region: region, service: service)
    self.accessKeys = accessKeys
    self.runtime = runtime
  }

  /// The sender of a request; `nil` when it is anonymous.
  ///
  /// - Parameter body: reads all of the body; called when the signature covers its digest and no header
  ///   states that, as with curl before version 8, once all else that can be checked was found right, and not for an
  ///   expired key.
  /// - Throws: `S3Error` when the request claims a sender and that is not so; what `AccessKeys.get` throws.
  package nonisolated(nonsending) func authenticate(
    _ head: HTTPRequestHead, _ target: RequestTarget,
    body: nonisolated(nonsending) () async throws -> [UInt8]
  ) async throws -> Caller? {
    guard let claim = try SignatureClaim.read(head, target) else { return nil }
    let now = runtime.wallNow
    try verifier.check(claim, head, target, now: now)
    guard let accessKey = try await accessKeys.get(claim.scope.accessKeyID) else {
      throw S3Error(
        .invalidAccessKeyID,
        details: [S3Error.Detail("AWSAccessKeyId", claim.scope.accessKeyID)])
    }
    let isStated = claim.form != .header || head.headers.contains("x-amz-content-sha256")
    let isExpired = accessKey.isExpired(at: now)
    var bodySHA256: [UInt8]?
    // No body is kept for an expired key: with one that is not empty, the signature counts as wrong.
    if !isStated { bodySHA256 = Digests.sha256(isExpired ? [] : try await body()) }
    let signature = try verifier.verify(
      claim, head, target, secret: accessKey.secret, bodySHA256: bodySHA256)
    // Only who has the secret is told.
    if let end = accessKey.expiration, isExpired {
      throw S3Error(
        .accessDenied,
        "The access key expired at \(CivilTime(end).iso8601); whoever runs this service can extend it."
      )
    }
    return Caller(accessKey: accessKey, signature: signature)
  }
}
