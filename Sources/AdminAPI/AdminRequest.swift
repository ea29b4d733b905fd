// A request to the admin interface, and typed access to its parameters and body.

package import Codecs

/// A request whose caller may make it.
package struct AdminRequest: Sendable {
  /// The last part of the path: `CreateKey`.
  package var name: String
  package var query: [FormField]
  package var body: JSON

  package init(name: String, query: [FormField] = [], body: JSON = .null) {
    self.name = name
    self.query = query
    self.body = body
  }

  /// The parameter `name` of the query; `nil` when it is absent or empty.
  func parameter(_ name: StaticString) throws(AdminError) -> String? {
    guard let field = query.first(where: { $0.isNamed(name) }) else { return nil }
    guard let text = field.text else { throw .invalid("the parameter \(name) is not UTF-8") }
    return text.isEmpty ? nil : text
  }

  /// The parameter `name`, which the request needs.
  func required(parameter name: StaticString) throws(AdminError) -> String {
    guard let text = try parameter(name) else { throw .invalid("the parameter \(name) is missing") }
    return text
  }

  /// Whether what is searched for is going to be destroyed: `certain`.
  var isCertain: Bool {
    get throws(AdminError) { try parameter("certain") == "true" }
  }
}

extension JSON {
  /// The text of the member `name`; `nil` when it is absent or `null`.
  func text(_ name: String) throws(AdminError) -> String? {
    guard let value = self[name], !value.isNull else { return nil }
    guard let text = value.string else { throw .invalid("\(name) is not a string") }
    return text
  }

  /// The text of the member `name`, which the request needs.
  func requiredText(_ name: String) throws(AdminError) -> String {
    guard let text = try text(name) else { throw .invalid("\(name) is missing") }
    return text
  }

  /// The number in the member `name`; `nil` when it is absent or `null`.
  func count(_ name: String) throws(AdminError) -> UInt64? {
    guard let value = self[name], !value.isNull else { return nil }
    guard let count = value.integer.flatMap({ UInt64(exactly: $0) }) else {
      throw .invalid("\(name) is not a whole number from 0 to \(Int64.max)")
    }
    return count
  }

  /// Whether the member `name` is true; `false` when it is absent.
  func flag(_ name: String) throws(AdminError) -> Bool {
    guard let value = self[name], !value.isNull else { return false }
    guard let flag = value.bool else { throw .invalid("\(name) is neither true nor false") }
    return flag
  }
}
