// Headers that ask for something that is not done here.
//
// To ignore them would do something else than what was asked for. So they are 501, whether they came as headers or in
// the query of a presigned URL (HoistedHeaders.swift).

package import APICommon
import Base
package import HTTP

extension Router {
  /// Headers that change what an operation means.
  private static let unimplementedHeaders: [StaticString] = [
    "x-amz-bucket-object-lock-enabled", "x-amz-tagging", "x-amz-write-offset-bytes",
  ]

  /// The same, by how their names begin.
  private static let unimplementedPrefixes: [StaticString] = [
    "x-amz-copy-source-server-side-encryption", "x-amz-grant-", "x-amz-if-match-",
    "x-amz-object-lock-", "x-amz-server-side-encryption",
  ]

  /// Conditions of writes: to ignore them would overwrite what the client wants kept.
  private static let writeConditions: [StaticString] = [
    "if-match", "if-none-match", "if-modified-since", "if-unmodified-since",
  ]

  /// Refuses headers that ask for something that is not done here.
  package static func refuseWhatIsNotImplemented(
    _ operation: S3Operation, _ headers: HTTPHeaders
  ) throws(S3Error) {
    try headers.visitFields { (name, value) throws(S3Error) in
      let isUnknown =
        name.begins(with: "x-amz-")
        && (unimplementedHeaders.contains { name.spells($0) }
          || unimplementedPrefixes.contains { name.begins(with: $0) }
          || name.begins(with: "x-amz-checksum-") && ChecksumHeaders.isUnknown(name.text))
        && !value.spells("false")
      let isCondition = operation.isWrite && writeConditions.contains { name.spells($0) }
      if isUnknown || isCondition {
        throw S3Error(
          .notImplemented, "The header \(name.text) is not implemented yet.",
          details: [S3Error.Detail("Header", name.text)])
      }
    }
  }
}
