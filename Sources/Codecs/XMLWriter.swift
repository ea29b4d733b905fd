// Writes XML the way S3 does.

/// Appends elements to a growing document.
///
/// Names are the program's own and are not checked; text and attribute values may hold anything. A control
/// character, which XML 1.0 cannot hold, is written as a reference all the same (`&#x1;`), as S3 does;
/// who lists such keys asks for `encoding-type=url`.
package struct XMLWriter: Sendable {
  /// What was written so far.
  package private(set) var bytes: [UInt8] = []

  /// A document; with the declaration unless `declaration` is false.
  package init(declaration: Bool = true) {
    if declaration { bytes += "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".utf8 }
  }

  /// `<name>text</name>`.
  package mutating func element(_ name: StaticString, _ text: String) {
    open(name, [:])
    write(text, inAttribute: false)
    close(name)
  }

  /// `<name>number</name>`.
  package mutating func element(_ name: StaticString, _ number: some BinaryInteger) {
    element(name, String(number))
  }

  /// `<name>true</name>` or `<name>false</name>`.
  package mutating func element(_ name: StaticString, _ value: Bool) {
    element(name, value ? "true" : "false")
  }

  /// An element with what `content` writes inside.
  package mutating func element<Failure: Error>(
    _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String> = [:],
    _ content: (inout XMLWriter) throws(Failure) -> Void
  ) throws(Failure) {
    open(name, attributes)
    try content(&self)
    close(name)
  }

  /// Text inside the element that is open.
  package mutating func text(_ text: String) { write(text, inAttribute: false) }

  private mutating func open(
    _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String>
  ) {
    bytes.append(UInt8(ascii: "<"))
    append(name)
    for (name, value) in attributes {
      bytes.append(UInt8(ascii: " "))
      append(name)
      bytes += "=\"".utf8
      write(value, inAttribute: true)
      bytes.append(UInt8(ascii: "\""))
    }
    bytes.append(UInt8(ascii: ">"))
  }

  private mutating func close(_ name: StaticString) {
    bytes += "</".utf8
    append(name)
    bytes.append(UInt8(ascii: ">"))
  }

  private mutating func append(_ name: StaticString) {
    name.withUTF8Buffer { bytes.append(contentsOf: $0) }
  }

  private mutating func write(_ text: String, inAttribute: Bool) {
    bytes.reserveCapacity(bytes.count + text.utf8.count)
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "&"): bytes += "&amp;".utf8
      case UInt8(ascii: "<"): bytes += "&lt;".utf8
      case UInt8(ascii: ">"): bytes += "&gt;".utf8
      case UInt8(ascii: "\""): bytes += "&quot;".utf8
      // A reader would turn a bare CR into LF everywhere, and TAB and LF into spaces in attributes.
      case 0x09 where !inAttribute, 0x0A where !inAttribute: bytes.append(byte)
      case 0..<0x20: bytes += "&#x\(String(byte, radix: 16, uppercase: true));".utf8
      default: bytes.append(byte)
      }
    }
  }
}
