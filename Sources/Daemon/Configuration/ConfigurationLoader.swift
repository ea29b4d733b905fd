// Puts a configuration together: flags over environment over file over defaults.
//
// All problems are collected, so that an operator mends a file in one go. Unknown keys of a file are
// errors; unknown GRANGE_ variables are warnings, because orchestrators invent such names (a Kubernetes service
// called `grange` gives every container a GRANGE_PORT).

private import Base
private import Codecs
private import Reactor
private import Glibc

/// Where settings come from beside the file.
package struct ConfigurationSources: Sendable {
  /// `--config`; without it `GRANGE_CONFIG`, and without that `/etc/grange.toml` if it exists.
  package var filePath: String?
  /// `--data`: `DIR/meta` and `DIR/data`.
  package var dataFlag: String?
  package var environment: [String: String]
  /// The file that is read when nobody names one.
  package var defaultFilePath = "/etc/grange.toml"

  package init(
    filePath: String? = nil, dataFlag: String? = nil, environment: [String: String] = [:]
  ) {
    self.filePath = filePath
    self.dataFlag = dataFlag
    self.environment = environment
  }
}

/// A configuration and how it came about.
package struct LoadedConfiguration: Sendable {
  package var configuration = Configuration()
  /// By key: where its value comes from; absent for a default.
  package var origins: [String: String] = [:]
  package var warnings: [String] = []
  /// The file that was read; `nil` for none.
  package var filePath: String?
}

/// Reads and checks settings.
package struct ConfigurationLoader {
  /// Variables that are no settings.
  private static let otherVariables: Set<String> = [
    "GRANGE_CONFIG", "GRANGE_SOCKET", "GRANGE_DEFAULT_ACCESS_KEY", "GRANGE_DEFAULT_SECRET_KEY",
    "GRANGE_DEFAULT_SECRET_KEY_FILE", "GRANGE_DEFAULT_BUCKET", "GRANGE_JOIN", "GRANGE_JOIN_FILE",
    "GRANGE_EXPERIMENTAL_CLUSTER",
  ]

  /// A configuration file's bytes at most.
  private static let fileBytesMax = 1 << 20

  private var result = LoadedConfiguration()
  private var problems: [String] = []
  /// Of each key that was set: 1 for the file, 2 for the environment, 3 for flags.
  private var ranks: [String: Int] = [:]

  private init() {}

  /// The configuration that `sources` make.
  package static func load(
    _ sources: ConfigurationSources
  ) throws(ConfigurationError) -> LoadedConfiguration {
    var loader = ConfigurationLoader()
    loader.readFile(sources)
    loader.readEnvironment(sources.environment)
    loader.readFlags(sources)
    loader.readSecretFiles(sources.environment)
    loader.check()
    if !loader.problems.isEmpty { throw ConfigurationError(loader.problems) }
    return loader.result
  }

  // MARK: The file

  private mutating func readFile(_ sources: ConfigurationSources) {
    let named = sources.filePath ?? sources.environment["GRANGE_CONFIG"].flatMap(nonEmpty)
    let path = named ?? sources.defaultFilePath
    let bytes: [UInt8]
    do throws(FileFailure) {
      bytes = try SmallFile.read(path, bytesMax: Self.fileBytesMax)
    } catch {
      if named != nil || error.code != ENOENT { problems.append("\(path): \(error.text)") }
      return
    }
    result.filePath = path
    do throws(TOMLError) {
      readTable(try TOML.parse(bytes), section: nil, file: path)
    } catch {
      problems.append("\(path), \(error)")
    }
  }

  private mutating func readTable(_ table: TOMLTable, section: String?, file: String) {
    for entry in table.entries {
      let name = section.map { "\($0).\(entry.key)" } ?? entry.key
      let place = "\(file), line \(entry.value.line)"
      if let key = ConfigurationKey.all.first(where: { $0.name == name }) {
        if key.setFromTOML(&result.configuration, entry.value) {
          note(key, origin: place, rank: 1)
        } else {
          problems.append(
            "\(place): \(name): expected \(key.expectation)\(found(entry.value, key))")
        }
      } else if ConfigurationKey.all.contains(where: { $0.name.hasPrefix(name + ".") }) {
        if case .table(let inner) = entry.value.kind {
          readTable(inner, section: name, file: file)
        } else {
          problems.append("\(place): [\(name)] is a section, not a value")
        }
      } else {
        problems.append("\(place): unknown key '\(name)'\(suggestion(name))")
      }
    }
  }

  private func found(_ value: TOMLValue, _ key: ConfigurationKey) -> String {
    if case .string(let text) = value.kind, !key.isSecret { return ", found \(quoted(text))" }
    return ", found \(value.typeName)"
  }

  private func suggestion(_ name: String) -> String {
    NearestName.find(name, among: ConfigurationKey.all.map(\.name))
      .map { "; did you mean '\($0)'?" } ?? "; docs/configuration.md lists the known ones"
  }

  // MARK: The environment and flags

  private mutating func readEnvironment(_ environment: [String: String]) {
    var known = Self.otherVariables
    for key in ConfigurationKey.all {
      let name = key.environmentName
      known.insert(name)
      guard let text = environment[name] else { continue }
      if key.setFromText(&result.configuration, text) {
        note(key, origin: "environment, \(name)", rank: 2)
      } else {
        let shown = key.isSecret ? "" : ", found \(quoted(text))"
        problems.append("environment, \(name): expected \(key.expectation)\(shown)")
      }
    }
    for name in environment.keys.sorted() where name.hasPrefix("GRANGE_") && !known.contains(name) {
      let meant = NearestName.find(name, among: known.sorted())
      let hint = meant.map { "; did you mean \($0)?" } ?? ""
      result.warnings.append("the environment variable \(name) is no setting\(hint)")
    }
  }

  private mutating func readFlags(_ sources: ConfigurationSources) {
    guard let folder = sources.dataFlag else { return }
    guard !folder.isEmpty else {
      problems.append("--data: expected a folder")
      return
    }
    let base = folder.hasSuffix("/") ? String(folder.dropLast()) : folder
    result.configuration.metadataDirectory = base + "/meta"
    result.configuration.dataDirectories = [DataDirectorySetting(path: base + "/data")]
    for key in ConfigurationKey.all where ["metadata_dir", "data_dir"].contains(key.name) {
      note(key, origin: "--data", rank: 3)
    }
  }

  private mutating func note(_ key: ConfigurationKey, origin: String, rank: Int) {
    result.origins[key.name] = origin
    ranks[key.name] = rank
  }

  // MARK: Secrets

  private mutating func readSecretFiles(_ environment: [String: String]) {
    readSecretFile("admin.token", \.admin.token, \.admin.tokenFile, environment)
    readSecretFile(
      "admin.metrics_token", \.admin.metricsToken, \.admin.metricsTokenFile, environment)
    readSecretFile(
      "discovery.consul.token", \.discovery.consul.token, \.discovery.consul.tokenFile, environment)
    if let path = result.filePath, SmallFile.mayBeReadByOthers(path) {
      for key in ConfigurationKey.all where key.isSecret && ranks[key.name] == 1 {
        result.warnings.append(
          "\(path) holds \(key.name) and others may read it; chmod 600 it, or use \(key.name)_file")
      }
    }
  }

  private mutating func readSecretFile(
    _ name: String, _ secret: WritableKeyPath<Configuration, String?>,
    _ file: KeyPath<Configuration, String?>, _ environment: [String: String]
  ) {
    guard let path = result.configuration[keyPath: file] else { return }
    let (secretRank, fileRank) = (ranks[name] ?? 0, ranks[name + "_file"] ?? 0)
    guard result.configuration[keyPath: secret] == nil || fileRank > secretRank else {
      if fileRank == secretRank { problems.append("\(name) and \(name)_file are both given") }
      return
    }
    do throws(ConfigurationProblem) {
      result.configuration[keyPath: secret] = try SecretFile.read(path, environment)
      result.origins[name] = path
    } catch {
      problems.append("\(result.origins[name + "_file"] ?? name): \(error.text)")
    }
  }

  // MARK: What settings say together

  private mutating func check() {
    let configuration = result.configuration
    if (configuration.s3.tlsCertificate == nil) != (configuration.s3.tlsKey == nil) {
      problems.append("s3.tls_cert and s3.tls_key belong together: give both or none")
    }
    let consul = configuration.discovery.consul
    if (consul.clientCertificate == nil) != (consul.clientKey == nil) {
      problems.append("discovery.consul.client_cert and client_key belong together")
    }
    if configuration.dataDirectories.allSatisfy(\.isReadOnly) {
      problems.append("data_dir: at least one folder must not be read_only")
    }
    let paths = configuration.dataDirectories.map(\.path)
    if Set(paths).count < paths.count { problems.append("data_dir names one folder twice") }
    if configuration.blockBufferBytesMax < 8 * configuration.blockBytes {
      problems.append(
        "block_ram_buffer_max is \(sizeText(configuration.blockBufferBytesMax)); it must hold at "
          + "least 8 blocks of block_size, \(sizeText(8 * configuration.blockBytes))")
    }
    checkPorts()
    if !configuration.fsync {
      result.warnings.append(
        "fsync is off: a power cut can lose uploads that were acknowledged, and more")
    }
  }

  private mutating func checkPorts() {
    let configuration = result.configuration
    let binds = [
      ("s3.bind", configuration.s3.bind), ("rpc.bind", configuration.rpc.bind),
      ("web.bind", configuration.web.bind), ("admin.bind", configuration.admin.bind),
      ("k2v.bind", configuration.k2v.bind),
    ]
    for (index, (name, address)) in binds.enumerated() where address.port ?? 0 != 0 {
      for (otherName, other) in binds[..<index] where other.port == address.port {
        if other.host == address.host || other.isAny || address.isAny {
          problems.append("\(otherName) and \(name) are both port \(address.port ?? 0)")
        }
      }
    }
    let admin = configuration.admin
    if !admin.bind.isLoopback, admin.token == nil {
      result.warnings.append(
        "admin.bind is \(admin.bind), which others can reach, and admin.token is not set: only "
          + "/health and /metrics answer there")
    }
  }
}

private func nonEmpty(_ text: String) -> String? { text.isEmpty ? nil : text }
