// Headers in the query of a presigned URL.
//
// Who presigns a URL for somebody else puts the x-amz- headers of the request into the query, where the signature
// covers them and the other one need not send them. They mean what they would mean as headers.

package import APICommon
import Codecs
package import HTTP

/// Headers that stand in a query.
package enum HoistedHeaders {
  /// Fields of the query that are not headers, and those that ask for nothing.
  private static let others: Set<String> = [
    "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders",
    "x-amz-signature", "x-amz-security-token", "x-amz-content-sha256",
    "x-amz-sdk-checksum-algorithm",
  ]

  /// The headers of a request, with those in its query behind them.
  ///
  /// - Throws: `InvalidArgument` for a name that cannot be that of a header, `InvalidRequest` for one that is there
  ///   twice and may be there once.
  package static func merge(
    _ target: RequestTarget, into headers: HTTPHeaders
  ) throws(S3Error) -> HTTPHeaders {
    var merged = headers
    for field in target.query {
      let name = String(decoding: field.name, as: UTF8.self).lowercased()
      // SDKs leave a checksum in URLs that they presign before there is a body: it is that of no bytes, and S3
      // ignores it.
      guard name.utf8.starts(with: "x-amz-".utf8), !others.contains(name),
        !ChecksumHeaders.isChecksum(name)
      else { continue }
      let isSingle = Array(name.utf8).withUnsafeBytes(RepeatedFields.isSingle)
      guard !isSingle || !merged.contains(name) else {
        throw S3Error(
          .invalidRequest, "A header that may come once came twice, in the query or as a header.",
          details: [S3Error.Detail("Header", name)])
      }
      guard merged.append(name, valueBytes: field.value) else {
        throw S3Error(.invalidArgument, "A query parameter is not the name of a header.")
      }
    }
    return merged
  }
}
