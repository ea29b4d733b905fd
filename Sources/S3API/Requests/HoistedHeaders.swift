// Headers in the query of a presigned URL.
//
// Who presigns a URL for somebody else puts headers of the request into the query, where the signature covers them and
// the other one need not send them. They mean what they would mean as headers: all that begin with x-amz-, and of the
// others those that guard data, which are the conditions, `Content-MD5` and `Range`. The rest of them, such as
// `Content-Type`, is ignored there, as in S3.
//
// SDKs leave a checksum in URLs that they presign before there is a body. It is that of no bytes, and is ignored, as in
// S3; any other was computed for the body that is to come, and is compared with it.

package import APICommon
import Codecs
package import HTTP
import Model

/// Headers that stand in a query.
package enum HoistedHeaders {
  /// Fields of the query that are not headers, and those that ask for nothing.
  private static let others: Set<String> = [
    "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders",
    "x-amz-signature", "x-amz-security-token", "x-amz-content-sha256",
    "x-amz-sdk-checksum-algorithm",
  ]

  /// Headers of HTTP without which a request would read, write or delete what the signer did not mean.
  private static let guards: Set<String> = [
    "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "range",
    "content-md5",
  ]

  /// The checksums of no bytes, by their headers.
  private static let emptyChecksums = Dictionary(
    uniqueKeysWithValues: ChecksumAlgorithm.allCases.map { algorithm in
      (algorithm.headerName, Array(ChecksumHasher(algorithm).finish().base64.utf8))
    })

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
      let isGuard = guards.contains(name)
      guard isGuard || name.utf8.starts(with: "x-amz-".utf8), !others.contains(name),
        emptyChecksums[name] != field.value
      else { continue }
      let isSingle = isGuard || Array(name.utf8).withUnsafeBytes(RepeatedFields.isSingle)
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
