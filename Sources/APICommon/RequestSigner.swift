// Signs requests of our own: those of the bench program, the tests and, later, of one cluster to another.

package import Base
import Codecs
package import HTTP

/// Signs with one access key.
package struct RequestSigner: Sendable {
  private let accessKeyID: String
  private let secret: String
  private let region: String
  private let service: String
  private let keys = SigningKeyCache()

  package init(accessKeyID: String, secret: String, region: String, service: String = "s3") {
    self.accessKeyID = accessKeyID
    self.secret = secret
    self.region = region
    self.service = service
  }

  /// Adds `x-amz-date`, `x-amz-content-sha256` and `Authorization` to a request that has a `Host` already.
  ///
  /// All headers present are signed, so those that proxies change are to be added afterwards.
  /// - Parameter payloadHash: the hexadecimal SHA-256 of the body, or one of the values of
  ///   `PayloadIntegrity`.
  /// - Parameter statesPayloadHash: false leaves out `x-amz-content-sha256`, as some clients do.
  /// - Returns: what the signatures of chunks continue from.
  @discardableResult
  package func sign(
    method: String, target: RequestTarget, headers: inout HTTPHeaders,
    payloadHash: String = PayloadIntegrity.unsignedText, statesPayloadHash: Bool = true,
    at time: WallTime
  ) -> ChunkSigningContext {
    let time = CivilTime(time)
    headers.set("x-amz-date", time.basic)
    if statesPayloadHash { headers.set("x-amz-content-sha256", payloadHash) }
    let names = Self.sortedNames(headers)
    let scope = scope(on: time)
    let key = keys.key(scope, secret: secret)
    let signature = StringToSign.sign(
      canonicalRequest: CanonicalRequest.make(
        method: method, target: target, headers: headers, signedHeaders: names,
        payloadHash: Array(payloadHash.utf8)),
      time: time, scope: scope, key: key)
    headers.set(
      "authorization",
      "\(SignatureClaim.algorithm) Credential=\(scope.credential),"
        + "SignedHeaders=\(String(decoding: names.text, as: UTF8.self)),"
        + "Signature=\(Hex.encode(signature))")
    return ChunkSigningContext(requestSignature: signature, time: time, scope: scope, key: key)
  }

  /// The path and query of a URL that needs no further signature for `expirySeconds`.
  ///
  /// - Parameter headers: those that the user of the URL must send, `Host` among them.
  package func presign(
    method: String, target: RequestTarget, headers: HTTPHeaders, expirySeconds: Int,
    at time: WallTime
  ) -> String {
    let time = CivilTime(time)
    let scope = scope(on: time)
    let names = Self.sortedNames(headers)
    let query =
      target.query + [
        FormField("X-Amz-Algorithm", SignatureClaim.algorithm),
        FormField("X-Amz-Credential", scope.credential),
        FormField("X-Amz-Date", time.basic),
        FormField("X-Amz-Expires", String(expirySeconds)),
        FormField(name: Array("X-Amz-SignedHeaders".utf8), value: names.text),
      ]
    let signature = StringToSign.sign(
      canonicalRequest: CanonicalRequest.make(
        method: method, target: RequestTarget(path: target.path, query: query), headers: headers,
        signedHeaders: names, payloadHash: Array(PayloadIntegrity.unsignedText.utf8)),
      time: time, scope: scope, key: keys.key(scope, secret: secret))
    return PercentCoding.encode(target.path, allowed: .unreservedAndSlash) + "?"
      + FormCoding.serialize(query + [FormField("X-Amz-Signature", Hex.encode(signature))])
  }

  private func scope(on time: CivilTime) -> CredentialScope {
    CredentialScope(
      accessKeyID: accessKeyID, day: time.basicDay, region: region, service: service)
  }

  private static func sortedNames(_ headers: HTTPHeaders) -> SignedHeaderNames {
    var names: [String] = []
    headers.visitFields { name, _ in
      let name = name.text
      if !names.contains(name) { names.append(name) }
    }
    return SignedHeaderNames(names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
  }
}
