// Writes XML the way S3 does.

/// Appends elements to a growing document.
///
/// Names are the program's own and are not checked; text and attribute values may hold anything. A control
/// character, which XML 1.0 cannot hold, is written as a reference all the same (`&#x1;`), as S3 does;
/// who lists such keys asks for `encoding-type=url`.
public struct XMLWriter: Sendable {
  /// What was written so far.
  package private(set) var bytes: [UInt8] = []

  /// A document; with the declaration unless `declaration` is false.
  package init(declaration: Bool = true) {
    if declaration { bytes += "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".utf8 }
  }

  /// `<name>text</name>`.
  package mutating func element(_ name: StaticString, _ text: String) {
    open(name)
    write(text, inAttribute: false)
    close(name)
  }

  /// `<name>text</name>`, where `utf8` must be valid UTF-8.
  package mutating func element(_ name: StaticString, utf8: [UInt8]) {
    open(name)
    utf8.withUnsafeBufferPointer { write($0, inAttribute: false) }
    close(name)
  }

  /// `<name>text</name>` with each byte outside `allowed` percent-encoded.
  ///
  /// - Parameter allowed: Holds no character that XML escapes.
  package mutating func element(
    _ name: StaticString, percentEncoding utf8: [UInt8], allowed: PercentCoding.AllowedBytes
  ) {
    open(name)
    PercentCoding.append(utf8, to: &bytes, allowed: allowed)
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
    _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String>,
    _ content: (inout XMLWriter) throws(Failure) -> Void
  ) throws(Failure) {
    open(name, attributes)
    try content(&self)
    close(name)
  }

  /// An element with what `content` writes inside.
  ///
  /// Inlined, as a listing has one for each key.
  @inlinable
  public mutating func element<Failure: Error>(
    _ name: StaticString, _ content: (inout XMLWriter) throws(Failure) -> Void
  ) throws(Failure) {
    open(name)
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

  @usableFromInline
  mutating func open(_ name: StaticString) {
    bytes.append(UInt8(ascii: "<"))
    append(name)
    bytes.append(UInt8(ascii: ">"))
  }

  @usableFromInline
  mutating func close(_ name: StaticString) {
    bytes.append(UInt8(ascii: "<"))
    bytes.append(UInt8(ascii: "/"))
    append(name)
    bytes.append(UInt8(ascii: ">"))
  }

  private mutating func append(_ name: StaticString) {
    name.withUTF8Buffer { bytes.append(contentsOf: $0) }
  }

  private mutating func write(_ text: String, inAttribute: Bool) {
    var text = text
    text.withUTF8 { write($0, inAttribute: inAttribute) }
  }

  /// Runs of bytes that stand for themselves are copied as a whole.
  private mutating func write(_ utf8: UnsafeBufferPointer<UInt8>, inAttribute: Bool) {
    var start = 0
    for index in utf8.indices where Self.mayNeedEscape(utf8[index]) {
      guard let escape = Self.escape(utf8[index], inAttribute: inAttribute) else { continue }
      bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start..<index]))
      bytes += escape.utf8
      start = index + 1
    }
    bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start...]))
  }

  private static func mayNeedEscape(_ byte: UInt8) -> Bool {
    // Control characters, and `"`, `&`, `<`, `>`.
    let characters: UInt64 = 1 << 0x22 | 1 << 0x26 | 1 << 0x3C | 1 << 0x3E | 0xFFFF_FFFF
    return byte < 64 && characters >> UInt64(byte) & 1 == 1
  }

  /// What `byte` is written as; `nil` for itself.
  private static func escape(_ byte: UInt8, inAttribute: Bool) -> String? {
    switch byte {
    case UInt8(ascii: "&"): "&amp;"
    case UInt8(ascii: "<"): "&lt;"
    case UInt8(ascii: ">"): "&gt;"
    case UInt8(ascii: "\""): "&quot;"
    // A reader would turn a bare CR into LF everywhere, and TAB and LF into spaces in attributes.
    case 0x09 where !inAttribute, 0x0A where !inAttribute: nil
    case 0..<0x20: "&#x\(String(byte, radix: 16, uppercase: true));"
    default: nil
    }
  }
}
