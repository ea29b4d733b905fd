// Queries and forms: `name=value&name=value` (WHATWG URL, "application/x-www-form-urlencoded").

import Base

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
    Array(query).withUnsafeBytes { parse($0, plusIsSpace: plusIsSpace, countMax: countMax) }
  }

  /// As above, of bytes where they lie.
  package static func parse(
    _ query: UnsafeRawBufferPointer, plusIsSpace: Bool = true, countMax: Int = 1000
  ) -> [FormField]? {
    var fields: [FormField] = []
    var isRight = true
    query.forEachPart(between: UInt8(ascii: "&")) { part in
      guard isRight, !part.isEmpty else { return }
      let equals = part.offset(of: UInt8(ascii: "=")) ?? part.count
      guard fields.count < countMax,
        let name = PercentCoding.decode(part.upTo(equals), plusIsSpace: plusIsSpace),
        let value = PercentCoding.decode(part.from(equals + 1), plusIsSpace: plusIsSpace)
      else { return isRight = false }
      fields.append(FormField(name: name, value: value))
    }
    return isRight ? fields : nil
  }

  /// `name=value&...`, with everything but the unreserved characters escaped.
  package static func serialize(_ fields: some Sequence<FormField>) -> String {
    fields.map { PercentCoding.encode($0.name) + "=" + PercentCoding.encode($0.value) }
      .joined(separator: "&")
  }
}
