// Writes JSON.

extension JSON {
  /// The value as JSON text.
  ///
  /// - Parameter pretty: two spaces a level and a line a member, for people; otherwise no space at all.
  package func serialize(pretty: Bool = false) -> String {
    var text: [UInt8] = []
    write(to: &text, indent: pretty ? 0 : nil)
    return String(decoding: text, as: UTF8.self)
  }

  /// The bytes of `serialize`.
  package func bytes(pretty: Bool = false) -> [UInt8] {
    var text: [UInt8] = []
    write(to: &text, indent: pretty ? 0 : nil)
    return text
  }

  private func write(to text: inout [UInt8], indent: Int?) {
    switch self {
    case .null: text += "null".utf8
    case .bool(let value): text += (value ? "true" : "false").utf8
    case .integer(let value): text += String(value).utf8
    case .number(let value): text += (value.isFinite ? "\(value)" : "null").utf8
    case .string(let value): Self.write(value, to: &text)
    case .array(let elements):
      Self.write(elements, between: "[]", to: &text, indent: indent) { element, text, indent in
        element.write(to: &text, indent: indent)
      }
    case .object(let members):
      Self.write(members, between: "{}", to: &text, indent: indent) { member, text, indent in
        Self.write(member.name, to: &text)
        text += (indent == nil ? ":" : ": ").utf8
        member.value.write(to: &text, indent: indent)
      }
    }
  }

  private static func write<Element>(
    _ elements: [Element], between brackets: StaticString, to text: inout [UInt8], indent: Int?,
    _ writeElement: (Element, inout [UInt8], Int?) -> Void
  ) {
    let (open, close) = brackets.withUTF8Buffer { ($0[0], $0[1]) }
    text.append(open)
    let inner = indent.map { $0 + 1 }
    for (index, element) in elements.enumerated() {
      if index > 0 { text.append(UInt8(ascii: ",")) }
      newLine(inner, to: &text)
      writeElement(element, &text, inner)
    }
    if !elements.isEmpty { newLine(indent, to: &text) }
    text.append(close)
  }

  private static func newLine(_ indent: Int?, to text: inout [UInt8]) {
    guard let indent else { return }
    text.append(UInt8(ascii: "\n"))
    text.append(contentsOf: repeatElement(UInt8(ascii: " "), count: indent * 2))
  }

  private static let digits: [UInt8] = Array("0123456789abcdef".utf8)

  private static func write(_ string: String, to text: inout [UInt8]) {
    text.append(UInt8(ascii: "\""))
    for byte in string.utf8 {
      switch byte {
      case UInt8(ascii: "\""): text += "\\\"".utf8
      case UInt8(ascii: "\\"): text += "\\\\".utf8
      case UInt8(ascii: "\n"): text += "\\n".utf8
      case UInt8(ascii: "\r"): text += "\\r".utf8
      case UInt8(ascii: "\t"): text += "\\t".utf8
      // DEL needs no escape in JSON, and a terminal would act on it.
      case 0..<0x20, 0x7F:
        text += "\\u00".utf8
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
      default: text.append(byte)
      }
    }
    text.append(UInt8(ascii: "\""))
  }
}
