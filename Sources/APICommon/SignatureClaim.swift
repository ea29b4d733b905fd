// What a request says about its signature, before anything of it is believed.
//
// There are two forms: the Authorization header, and query parameters (a presigned URL).
//   Authorization: AWS4-HMAC-SHA256 Credential=<scope>, SignedHeaders=<a;b>, Signature=<64 hex digits>
//   ?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=...&X-Amz-Date=...&X-Amz-Expires=...
//    &X-Amz-SignedHeaders=...&X-Amz-Signature=...

package import Base
package import HTTP

/// The signature of a request, as claimed.
package struct SignatureClaim: Sendable {
  /// Where the signature stands.
  package enum Form: Equatable, Sendable {
    case header
    /// A presigned URL, good for a number of seconds from its time.
    case query(expirySeconds: Int)
  }

  package let form: Form
  package let scope: CredentialScope
  /// Names in lower case, in the order sent.
  package let signedHeaders: [String]
  /// 64 hexadecimal digits in lower case.
  package let signature: String
  /// The time of the request, to the second.
  package let time: CivilTime

  static let algorithm = "AWS4-HMAC-SHA256"

  /// Seven days: the longest that a presigned URL may be good for.
  private static let expirySecondsMax = 604_800
  /// Names in SignedHeaders: each is looked for among all fields, before anything is believed.
  ///
  /// 2 KiB of metadata, S3's limit, in fields of 20 bytes, and what else clients sign.
  private static let signedHeadersMax = 128

  /// The claim of a request; `nil` when it is anonymous.
  ///
  /// - Throws: `S3Error` when there is a claim and it is malformed or ambiguous.
  package static func read(
    _ head: HTTPRequestHead, _ target: RequestTarget
  ) throws(S3Error) -> SignatureClaim? {
    try RepeatedFields.refuse(head, target)
    if let authorization = head.headers["authorization"] {
      return try SignatureClaim(authorization: authorization, head)
    }
    if target.has("X-Amz-Algorithm") || target.has("X-Amz-Signature") {
      return try SignatureClaim(query: target)
    }
    if target.has("AWSAccessKeyId") {
      throw S3Error(
        .invalidRequest,
        "Signatures of version 2 are not supported; use \(algorithm) (version 4).")
    }
    return nil
  }

  private init(authorization: String, _ head: HTTPRequestHead) throws(S3Error) {
    let parts = authorization.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, parts[0] == Self.algorithm else {
      throw S3Error(
        .invalidRequest, "This kind of authorization is not supported; use \(Self.algorithm).")
    }
    var fields: [Substring: Substring] = [:]
    for part in parts[1].split(separator: ",") {
      let pair = part.split(separator: "=", maxSplits: 1)
      guard pair.count == 2,
        fields.updateValue(pair[1].trimmingSpaces, forKey: pair[0].trimmingSpaces) == nil
      else { throw S3Error(.authorizationHeaderMalformed) }
    }
    guard let credential = fields["Credential"],
      let scope = CredentialScope(credential: credential),
      let signedHeaders = fields["SignedHeaders"].flatMap(Self.names),
      let signature = fields["Signature"].flatMap(Self.signature)
    else { throw S3Error(.authorizationHeaderMalformed) }
    guard let time = try Self.time(of: head) else {
      throw S3Error(
        .accessDenied, "A signed request needs an x-amz-date header, or a Date header.")
    }
    guard time.basicDay == scope.day else {
      throw S3Error(
        .authorizationHeaderMalformed, "The day of the credential is not that of x-amz-date.")
    }
    self.init(
      form: .header, scope: scope, signedHeaders: signedHeaders, signature: signature, time: time)
  }

  private init(query: RequestTarget) throws(S3Error) {
    guard try query.value("X-Amz-Algorithm") == Self.algorithm else {
      throw Self.malformedQuery("X-Amz-Algorithm only supports \(Self.algorithm).")
    }
    guard let credential = try query.value("X-Amz-Credential"),
      let scope = CredentialScope(credential: credential)
    else { throw Self.malformedQuery("X-Amz-Credential is missing or malformed.") }
    guard let time = try query.value("X-Amz-Date").flatMap(CivilTime.init(basic:)) else {
      throw Self.malformedQuery("X-Amz-Date is missing or malformed.")
    }
    guard time.basicDay == scope.day else {
      throw Self.malformedQuery("The day of X-Amz-Credential is not that of X-Amz-Date.")
    }
    guard let expiry = try query.value("X-Amz-Expires").flatMap({ Int($0) }),
      (1...Self.expirySecondsMax).contains(expiry)
    else {
      throw Self.malformedQuery("X-Amz-Expires must be from 1 to \(Self.expirySecondsMax) seconds.")
    }
    guard
      let signedHeaders = try query.value("X-Amz-SignedHeaders").flatMap({ Self.names($0[...]) })
    else { throw Self.malformedQuery("X-Amz-SignedHeaders is missing or malformed.") }
    guard let signature = try query.value("X-Amz-Signature").flatMap({ Self.signature($0[...]) })
    else { throw Self.malformedQuery("X-Amz-Signature is missing or malformed.") }
    self.init(
      form: .query(expirySeconds: expiry), scope: scope, signedHeaders: signedHeaders,
      signature: signature, time: time)
  }

  private init(
    form: Form, scope: CredentialScope, signedHeaders: [String], signature: String, time: CivilTime
  ) {
    self.form = form
    self.scope = scope
    self.signedHeaders = signedHeaders
    self.signature = signature
    self.time = time
  }

  private static func malformedQuery(_ message: String) -> S3Error {
    S3Error(.authorizationQueryParametersError, message)
  }

  private static func names(_ text: Substring) -> [String]? {
    let names = text.split(separator: ";").map { $0.lowercased() }
    guard (1...signedHeadersMax).contains(names.count) else { return nil }
    // A repeated name would put the same value into the canonical request again and again.
    return Set(names).count == names.count ? names : nil
  }

  private static func signature(_ text: Substring) -> String? {
    text.utf8.count == 64 && Hex.decode(text) != nil ? text.lowercased() : nil
  }

  private static func time(of head: HTTPRequestHead) throws(S3Error) -> CivilTime? {
    if let text = head.headers["x-amz-date"] {
      guard let time = CivilTime(basic: text) ?? CivilTime(httpDate: text) else {
        throw S3Error(.accessDenied, "The x-amz-date header is not a valid date.")
      }
      return time
    }
    return head.headers["date"].flatMap { CivilTime(httpDate: $0) ?? CivilTime(basic: $0) }
  }
}

extension Substring {
  fileprivate var trimmingSpaces: Substring {
    var text = self
    while text.first == " " { text.removeFirst() }
    while text.last == " " { text.removeLast() }
    return text
  }
}
