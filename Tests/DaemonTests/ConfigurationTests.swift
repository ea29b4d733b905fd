import Base
import Codecs
import Daemon
import Glibc
import Reactor
import Testing

@Suite struct ConfigurationTests {
  /// A configuration file, gone at the end.
  private final class TemporaryFile {
    let path: String

    init(_ text: String, mode: mode_t = 0o600, in folder: String = "/tmp") {
      var template = Array("\(folder)/grange-test-XXXXXX".utf8CString)
      let descriptor = mkstemp(&template)
      path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
      _ = Array(text.utf8).withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      fchmod(descriptor, mode)
      close(descriptor)
    }

    deinit { unlink(path) }
  }

  private func load(
    _ text: String? = nil, _ environment: [String: String] = [:], data: String? = nil
  ) throws -> LoadedConfiguration {
    let file = text.map { TemporaryFile($0) }
    var sources = ConfigurationSources(
      filePath: file?.path, dataFlag: data, environment: environment)
    sources.defaultFilePath = "/nonexistent/grange.toml"
    defer { withExtendedLifetime(file) {} }
    return try ConfigurationLoader.load(sources)
  }

  /// The problems without the random name of the file.
  private func problems(_ text: String? = nil, _ environment: [String: String] = [:]) -> [String] {
    do {
      _ = try load(text, environment)
      return []
    } catch {
      return (error as? ConfigurationError)?.problems.map { problem in
        problem.hasPrefix("/tmp/") ? String(problem.drop { $0 != "," }.dropFirst(2)) : problem
      } ?? ["\(error)"]
    }
  }

  @Test func hasADefaultForEverything() throws {
    let loaded = try load()
    #expect(loaded.configuration == Configuration())
    #expect(loaded.warnings == [])
    #expect("\(loaded.configuration.s3.bind)" == "[::]:3900")
    #expect("\(loaded.configuration.admin.bind)" == "127.0.0.1:3903")
  }

  /// The example of the house plan, with every key of the first issue and of later ones.
  private static let wholeFile =
    """
    metadata_dir = "/m"
    data_dir = [{ path = "/a", capacity = "2T" }, { path = "/b", read_only = true }]
    capacity = "500G"
    zone = "paris"
    node_name = "n"
    replication = 3
    layout = "manual"
    consistency = "degraded"
    compression_level = "none"
    fsync = true
    block_size = "1M"
    inline_threshold = "8K"
    block_ram_buffer_max = "128M"
    log_level = "debug"
    log_format = "json"
    [rpc]
    bind = "[::]:3901"
    public_addresses = ["a.example:3901", "[2001:db8::1]:3901"]
    upload_limit = "1M"
    download_limit = "none"
    [s3]
    bind = "127.0.0.1:0"
    region = "home"
    root_domain = ""
    tls_cert = "/c"
    tls_key = "/k"
    trusted_proxies = ["10.0.0.0/8", "::1"]
    [web]
    bind = "[::]:3902"
    root_domain = ".web.example.org"
    [admin]
    bind = "127.0.0.1:3903"
    token = "t"
    metrics_token = "m"
    [k2v]
    bind = "[::]:3904"
    [discovery]
    bootstrap_peers = ["0000000000000000000000000000000000000000000000000000000000000000@h:3901"]
    lan = false
    [discovery.consul]
    address = "http://127.0.0.1:8500"
    service_name = "s"
    api = "agent"
    token = "c"
    tls_skip_verify = true
    tags = ["x"]
    meta = { rack = "1" }
    [nat]
    enabled = false
    ports = ["rpc", "s3"]
    lease = "30m"
    consul_services = true
    firewall = "none"
    """

  @Test func readsTheWholeFile() throws {
    let configuration = try load(Self.wholeFile).configuration
    #expect(
      configuration.dataDirectories == [
        DataDirectorySetting(path: "/a", capacityBytes: 2 << 40),
        DataDirectorySetting(path: "/b", isReadOnly: true),
      ])
    #expect(configuration.capacity == .bytes(500 << 30))
    #expect(configuration.replication == .factor(3))
    #expect(configuration.compressionLevel == nil)
    #expect(configuration.rpc.uploadLimitBytes == 1 << 20)
    #expect(configuration.rpc.downloadLimitBytes == nil)
    #expect(configuration.s3.rootDomain == nil)
    #expect(configuration.discovery.consul.metadata == [NamedText(name: "rack", text: "1")])
    #expect(configuration.nat.lease == .seconds(1800))
    #expect(configuration.nat.ports == [.rpc, .s3])
  }

  @Test func flagsWinOverEnvironmentOverFileOverDefaults() throws {
    let file =
      "metadata_dir = \"/file\"\ndata_dir = \"/file\"\nzone = \"file\"\nnode_name = \"file\""
    let environment = ["GRANGE_METADATA_DIR": "/env", "GRANGE_ZONE": "env"]
    let loaded = try load(file, environment, data: "/flag/")
    #expect(loaded.configuration.metadataDirectory == "/flag/meta")
    #expect(loaded.configuration.dataDirectories == [DataDirectorySetting(path: "/flag/data")])
    #expect(loaded.configuration.zone == "env")
    #expect(loaded.configuration.nodeName == "file")
    #expect(loaded.origins["zone"] == "environment, GRANGE_ZONE")
    #expect(loaded.origins["node_name"]?.hasSuffix(", line 4") == true)
    #expect(loaded.origins["s3.bind"] == nil)
  }

  @Test func readsTheEnvironment() throws {
    let configuration = try load(
      nil,
      [
        "GRANGE_DISCOVERY_CONSUL_ADDRESS": "https://consul:8501", "GRANGE_FSYNC": "true",
        "GRANGE_DATA_DIR": "/a, /b", "GRANGE_S3_TRUSTED_PROXIES": "10.0.0.1,10.1.0.0/16",
        "GRANGE_DISCOVERY_CONSUL_META": "a=1, b=", "GRANGE_REPLICATION": "2",
        "GRANGE_S3_ROOT_DOMAIN": "",
      ]
    ).configuration
    #expect(configuration.discovery.consul.address == "https://consul:8501")
    #expect(configuration.dataDirectories.map(\.path) == ["/a", "/b"])
    #expect(configuration.s3.trustedProxies == ["10.0.0.1", "10.1.0.0/16"])
    #expect(configuration.discovery.consul.metadata.map(\.text) == ["1", ""])
    #expect(configuration.replication == .factor(2))
    #expect(configuration.s3.rootDomain == nil)
  }

  @Test func namesTheNearestKeyAndTheLine() {
    #expect(
      problems("[s3]\nregon = \"x\"")
        == ["line 2: unknown key 's3.regon'; did you mean 's3.region'?"])
    #expect(
      problems("metdata_dir = \"x\"\nregion = \"y\"") == [
        "line 1: unknown key 'metdata_dir'; did you mean 'metadata_dir'?",
        "line 2: unknown key 'region'; did you mean 's3.region'?",
      ])
    #expect(
      problems("quite_something_else = 1")
        == [
          "line 1: unknown key 'quite_something_else'; docs/configuration.md lists the known ones"
        ])
    #expect(problems("s3 = 1") == ["line 1: [s3] is a section, not a value"])
    #expect(problems("a = ")[0].hasPrefix("line 1, column 5: expected a value"))
  }

  @Test(arguments: [
    ("replication = 4", "replication: expected 1, 2, 3, 5, or \"auto\", found an integer"),
    ("layout = \"atuo\"", "layout: expected \"auto\", \"manual\", found \"atuo\""),
    ("fsync = \"yes\"", "fsync: expected true or false, found \"yes\""),
    ("block_size = \"1K\"", "block_size: expected a size from \"64K\" to \"16M\", found \"1K\""),
    ("data_dir = []", "data_dir: expected a path, or [{ path"),
    ("data_dir = [{ path = \"/a\", cap = 1 }]", "data_dir: expected a path, or [{ path"),
    ("compression_level = 0", "compression_level: expected a number from 1 to 19, or \"none\""),
    ("[s3]\nbind = \"localhost\"", "s3.bind: expected an address such as"),
    ("[s3]\nbind = \"[::]\"", "s3.bind: expected an address such as"),
    ("[s3]\nbind = \"/run/s3.sock\"", "s3.bind: expected an address such as"),
    ("[s3]\nroot_domain = \"s3.x\"", "s3.root_domain: expected a domain that begins with a dot"),
    ("[s3]\ntrusted_proxies = [\"10.0.0.0/33\"]", "s3.trusted_proxies: expected IP addresses"),
    ("[rpc]\npublic_addresses = [\"a b:1\"]", "rpc.public_addresses: expected host:port"),
    ("[discovery]\nbootstrap_peers = [\"h:3901\"]", "discovery.bootstrap_peers: expected peers"),
    ("[nat]\nlease = \"1x\"", "nat.lease: expected a time from \"2m\" to \"7d\", found \"1x\""),
    ("[admin]\ntoken = 5", "admin.token: expected a text, found an integer"),
  ])
  func saysWhatIsExpected(text: String, problem: String) throws {
    let found = try #require(problems(text).first)
    #expect(found.contains(problem), "\(found)")
  }

  @Test func checksWhatSettingsSayTogether() {
    #expect(
      problems("[s3]\ntls_cert = \"/c\"")
        == ["s3.tls_cert and s3.tls_key belong together: give both or none"])
    #expect(
      problems("[s3]\nbind = \"[::]:3903\"") == ["s3.bind and admin.bind are both port 3903"])
    #expect(problems("[s3]\nbind = \"127.0.0.2:3903\"") == [])
    #expect(
      problems("block_size = \"16M\"\nblock_ram_buffer_max = \"64M\"")
        == ["block_ram_buffer_max is 64M; it must hold at least 8 blocks of block_size, 128M"])
    #expect(
      problems("data_dir = [{ path = \"/a\", read_only = true }]")
        == ["data_dir: at least one folder must not be read_only"])
  }

  @Test func warnsOfVariablesThatAreNoSettings() throws {
    let loaded = try load(nil, ["GRANGE_S3_BNID": "x", "GRANGE_PORT": "tcp://10.0.0.1:3900"])
    #expect(loaded.warnings.count == 2)
    #expect(
      loaded.warnings.last
        == "the environment variable GRANGE_S3_BNID is no setting; did you mean GRANGE_S3_BIND?")
  }

  @Test func readsSecretsFromFilesThatOthersCannotRead() throws {
    let secret = TemporaryFile("s3cret\n")
    let environment = ["GRANGE_ADMIN_TOKEN_FILE": secret.path]
    #expect(try load(nil, environment).configuration.admin.token == "s3cret")
    // The environment's file wins over the configuration file's token.
    #expect(try load("[admin]\ntoken = \"x\"", environment).configuration.admin.token == "s3cret")
    #expect(
      problems("[admin]\ntoken = \"x\"\ntoken_file = \"\(secret.path)\"")
        == ["admin.token and admin.token_file are both given"])
    let open = TemporaryFile("s3cret\n", mode: 0o644)
    let found = problems(nil, ["GRANGE_ADMIN_TOKEN_FILE": open.path])
    #expect(found.count == 1 && found[0].contains("others; run: chmod 600"), "\(found)")
    let empty = TemporaryFile("\n")
    #expect(problems(nil, ["GRANGE_ADMIN_TOKEN_FILE": empty.path])[0].hasSuffix("is empty"))
    #expect(
      problems(nil, ["GRANGE_ADMIN_TOKEN_FILE": "/nonexistent"])[0].hasSuffix(
        "cannot be read: No such file or directory"))
  }

  @Test func groupsMayReadASecret() throws {
    for mode: mode_t in [0o640, 0o660] {
      let file = TemporaryFile("s3cret", mode: mode)
      #expect(
        try load(nil, ["GRANGE_ADMIN_TOKEN_FILE": file.path]).configuration.admin.token == "s3cret")
    }
    for mode: mode_t in [0o604, 0o602] {
      let file = TemporaryFile("s3cret", mode: mode)
      #expect(problems(nil, ["GRANGE_ADMIN_TOKEN_FILE": file.path]).count == 1)
    }
  }

  /// Platforms set the mode of what they hand over.
  @Test func secretsOfThePlatformMayHaveAnyMode() throws {
    let (handed, other) = (
      TemporaryFile("s3cret \n\n", mode: 0o644, in: "/dev/shm"), TemporaryFile("", mode: 0o644)
    )
    let environment = ["GRANGE_ADMIN_TOKEN_FILE": handed.path]
    let container = environment.merging(["KUBERNETES_SERVICE_HOST": "10.0.0.1"]) { $1 }
    let unit = environment.merging(["CREDENTIALS_DIRECTORY": "/dev/shm"]) { $1 }
    for environment in [unit, container] {
      #expect(try load(nil, environment).configuration.admin.token == "s3cret ")
    }
    // Not through it, and not what only looks so.
    for path in ["/dev/shm/../..\(other.path)", other.path] {
      let found = problems(
        nil, ["GRANGE_ADMIN_TOKEN_FILE": path, "CREDENTIALS_DIRECTORY": "/dev/shm"])
      #expect(found.first?.contains("others") == true, "\(found)")
    }
    // What lies in the container itself was not mounted into it.
    guard access("/", W_OK) == 0 else { return }
    let inside = TemporaryFile("s3cret", mode: 0o644, in: "/")
    let found = problems(
      nil, ["GRANGE_ADMIN_TOKEN_FILE": inside.path, "KUBERNETES_SERVICE_HOST": "10.0.0.1"])
    #expect(found.first?.contains("others") == true, "\(found)")
  }

  @Test func refusesAFileThatWasNamedAndIsMissing() {
    #expect(throws: ConfigurationError.self) {
      try ConfigurationLoader.load(ConfigurationSources(filePath: "/nonexistent"))
    }
    #expect(throws: ConfigurationError.self) {
      try ConfigurationLoader.load(ConfigurationSources(environment: ["GRANGE_CONFIG": "/no"]))
    }
  }

  @Test func masksSecretsWhenShown() throws {
    let loaded = try load("zone = \"z\"\n[admin]\ntoken = \"hidden\"")
    #expect(!loaded.toml.contains("hidden"))
    #expect(!loaded.json.serialize().contains("hidden"))
    #expect(loaded.toml.contains("token = \"***\""))
    #expect(loaded.toml.contains("zone = \"z\"   # /tmp/"))
  }

  /// What is shown can be read again, and means the same.
  @Test func showsAFileThatCanBeRead() throws {
    let loaded = try load(
      "data_dir = [{ path = \"/a \\\"\\\\\", capacity = \"1.5G\" }]\nzone = \"z\"")
    #expect(try load(loaded.toml).configuration == loaded.configuration)
    #expect(try load(try load().toml).configuration == Configuration())
  }

  /// Every key can be set: two keys never set the same place, and none sets nothing.
  @Test func describesEachSettingOnce() {
    let keys = ConfigurationKey.all
    #expect(Set(keys.map(\.name)).count == keys.count)
    #expect(Set(keys.map(\.environmentName)).count == keys.count)
    for key in keys { #expect(!key.summary.hasSuffix("."), "\(key.name)") }
  }
}

@Suite struct DurationTextTests {
  @Test func readsAndWritesUnits() {
    #expect(Duration(text: "90s") == .seconds(90))
    #expect(Duration(text: "24h") == .seconds(86_400))
    #expect(Duration(text: "7d")?.text == "7d")
    #expect(Duration.seconds(90).text == "90s")
    #expect(Duration.seconds(3600).text == "1h")
    for text in ["", "s", "1", "1 h", "-1h", "1.5h", "99999999999999999d", "1w", "+1s"] {
      #expect(Duration(text: text) == nil, "\(text)")
    }
  }
}
