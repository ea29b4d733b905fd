// The types of settings: how a value is read from text (environment, flags) and from TOML, and how it is
// shown. A key of the table in ConfigurationKeys.swift has one of these.

import Base
import Codecs
import Reactor

/// How values of one type are read and shown.
struct SettingType<Value: Sendable>: Sendable {
  /// What is expected, after "expected": `a size such as "500G"`.
  let expectation: String
  /// Reads an environment variable, a flag, or a TOML string; `nil` when it is none.
  let fromText: @Sendable (String) -> Value?
  /// Reads a TOML value that is no string.
  let fromTOML: @Sendable (TOMLValue) -> Value?
  /// The value as TOML.
  let toTOML: @Sendable (Value) -> String

  init(
    _ expectation: String, fromText: @escaping @Sendable (String) -> Value?,
    fromTOML: @escaping @Sendable (TOMLValue) -> Value? = { _ in nil },
    toTOML: @escaping @Sendable (Value) -> String
  ) {
    self.expectation = expectation
    self.fromText = fromText
    self.fromTOML = fromTOML
    self.toTOML = toTOML
  }

  /// Reads a TOML value of whatever type.
  func read(_ value: TOMLValue) -> Value? {
    if case .string(let text) = value.kind { return fromText(text) }
    return fromTOML(value)
  }

  /// The same with values that `isValid` accepts.
  func satisfying(_ expectation: String, _ isValid: @escaping @Sendable (Value) -> Bool) -> Self {
    Self(
      expectation, fromText: { fromText($0).flatMap { isValid($0) ? $0 : nil } },
      fromTOML: { fromTOML($0).flatMap { isValid($0) ? $0 : nil } }, toTOML: toTOML)
  }
}

extension SettingType {
  /// A value of `type`, or an empty text for none.
  static func optional<Wrapped>(_ type: SettingType<Wrapped>) -> Self where Value == Wrapped? {
    Self(
      type.expectation,
      fromText: { $0.isEmpty ? .some(nil) : type.fromText($0).map { .some($0) } },
      fromTOML: { type.fromTOML($0).map { .some($0) } },
      toTOML: { $0.map(type.toTOML) ?? "\"\"" })
  }

  /// A value of `type`, or `word` for none.
  static func optional<Wrapped>(_ type: SettingType<Wrapped>, word: String) -> Self
  where Value == Wrapped? {
    Self(
      "\(type.expectation), or \"\(word)\"",
      fromText: { $0 == word ? .some(nil) : type.fromText($0).map { .some($0) } },
      fromTOML: { type.fromTOML($0).map { .some($0) } },
      toTOML: { $0.map(type.toTOML) ?? quoted(word) })
  }

  /// Any number of values of `type`: a TOML array of strings, or a text with commas.
  static func list<Element>(of type: SettingType<Element>, _ expectation: String) -> Self
  where Value == [Element] {
    Self(
      expectation,
      fromText: { text in all(text.split(separator: ",").map { type.fromText(trimmed($0)) }) },
      fromTOML: { value in
        guard case .array(let elements) = value.kind else { return nil }
        return all(elements.map { type.read($0) })
      },
      toTOML: { "[" + $0.map(type.toTOML).joined(separator: ", ") + "]" })
  }
}

extension SettingType where Value == String {
  static var text: Self { Self("a text", fromText: { $0 }, toTOML: quoted) }

  static var path: Self {
    Self("a path", fromText: { $0.isEmpty ? nil : $0 }, toTOML: quoted)
  }

  static var name: Self {
    text.satisfying("a name of 1 to 64 letters, digits, '.', '_' or '-'") { name in
      (1...64).contains(name.utf8.count)
        && name.utf8.allSatisfy {
          (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
            || [UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-")].contains($0)
        }
    }
  }

  static var domain: Self {
    text.satisfying("a domain that begins with a dot, such as \".s3.example.org\"") {
      $0.hasPrefix(".") && $0.utf8.count > 1 && !$0.contains(" ") && !$0.contains("/")
    }
  }

  static var url: Self {
    text.satisfying("an http:// or https:// address") { url in
      ["http://", "https://"].contains { url.hasPrefix($0) && url.utf8.count > $0.utf8.count }
    }
  }

  static var hostAndPort: Self {
    text.satisfying("a host and a port, such as \"node.example.org:3901\"") {
      HostAndPort(name: $0) != nil
    }
  }

  static var peer: Self {
    text.satisfying("a peer written <64 hex digits>@<host>:<port>") { peer in
      let parts = peer.split(separator: "@", maxSplits: 1)
      return parts.count == 2 && NodeID(hex: parts[0]) != nil
        && HostAndPort(name: String(parts[1])) != nil
    }
  }

  static var network: Self {
    text.satisfying("an IP address or network, such as \"10.0.0.0/8\"") {
      IPNetwork($0) != nil
    }
  }
}

extension SettingType where Value == Bool {
  static var boolean: Self {
    Self(
      "true or false", fromText: { $0 == "true" ? true : $0 == "false" ? false : nil },
      fromTOML: {
        guard case .boolean(let value) = $0.kind else { return nil }
        return value
      }, toTOML: { $0 ? "true" : "false" })
  }
}

extension SettingType where Value == Int {
  static func integer(_ range: ClosedRange<Int>) -> Self {
    Self(
      "a number from \(range.lowerBound) to \(range.upperBound)",
      fromText: { Int($0).flatMap { range.contains($0) ? $0 : nil } },
      fromTOML: {
        guard case .integer(let value) = $0.kind, let number = Int(exactly: value) else {
          return nil
        }
        return range.contains(number) ? number : nil
      }, toTOML: { "\($0)" })
  }
}

extension SettingType where Value == UInt64 {
  static var size: Self {
    Self(
      "a size such as \"500G\"", fromText: ByteSize.parse,
      fromTOML: {
        guard case .integer(let value) = $0.kind else { return nil }
        return UInt64(exactly: value)
      }, toTOML: { quoted(sizeText($0)) })
  }

  static func size(_ range: ClosedRange<UInt64>) -> Self {
    size.satisfying(
      "a size from \"\(sizeText(range.lowerBound))\" to \"\(sizeText(range.upperBound))\"",
      range.contains)
  }
}

extension SettingType where Value == CapacitySetting {
  static var capacity: Self {
    let size = SettingType<UInt64>.size.satisfying("a size such as \"500G\"") { $0 > 0 }
    return Self(
      "\(size.expectation), or \"auto\"",
      fromText: { $0 == "auto" ? .automatic : size.fromText($0).map { .bytes($0) } },
      fromTOML: { size.fromTOML($0).map { .bytes($0) } },
      toTOML: {
        if case .bytes(let bytes) = $0 { size.toTOML(bytes) } else { quoted("auto") }
      })
  }
}

extension SettingType where Value == ReplicationSetting {
  static var replication: Self {
    let number = SettingType<Int>.integer(1...5).satisfying("1, 2, 3 or 5") { $0 != 4 }
    return Self(
      "1, 2, 3, 5, or \"auto\"",
      fromText: { $0 == "auto" ? .automatic : number.fromText($0).map { .factor($0) } },
      fromTOML: { number.fromTOML($0).map { .factor($0) } },
      toTOML: {
        if case .factor(let factor) = $0 { number.toTOML(factor) } else { quoted("auto") }
      })
  }
}

extension SettingType where Value == Duration {
  static func duration(_ range: ClosedRange<Duration>) -> Self {
    Self(
      "a time from \"\(range.lowerBound.text)\" to \"\(range.upperBound.text)\"",
      fromText: { Duration(text: $0).flatMap { range.contains($0) ? $0 : nil } },
      toTOML: { quoted($0.text) })
  }
}

extension SettingType where Value == SocketAddress {
  static var address: Self {
    Self(
      "an address such as \"[::]:3900\" or \"127.0.0.1:3900\"",
      fromText: { text in
        guard let address = SocketAddress(parsing: text), !address.isUnix else { return nil }
        return address
      },
      toTOML: { quoted("\($0)") })
  }
}

extension SettingType where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
  static var choice: Self {
    Self(
      Value.allCases.map { quoted($0.rawValue) }.joined(separator: ", "),
      fromText: { Value(rawValue: $0) }, toTOML: { quoted($0.rawValue) })
  }
}

extension SettingType where Value == [NamedText] {
  static var pairs: Self {
    Self(
      "names with texts, such as { zone = \"paris\" }",
      fromText: { text in
        all(
          text.split(separator: ",").map { part in
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2 else { return nil }
            return NamedText(name: trimmed(pair[0]), text: trimmed(pair[1]))
          })
      },
      fromTOML: { value in
        guard case .table(let table) = value.kind else { return nil }
        return all(
          table.entries.map { entry in
            guard case .string(let text) = entry.value.kind else { return nil }
            return NamedText(name: entry.key, text: text)
          })
      },
      toTOML: { pairs in
        pairs.isEmpty
          ? "{}"
          : "{ " + pairs.map { "\(quoted($0.name)) = \(quoted($0.text))" }.joined(separator: ", ")
            + " }"
      })
  }
}

extension SettingType where Value == [DataDirectorySetting] {
  static var dataDirectories: Self {
    Self(
      "a path, or [{ path = \"...\", capacity = \"2T\" }, { path = \"...\", read_only = true }]",
      fromText: dataDirectories(in:),
      fromTOML: { value in
        guard case .array(let elements) = value.kind, !elements.isEmpty else { return nil }
        return all(elements.map(dataDirectory))
      },
      toTOML: { directories in
        // A path with a comma would be two.
        if directories.count == 1, directories == dataDirectories(in: directories[0].path) {
          return quoted(directories[0].path)
        }
        return "[" + directories.map(shown).joined(separator: ", ") + "]"
      })
  }

  private static func dataDirectories(in text: String) -> [DataDirectorySetting]? {
    let paths = text.split(separator: ",").map { trimmed($0) }
    return paths.isEmpty || paths.contains("") ? nil : paths.map { DataDirectorySetting(path: $0) }
  }

  private static func dataDirectory(_ value: TOMLValue) -> DataDirectorySetting? {
    if case .string(let path) = value.kind {
      return path.isEmpty ? nil : DataDirectorySetting(path: path)
    }
    guard case .table(let table) = value.kind, case .string(let path)? = table["path"]?.kind,
      !path.isEmpty
    else { return nil }
    var directory = DataDirectorySetting(path: path)
    for entry in table.entries {
      switch (entry.key, entry.value.kind) {
      case ("path", _): break
      case ("capacity", _):
        guard let bytes = SettingType<UInt64>.size.read(entry.value) else { return nil }
        directory.capacityBytes = bytes
      case ("read_only", .boolean(let isReadOnly)): directory.isReadOnly = isReadOnly
      default: return nil
      }
    }
    return directory
  }

  private static func shown(_ directory: DataDirectorySetting) -> String {
    var text = "{ path = \(quoted(directory.path))"
    if let bytes = directory.capacityBytes { text += ", capacity = \(quoted(sizeText(bytes)))" }
    if directory.isReadOnly { text += ", read_only = true" }
    return text + " }"
  }
}

/// All values, if none is missing.
private func all<Value>(_ values: [Value?]) -> [Value]? {
  let present = values.compactMap { $0 }
  return present.count == values.count ? present : nil
}

private func trimmed(_ text: Substring) -> String {
  String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
}

/// The text as a TOML string.
func quoted(_ text: String) -> String {
  var result = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"": result += "\\\""
    case "\\": result += "\\\\"
    case _ where scalar.value < 0x20 || scalar.value == 0x7F:
      result += "\\u00" + Hex.encode([UInt8(truncatingIfNeeded: scalar.value)])
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result + "\""
}

/// The size with the largest unit that leaves no fraction.
func sizeText(_ bytes: UInt64) -> String {
  var number = bytes
  var unit = 0
  let units = ["", "K", "M", "G", "T", "P"]
  while number > 0, number % 1024 == 0, unit < units.count - 1 {
    number /= 1024
    unit += 1
  }
  return "\(number)\(units[unit])"
}
