// Fields that a request may have only once.
//
// Of a field that comes twice one reader takes the first, the next the last, and the signature may cover both,
// or neither. So that nobody checks one and obeys the other, whether here or in a proxy in front, a request that repeats
// a field of its signature, or one that changes what it asks for, is refused.

import Base
import Codecs
import HTTP

/// Refuses requests that repeat what may come once.
package enum RepeatedFields {
  /// The query parameters of a signature.
  private static let signingParameters: [StaticString] = [
    "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders",
    "X-Amz-Signature", "X-Amz-Security-Token", "X-Amz-Content-Sha256",
  ]

  /// Headers of S3 that are lists, which a client may spread over several fields.
  private static let lists: [StaticString] = [
    "x-amz-object-attributes", "x-amz-optional-object-attributes",
  ]

  /// Refuses a request that repeats what may come once, or that has two signatures.
  static func refuse(_ head: HTTPRequestHead, _ target: RequestTarget) throws(S3Error) {
    if let name = head.headers.firstRepeatedName(isSingle) {
      throw S3Error(
        .invalidRequest, "A header that may come once came twice.",
        details: [S3Error.Detail("Header", name)])
    }
    guard !target.query.isEmpty else { return }
    for name in signingParameters where target.query.count(where: { $0.isNamed(name) }) > 1 {
      throw S3Error(
        .authorizationQueryParametersError, "The query parameter \(name) came twice.")
    }
    if head.headers.contains("authorization"),
      target.has("X-Amz-Signature") || target.has("X-Amz-Algorithm")
    {
      throw S3Error(
        .invalidArgument,
        "Only one signature is allowed: that of the Authorization header or that of the query.")
    }
  }

  /// Whether a header, its name in lower case, may come once.
  package static func isSingle(_ name: UnsafeRawBufferPointer) -> Bool {
    guard name.begins(with: "x-amz-") else {
      return name.spells("authorization") || name.spells("date")
    }
    return !name.begins(with: "x-amz-meta-") && !lists.contains { name.spells($0) }
  }
}
