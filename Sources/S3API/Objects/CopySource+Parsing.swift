// Reading `x-amz-copy-source`.

package import APICommon
import Codecs

extension CopySource {
  /// Takes `/bucket/key` or `bucket/key` apart, percent-encoded, with or without `?versionId=`.
  ///
  /// A `+` is a space, as in S3 and unlike in a path: the encoders for forms of Ruby, Java and Elixir write it so.
  ///
  /// - Throws: `InvalidArgument`; `NotImplemented` for a version.
  package static func parse(_ text: String) throws(S3Error) -> (bucket: String, key: [UInt8]) {
    var path = Substring(text).utf8
    if let mark = path.firstIndex(of: UInt8(ascii: "?")) {
      let query = FormCoding.parse(path[path.index(after: mark)...], countMax: 1) ?? []
      guard let field = query.first, field.isNamed("versionId") else { throw invalid }
      guard field.text == "null" else {
        throw S3Error(.notImplemented, "Versions are not implemented yet.")
      }
      path = path[..<mark]
    }
    guard let decoded = PercentCoding.decode(path, plusIsSpace: true) else { throw invalid }
    let bytes = decoded.dropFirst(decoded.first == UInt8(ascii: "/") ? 1 : 0)
    guard let slash = bytes.firstIndex(of: UInt8(ascii: "/")), slash > bytes.startIndex,
      let bucket = String(validating: bytes[..<slash], as: UTF8.self)
    else { throw invalid }
    let key = Array(bytes[(slash + 1)...])
    guard !key.isEmpty else { throw invalid }
    return (bucket, key)
  }

  private static var invalid: S3Error {
    S3Error.argument(header, header, "Invalid copy source object key")
  }
}
