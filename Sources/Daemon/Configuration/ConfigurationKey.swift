// One setting: its name, its place in `Configuration`, its type and what it is for. Parsing, environment
// variables, `grange config check` and docs/configuration.md all come from these.

import Codecs

/// A setting that an operator can give.
package struct ConfigurationKey: Sendable {
  /// The name in the file with its section: `s3.bind`.
  package let name: String
  /// What it does, in one line.
  package let summary: String
  /// What values it takes.
  package let expectation: String
  /// Whether its value is never shown.
  package let isSecret: Bool

  let setFromText: @Sendable (inout Configuration, String) -> Bool
  let setFromTOML: @Sendable (inout Configuration, TOMLValue) -> Bool
  let show: @Sendable (Configuration) -> String

  init<Value>(
    _ name: String, _ path: any (WritableKeyPath<Configuration, Value> & Sendable),
    _ type: SettingType<Value>, _ summary: String, isSecret: Bool = false
  ) {
    self.name = name
    self.summary = summary
    self.isSecret = isSecret
    expectation = type.expectation
    setFromText = { configuration, text in
      guard let value = type.fromText(text) else { return false }
      configuration[keyPath: path] = value
      return true
    }
    setFromTOML = { configuration, toml in
      guard let value = type.read(toml) else { return false }
      configuration[keyPath: path] = value
      return true
    }
    show = { type.toTOML($0[keyPath: path]) }
  }

  /// The environment variable: `GRANGE_S3_BIND`.
  package var environmentName: String {
    "GRANGE_" + name.uppercased().split(separator: ".").joined(separator: "_")
  }

  /// The section of the file; `nil` at its top.
  package var section: String? {
    name.lastIndex(of: ".").map { String(name[..<$0]) }
  }

  /// The name within its section.
  package var localName: String {
    name.lastIndex(of: ".").map { String(name[name.index(after: $0)...]) } ?? name
  }

  /// The default as TOML.
  package var defaultTOML: String { show(Configuration()) }
}
