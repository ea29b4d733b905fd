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
  package let signedHeaders: SignedHeaderNames
  /// 32 bytes.
  package let signature: [UInt8]
  /// The time of the request, to the second.
  package let time: CivilTime

  static let algorithm = "AWS4-HMAC-SHA256"

  /// What S3 says to other signatures: some clients sign again when they read it.
  fileprivate static let notSupported =
    "The authorization mechanism you have provided is not supported. Please use \(algorithm)."

  /// Seven days: the longest that a presigned URL may be good for.
  private static let expirySecondsMax = 604_800
  /// The claim of a request; `nil` when it is anonymous.
  ///
  /// - Throws: `S3Error` when there is a claim and it is malformed or ambiguous.
  package static func read(
    _ head: HTTPRequestHead, _ target: RequestTarget
  ) throws(S3Error) -> SignatureClaim? {
    try RepeatedFields.refuse(head, target)
    if let fields = try AuthorizationFields(head.headers) {
      return try SignatureClaim(fields, head)
    }
    if target.has("X-Amz-Algorithm") || target.has("X-Amz-Signature") {
      return try SignatureClaim(query: target)
    }
    if target.has("AWSAccessKeyId") {
      throw S3Error(
        .invalidRequest, notSupported)
    }
    return nil
  }

  private init(_ fields: AuthorizationFields, _ head: HTTPRequestHead) throws(S3Error) {
    guard let scope = fields.scope, let signedHeaders = fields.signedHeaders,
      let signature = fields.signature
    else { throw S3Error(.authorizationHeaderMalformed) }
    guard let time = try Self.time(of: head) else {
      throw S3Error(
        .accessDenied, "AWS authentication requires a valid Date or x-amz-date header")
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
      let scope = Self.bytes(credential, { CredentialScope(credential: $0) })
    else { throw Self.malformedQuery("X-Amz-Credential is missing or malformed.") }
    guard let time = try query.value("X-Amz-Date").flatMap(CivilTime.init(basic:)) else {
      throw Self.malformedQuery("X-Amz-Date is missing or malformed.")
    }
    guard time.basicDay == scope.day else {
      throw Self.malformedQuery("The day of X-Amz-Credential is not that of X-Amz-Date.")
    }
    guard let expiry = try query.value("X-Amz-Expires").flatMap({ Int(digits: $0.utf8) }),
      (1...Self.expirySecondsMax).contains(expiry)
    else {
      throw Self.malformedQuery("X-Amz-Expires must be from 1 to \(Self.expirySecondsMax) seconds.")
    }
    guard
      let signedHeaders = try query.value("X-Amz-SignedHeaders").flatMap({
        Self.bytes($0, { SignedHeaderNames($0) })
      })
    else { throw Self.malformedQuery("X-Amz-SignedHeaders is missing or malformed.") }
    guard
      let signature = try query.value("X-Amz-Signature").flatMap({ Self.bytes($0, Self.signature) })
    else { throw Self.malformedQuery("X-Amz-Signature is missing or malformed.") }
    self.init(
      form: .query(expirySeconds: expiry), scope: scope, signedHeaders: signedHeaders,
      signature: signature, time: time)
  }

  private init(
    form: Form, scope: CredentialScope, signedHeaders: SignedHeaderNames, signature: [UInt8],
    time: CivilTime
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

  private static func bytes<Value>(
    _ text: String, _ read: (UnsafeRawBufferPointer) -> Value?
  ) -> Value? {
    var text = text
    return text.withUTF8 { read(UnsafeRawBufferPointer($0)) }
  }

  fileprivate static func signature(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
    text.count == 64 ? Hex.decode(text) : nil
  }

  /// Whether the signature covers the header `host`.
  var coversHost: Bool {
    let host: StaticString = "host"
    return signedHeaders.contains(
      UnsafeRawBufferPointer(start: host.utf8Start, count: host.utf8CodeUnitCount))
  }

  private static func time(of head: HTTPRequestHead) throws(S3Error) -> CivilTime? {
    let stated = head.headers.withValue("x-amz-date") { text in
      CivilTime(basic: text) ?? CivilTime(httpDate: text.text)
    }
    if let stated {
      guard let time = stated else {
        throw S3Error(
          .accessDenied, "AWS authentication requires a valid Date or x-amz-date header")
      }
      return time
    }
    return head.headers["date"].flatMap { CivilTime(httpDate: $0) ?? CivilTime(basic: $0) }
  }
}

/// The fields of an Authorization header; `nil` those that are missing.
private struct AuthorizationFields {
  var scope: CredentialScope?
  var signedHeaders: SignedHeaderNames?
  var signature: [UInt8]?

  /// The fields of the header in `headers`; `nil` without one.
  init?(_ headers: HTTPHeaders) throws(S3Error) {
    let fields = try headers.withValue("authorization") { (header) throws(S3Error) in
      try AuthorizationFields(header)
    }
    guard let fields else { return nil }
    self = fields
  }

  /// - Throws: For another kind of authorization, and for a field that is malformed or comes twice.
  private init(_ header: UnsafeRawBufferPointer) throws(S3Error) {
    let space = header.offset(of: UInt8(ascii: " ")) ?? header.count
    guard space < header.count, header.upTo(space).spells("AWS4-HMAC-SHA256") else {
      throw S3Error(
        .invalidRequest, SignatureClaim.notSupported)
    }
    try header.from(space).forEachPart(between: UInt8(ascii: ",")) { (part) throws(S3Error) in
      let equals = part.offset(of: UInt8(ascii: "=")) ?? part.count
      guard equals < part.count,
        take(part.upTo(equals).trimmingSpaces, part.from(equals + 1).trimmingSpaces)
      else { throw S3Error(.authorizationHeaderMalformed) }
    }
  }

  /// False when there was a field with this name before, or it is malformed; unknown ones are passed over.
  private mutating func take(
    _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer
  ) -> Bool {
    if name.spells("Credential") {
      guard scope == nil else { return false }
      scope = CredentialScope(credential: value)
      return scope != nil
    }
    if name.spells("SignedHeaders") {
      guard signedHeaders == nil else { return false }
      signedHeaders = SignedHeaderNames(value)
      return signedHeaders != nil
    }
    if name.spells("Signature") {
      guard signature == nil else { return false }
      signature = SignatureClaim.signature(value)
      return signature != nil
    }
    return true
  }
}
