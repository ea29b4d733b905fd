// The path and query of a request, decoded once.

package import Codecs
package import HTTP

/// What a request is about: its path and query, without the escapes.
package struct RequestTarget: Sendable {
  /// Fields of a query: S3's longest has ten; a bound for what is sorted to check a signature.
  private static let queryFieldsMax = 100

  /// The decoded path, `/` first.
  ///
  /// Object keys are any bytes here; who reads them checks UTF-8.
  package let path: [UInt8]
  /// The fields of the query, decoded, in the order received.
  package let query: [FormField]

  /// A target from its parts.
  package init(path: [UInt8], query: [FormField] = []) {
    self.path = path
    self.query = query
  }

  /// The target of `head`.
  ///
  /// - Throws: `InvalidURI` for broken escapes and too many fields.
  package init(_ head: HTTPRequestHead) throws(S3Error) {
    let (path, query) = head.withTargetBytes { path, query in
      (
        PercentCoding.decode(path),
        query.isEmpty ? [] : FormCoding.parse(query, countMax: Self.queryFieldsMax)
      )
    }
    guard let path, path.first == UInt8(ascii: "/"), let query else {
      throw S3Error(.invalidURI)
    }
    self.path = path
    self.query = query
  }

  /// Whether the query has a field with `name`, with or without a value.
  package func has(_ name: StaticString) -> Bool { query.contains { $0.isNamed(name) } }

  /// The value of the first field with `name`; `nil` without one.
  ///
  /// - Throws: `InvalidArgument` when it is not UTF-8.
  package func value(_ name: StaticString) throws(S3Error) -> String? {
    guard let field = query.first(where: { $0.isNamed(name) }) else { return nil }
    guard let text = field.text else {
      throw S3Error(
        .invalidArgument, "The query parameter \(name) is not UTF-8.",
        details: [S3Error.Detail("ArgumentName", "\(name)")])
    }
    return text
  }
}
