// TOML, and the configuration that is read from it.

import Base
import Codecs
import Daemon
private import Glibc
private import Synchronization

/// The tables of a document without their lines, which may differ.
private func lines(_ document: [UInt8], ending: String) -> [UInt8] {
  document.flatMap { $0 == 10 ? Array(ending.utf8) : [$0] }
}

private enum Parsed: Equatable {
  case table(TOMLTable)
  case failed(line: Int)

  init(_ document: [UInt8]) {
    do throws(TOMLError) {
      self = .table(try TOML.parse(document))
    } catch {
      self = .failed(line: error.line)
    }
  }
}

/// Whether two values are the same; a NaN is the same as itself.
private func same(_ left: TOMLValue, _ right: TOMLValue) -> Bool {
  switch (left.kind, right.kind) {
  case (.float(let left), .float(let right)): left == right || (left.isNaN && right.isNaN)
  case (.array(let left), .array(let right)):
    left.count == right.count && zip(left, right).allSatisfy(same)
  case (.table(let left), .table(let right)): same(left, right)
  default: left == right
  }
}

private func same(_ left: TOMLTable, _ right: TOMLTable) -> Bool {
  left.entries.count == right.entries.count
    && zip(left.entries, right.entries).allSatisfy {
      $0.key == $1.key && $0.value.line == $1.value.line && same($0.value, $1.value)
    }
}

private func same(_ left: Parsed, _ right: Parsed) -> Bool {
  switch (left, right) {
  case (.table(let left), .table(let right)): same(left, right)
  default: left == right
  }
}

extension Fuzzer {
  static let toml = Fuzzer(
    "toml",
    of: [
      "Codecs/TOMLParser", "Codecs/TOMLParser+Scalars", "Codecs/TOMLParser+Strings",
      "Codecs/TOMLTableBuilder",
      "Codecs/TOMLValue",
    ]
  ) { input in
    let parsed = Parsed(input)
    do throws(TOMLError) {
      _ = try TOML.parse(input)
    } catch {
      let count = input.count { $0 == 10 }
      try require((1...count + 1).contains(error.line), "line \(error.line) of \(count + 1)")
      try require((1...input.count + 1).contains(error.column), "column \(error.column)")
    }
    if !input.contains(13) {
      try require(
        same(Parsed(lines(input, ending: "\r\n")), parsed), "other ends of lines, another document")
    }
    if !input.starts(with: [0xEF, 0xBB, 0xBF]) {
      try require(
        same(Parsed([0xEF, 0xBB, 0xBF] + input), parsed), "a byte order mark changes the document")
    }
    guard case .table(let table) = parsed else { return }
    try require(
      same(Parsed(input + Array("\n# end".utf8)), parsed), "a comment changes the document")
    if let text = String(validating: input, as: UTF8.self), let again = try? TOML.parse(text) {
      try require(same(again, table), "a document as text")
      // A NaN is not equal to itself.
      let hasNaN = text.contains("nan")
      try require(again == table || hasNaN, "the same document, and not equal")
    }
    for entry in table.entries {
      try require(
        table[entry.key].map { same($0, entry.value) } ?? false,
        "a value that its key does not find")
      try require(!entry.value.typeName.isEmpty, "no name of the type")
    }
  }

  // MARK: The configuration

  /// Where the file under test is: in memory, and of this process alone.
  private static let path = "/dev/shm/grange-fuzz-\(getpid()).toml"
  /// There is one file, and tests run side by side.
  private static let oneAtATime = Mutex(())

  static let configuration = Fuzzer(
    "configuration",
    of: [
      "Daemon/Configuration/ConfigurationLoader", "Daemon/Configuration/ConfigurationKey",
      "Daemon/Configuration/SettingType", "Daemon/Configuration/SecretFile",
      "Daemon/Configuration/SmallFile",
      "Daemon/Configuration/DurationText", "Daemon/Configuration/Addresses", "Base/ByteSize",
      "Reactor/IPNetwork",
      "Reactor/SocketAddress",
    ]
  ) { input in
    try oneAtATime.withLock { _ in try checkConfiguration(input) }
  }

  private static func checkConfiguration(_ input: [UInt8]) throws {
    defer { unlink(path) }
    // As variables, texts of the file's top are read too.
    var environment: [String: String] = [:]
    if let table = try? TOML.parse(input) {
      for entry in table.entries where entry.key.hasPrefix("GRANGE_") {
        if case .string(let text) = entry.value.kind { environment[entry.key] = text }
      }
    }
    environment["GRANGE_CONFIG"] = nil
    try writeSecrets()
    guard let loaded = try load(input, environment) else { return }
    guard loaded.configuration.admin.tokenFile == nil,
      loaded.configuration.admin.metricsTokenFile == nil,
      loaded.configuration.discovery.consul.tokenFile == nil
    else { return }
    guard let again = try load(Array(loaded.toml.utf8), [:]) else {
      throw BrokenProperty(description: "what is shown cannot be read:\n\(loaded.toml)")
    }
    try require(
      withoutSecrets(again.configuration) == withoutSecrets(loaded.configuration),
      "what is shown is another configuration:\n\(loaded.toml)")
    try require((try? JSON.parse(loaded.json.bytes())) == loaded.json, "the JSON form")
  }

  /// The configuration in `document`; `nil` when it is none.
  private static func load(
    _ document: [UInt8], _ environment: [String: String]
  ) throws -> LoadedConfiguration? {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    try require(
      descriptor >= 0 && write(descriptor, document, document.count) == document.count, "no file")
    // Others may read every other file, as some operators let them.
    fchmod(descriptor, document.count.isMultiple(of: 2) ? 0o600 : 0o644)
    close(descriptor)
    var sources = ConfigurationSources(environment: environment)
    sources.dataFlag = environment["GRANGE_DATA"]
    sources.defaultFilePath = path
    switch document.count % 8 {
    case 0: sources.filePath = environment["GRANGE_FILE"] ?? path
    case 1: sources.environment["GRANGE_CONFIG"] = path
    case 2: sources.environment["GRANGE_CONFIG"] = ""
    default: break
    }
    do throws(ConfigurationError) {
      return try ConfigurationLoader.load(sources)
    } catch {
      try require(!error.problems.isEmpty, "refused without a reason")
      return nil
    }
  }

  /// Files that settings under test may name: one that is right, and some that are not.
  private static func writeSecrets() throws {
    guard access("/dev/shm/grange-fuzz-secret", F_OK) != 0 else { return }
    for (name, text, mode) in [
      ("secret", "token \n", 0o600), ("open", "token", 0o644), ("empty", "\n", 0o600),
      ("short", "x", 0o600),
    ] as [(String, String, mode_t)] {
      let descriptor = open(
        "/dev/shm/grange-fuzz-\(name)", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
      try require(descriptor >= 0, "no file")
      try require(write(descriptor, text, text.utf8.count) == text.utf8.count, "no secret")
      close(descriptor)
    }
  }

  private static func withoutSecrets(_ configuration: Configuration) -> Configuration {
    var configuration = configuration
    configuration.admin.token = nil
    configuration.admin.metricsToken = nil
    configuration.discovery.consul.token = nil
    return configuration
  }
}
