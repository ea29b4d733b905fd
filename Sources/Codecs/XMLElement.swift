// XML documents as trees, as small as S3's requests need them.

/// An element with its attributes, children and text.
package struct XMLElement: Equatable, Sendable {
  /// The name without its prefix.
  ///
  /// S3's clients disagree on which namespace to send, so it is not kept.
  package var name: String
  /// Attributes by name without prefix, in order; namespace declarations are not among them.
  package var attributes: [XMLAttribute]
  package var children: [XMLElement]
  /// All text directly in this element, concatenated, white space included.
  package var text: String

  package init(
    name: String, attributes: [XMLAttribute] = [], children: [XMLElement] = [], text: String = ""
  ) {
    self.name = name
    self.attributes = attributes
    self.children = children
    self.text = text
  }

  /// The first child called `name`.
  package func child(_ name: String) -> XMLElement? { children.first { $0.name == name } }

  /// The text of the first child called `name`.
  package func text(of name: String) -> String? { child(name)?.text }

  /// The text of the first child called `name`, without white space around it: of a number or a word, where
  /// indentation means nothing.
  package func trimmedText(of name: String) -> String? {
    guard let text = text(of: name) else { return nil }
    let whiteSpace: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
    var bytes = text.utf8[...]
    while let byte = bytes.first, whiteSpace(byte) { bytes.removeFirst() }
    while let byte = bytes.last, whiteSpace(byte) { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// All children called `name`, in order.
  package func children(named name: String) -> [XMLElement] { children.filter { $0.name == name } }

  /// The value of the attribute called `name`.
  package func attribute(_ name: String) -> String? {
    attributes.first { $0.name == name }?.value
  }
}

/// An attribute of an element.
package struct XMLAttribute: Equatable, Sendable {
  /// The name without its prefix.
  package var name: String
  package var value: String

  package init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}
