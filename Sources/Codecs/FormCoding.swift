// Queries and forms: `name=value&name=value` (WHATWG URL, "application/x-www-form-urlencoded").

/// One `name=value` of a query, decoded.
package struct FormField: Equatable, Sendable {
  /// The bytes before the `=`.
  package var name: [UInt8]
  /// The bytes after the `=`; empty when there is none.
  package var value: [UInt8]

  package init(name: [UInt8], value: [UInt8]) {
    self.name = name
    self.value = value
  }

  /// A field of texts.
  package init(_ name: String, _ value: String) {
    self.init(name: Array(name.utf8), value: Array(value.utf8))
  }

  /// Whether the name is `text`, byte for byte.
  package func isNamed(_ text: StaticString) -> Bool {
    text.withUTF8Buffer { name.elementsEqual($0) }
  }

  /// The value as text; `nil` when it is not UTF-8.
  package var text: String? { String(validating: value, as: UTF8.self) }
}

/// Reads and writes queries.
package enum FormCoding {
  /// The fields of `query`, in order; empty parts between `&` are skipped.
  ///
  /// - Returns: `nil` when an escape is broken or there are more than `countMax` fields.
  package static func parse(
    _ query: some Collection<UInt8>, plusIsSpace: Bool = true, countMax: Int = 1000
  ) -> [FormField]? {
    var fields: [FormField] = []
    for part in query.split(separator: UInt8(ascii: "&")) {
      guard fields.count < countMax else { return nil }
      let equals = part.firstIndex(of: UInt8(ascii: "="))
      let valueStart = equals.map { part.index(after: $0) } ?? part.endIndex
      guard
        let name = PercentCoding.decode(
          part[..<(equals ?? part.endIndex)], plusIsSpace: plusIsSpace),
        let value = PercentCoding.decode(part[valueStart...], plusIsSpace: plusIsSpace)
      else { return nil }
      fields.append(FormField(name: name, value: value))
    }
    return fields
  }

  /// `name=value&...`, with everything but the unreserved characters escaped.
  package static func serialize(_ fields: some Sequence<FormField>) -> String {
    fields.map { PercentCoding.encode($0.name) + "=" + PercentCoding.encode($0.value) }
      .joined(separator: "&")
  }
}
