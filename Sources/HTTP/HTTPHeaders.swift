// Header fields of a message: an ordered list of names and values.
//
// A head is kept as it travels: one array of bytes that holds the field lines (`name: value CR LF`), and
// an index of where each name and value lies. Parsing copies a head once; sending it is one copy;
// a `String` is made only of what someone asks for.
//
// Invariants:
//   1. `bytes[fieldsStart...]` is a sequence of whole field lines, fit to be sent, in the order of `fields`.
//   2. Every name is a token (RFC 9110, section 5.6.2) in lower case; no value holds CR, LF or NUL, nor begins or
//      ends with white space.

public import Base

/// The header or trailer fields of a message, in order.
///
/// Names are compared without regard to case, and kept in lower case.
public struct HTTPHeaders: Sendable {
  /// Where a field's name and value lie in `bytes`.
  @usableFromInline
  struct Field: Sendable {
    @usableFromInline var nameStart: UInt32
    @usableFromInline var nameCount: UInt32
    @usableFromInline var valueStart: UInt32
    @usableFromInline var valueCount: UInt32

    @inlinable
    var name: Range<Int> { Int(nameStart)..<Int(nameStart) + Int(nameCount) }
    @inlinable
    var value: Range<Int> { Int(valueStart)..<Int(valueStart) + Int(valueCount) }
  }

  @usableFromInline
  private(set) var bytes: [UInt8]
  @usableFromInline
  private(set) var fields: [Field]
  /// Where the field lines begin: behind the start line in a parsed head.
  private let fieldsStart: Int

  /// No fields.
  package init() {
    bytes = []
    fields = []
    fieldsStart = 0
  }

  /// A parsed head, whose names may still be in either case.
  ///
  /// - Requires: the invariants of the type else; only the parser calls this.
  init(bytes: [UInt8], fields: [Field], fieldsStart: Int) {
    self.bytes = bytes
    self.fields = fields
    self.fieldsStart = fieldsStart
    self.bytes.withUnsafeMutableBufferPointer { bytes in
      for field in fields {
        for index in field.name { bytes[index] = bytes[index].asciiLowercased }
      }
    }
  }

  /// The field lines as they are sent.
  package func withFieldLines<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[fieldsStart...])) }
  }

  // MARK: Reading

  /// The value of the first field with `name`; bytes that are not UTF-8 are replaced by U+FFFD.
  package subscript(name: String) -> String? {
    guard let field = first(name) else { return nil }
    return string(field.value)
  }

  /// The values of all fields with `name`, in order.
  package func all(_ name: String) -> [String] {
    fields.lazy.filter { matches($0, name) }.map { string($0.value) }
  }

  /// Hands the value of the first field with `name` to `body`, whose bytes are valid only in the call; `nil` without
  /// one.
  @inlinable
  package func withValue<Result, Failure: Error>(
    _ name: String, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result? {
    guard let field = first(name) else { return nil }
    return try bytes.withUnsafeBufferPointer { (bytes) throws(Failure) in
      try body(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[field.value])))
    }
  }

  /// Whether there is a field with `name`.
  package func contains(_ name: String) -> Bool { first(name) != nil }

  /// Whether a field with `name` lists `token` (compared without regard to case), as `Connection` does.
  package func lists(_ token: String, in name: String) -> Bool {
    fields.contains { field in
      matches(field, name)
        && bytes[field.value].split(separator: UInt8(ascii: ",")).contains { element in
          element.withUnsafeBytes { equalsIgnoringCase($0.trimming(isWhiteSpace), token) }
        }
    }
  }

  /// Hands each field's name, in lower case, and value to `visit`; the bytes are valid only in the call.
  @inlinable
  package func visitFields<Failure: Error>(
    _ visit: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(Failure) ->
      Void
  ) throws(Failure) {
    try bytes.withUnsafeBufferPointer { (bytes) throws(Failure) in
      let bytes = UnsafeRawBufferPointer(bytes)
      for field in fields {
        try visit(
          UnsafeRawBufferPointer(rebasing: bytes[field.name]),
          UnsafeRawBufferPointer(rebasing: bytes[field.value]))
      }
    }
  }

  /// Hands the value of each field with `name`, which is in lower case, to `visit`; the bytes are valid only in the
  /// call.
  @inlinable
  package func visitValues(
    of name: UnsafeRawBufferPointer, _ visit: (_ value: UnsafeRawBufferPointer) -> Void
  ) {
    bytes.withUnsafeBytes { bytes in
      for field in fields where Int(field.nameCount) == name.count {
        guard UnsafeRawBufferPointer(rebasing: bytes[field.name]).equals(name) else { continue }
        visit(UnsafeRawBufferPointer(rebasing: bytes[field.value]))
      }
    }
  }

  /// The first name, in lower case, that comes again and of which `isSingle` says that it may not; `nil` for none.
  package func firstRepeatedName(_ isSingle: (UnsafeRawBufferPointer) -> Bool) -> String? {
    bytes.withUnsafeBytes { bytes in
      withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: fields.count) {
        seen in
        var count = 0
        for field in fields {
          let name = UnsafeRawBufferPointer(rebasing: bytes[field.name])
          guard isSingle(name) else { continue }
          if seen[..<count].contains(where: { $0.equals(name) }) { return name.text }
          seen.initializeElement(at: count, to: name)
          count += 1
        }
        return nil
      }
    }
  }

  @usableFromInline
  func first(_ name: String) -> Field? {
    var name = name
    return name.withUTF8 { name in
      fields.withUnsafeBufferPointer { fields in
        bytes.withUnsafeBufferPointer { bytes in
          for field in fields where Int(field.nameCount) == name.count {
            if Self.equals(bytes, field, name) { return field }
          }
          return nil
        }
      }
    }
  }

  /// Whether `name`, in either case and as long as the field's, is that of `field`.
  @inline(__always)
  private static func equals(
    _ bytes: UnsafeBufferPointer<UInt8>, _ field: Field, _ name: UnsafeBufferPointer<UInt8>
  ) -> Bool {
    let start = Int(field.nameStart)
    // Nearly everybody asks in lower case.
    let spelled = UnsafeRawBufferPointer(
      rebasing: UnsafeRawBufferPointer(bytes)[start..<start + name.count])
    if spelled.equals(UnsafeRawBufferPointer(name)) { return true }
    for index in 0..<name.count where bytes[start + index] != name[index].asciiLowercased {
      return false
    }
    return true
  }

  private func string(_ range: Range<Int>) -> String {
    bytes.withUnsafeBufferPointer {
      String(decoding: UnsafeBufferPointer(rebasing: $0[range]), as: UTF8.self)
    }
  }

  private func matches(_ field: Field, _ name: String) -> Bool {
    guard Int(field.nameCount) == name.utf8.count else { return false }
    var name = name
    return name.withUTF8 { name in
      bytes.withUnsafeBufferPointer { Self.equals($0, field, name) }
    }
  }

  // MARK: Changing

  /// Adds a field at the end and returns whether it was added.
  ///
  /// A name that is no token is not added, so nothing that a client chose can become a line of its own;
  /// for the same reason CR, LF and NUL in a value become spaces (RFC 9110, section 5.5).
  @discardableResult
  package mutating func append(_ name: String, _ value: String) -> Bool {
    var name = name
    var value = value
    return name.withUTF8 { name in
      value.withUTF8 { append(UnsafeRawBufferPointer(name), UnsafeRawBufferPointer($0)) }
    }
  }

  /// Adds a field whose value is any bytes, by the same rules.
  @discardableResult
  package mutating func append(_ name: String, valueBytes: [UInt8]) -> Bool {
    var name = name
    return name.withUTF8 { name in
      valueBytes.withUnsafeBytes { append(UnsafeRawBufferPointer(name), $0) }
    }
  }

  private mutating func append(
    _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer
  ) -> Bool {
    guard !name.isEmpty, name.allSatisfy(isTokenCharacter) else { return false }
    let value = value.trimming(isPaddingCharacter)
    let nameStart = bytes.count
    let valueStart = nameStart + name.count + 2
    guard UInt32(exactly: valueStart + value.count) != nil else { return false }
    if fields.isEmpty {
      bytes.reserveCapacity(Self.usualBytes)
      fields.reserveCapacity(Self.usualCount)
    }
    let lineBytes = name.count + 2 + value.count + 2
    withUnsafeTemporaryAllocation(byteCount: lineBytes, alignment: 1) { line in
      for index in 0..<name.count { line[index] = name[index].asciiLowercased }
      line[name.count] = UInt8(ascii: ":")
      line[name.count + 1] = UInt8(ascii: " ")
      let text = UnsafeMutableRawBufferPointer(rebasing: line[(name.count + 2)..<(lineBytes - 2)])
      text.copyMemory(from: value)
      if holdsControlCharacter(value) {
        // A tab is part of a value as a space is.
        for index in text.indices
        where isPaddingCharacter(text[index]) && text[index] != UInt8(ascii: "\t") {
          text[index] = UInt8(ascii: " ")
        }
      }
      line[lineBytes - 2] = UInt8(ascii: "\r")
      line[lineBytes - 1] = UInt8(ascii: "\n")
      bytes.append(contentsOf: line)
    }
    fields.append(
      Field(
        nameStart: UInt32(truncatingIfNeeded: nameStart),
        nameCount: UInt32(truncatingIfNeeded: name.count),
        valueStart: UInt32(truncatingIfNeeded: valueStart),
        valueCount: UInt32(truncatingIfNeeded: value.count)))
    return true
  }

  /// Replaces all fields with `name` by one at the end.
  package mutating func set(_ name: String, _ value: String) {
    remove(name)
    append(name, value)
  }

  /// Removes all fields with `name`.
  package mutating func remove(_ name: String) {
    guard contains(name) else { return }
    var kept = HTTPHeaders()
    for field in fields where !matches(field, name) {
      kept.append(string(field.name), valueBytes: Array(bytes[field.value]))
    }
    self = kept
  }

  /// Room for the fields of a usual response, so that building one allocates once for each array.
  private static let usualBytes = 384
  private static let usualCount = 12
}

/// Fields by position, as pairs of name and value.
extension HTTPHeaders: RandomAccessCollection {
  public var startIndex: Int { 0 }
  public var endIndex: Int { fields.count }
  public subscript(position: Int) -> (name: String, value: String) {
    (string(fields[position].name), string(fields[position].value))
  }
}

extension HTTPHeaders: ExpressibleByDictionaryLiteral {
  public init(dictionaryLiteral elements: (String, String)...) {
    self.init()
    for (name, value) in elements { append(name, value) }
  }
}

extension HTTPHeaders: CustomStringConvertible {
  public var description: String {
    map { "\($0.name): \($0.value)" }.joined(separator: "\n")
  }
}

/// Whether `bytes` spell `text`, which is ASCII, in either case.
func equalsIgnoringCase(_ bytes: some Collection<UInt8>, _ text: String) -> Bool {
  bytes.count == text.utf8.count
    && zip(bytes, text.utf8).allSatisfy { $0.asciiLowercased == $1.asciiLowercased }
}
