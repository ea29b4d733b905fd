// What a node is told to do: every setting of the configuration file with its type and its default.
//
// The names, types and meanings that operators see are in ConfigurationKeys.swift; a value here that no key sets
// would be dead, and a test looks for such.

package import Reactor

/// The settings of a node.
package struct Configuration: Equatable, Sendable {
  package var metadataDirectory = "/var/lib/grange/meta"
  package var dataDirectories = [DataDirectorySetting(path: "/var/lib/grange/data")]
  package var capacity = CapacitySetting.automatic
  /// The zone's name; `nil` to find it out.
  package var zone: String?
  /// The name that people see; `nil` for the host name.
  package var nodeName: String?
  package var replication = ReplicationSetting.automatic
  package var layout = LayoutSetting.automatic
  package var consistency = ConsistencySetting.consistent
  /// The zstd level; `nil` stores blocks as they are.
  package var compressionLevel: Int? = 1
  package var fsync = true
  package var blockBytes: UInt64 = 1 << 20
  package var inlineThresholdBytes: UInt64 = 8 << 10
  package var blockBufferBytesMax: UInt64 = 128 << 20
  package var logLevel = LogLevelSetting.info
  package var logFormat = LogFormatSetting.automatic
  package var rpc = RPC()
  package var s3 = S3()
  package var web = Web()
  package var admin = Admin()
  package var k2v = K2V()
  package var discovery = Discovery()
  package var nat = NAT()

  package init() {}

  /// The connections between nodes.
  package struct RPC: Equatable, Sendable {
    package var bind = SocketAddress.any(port: 3901)
    package var publicAddresses: [String] = []
    /// Bytes a second; `nil` for no limit.
    package var uploadLimitBytes: UInt64?
    package var downloadLimitBytes: UInt64?
  }

  /// The S3 interface.
  package struct S3: Equatable, Sendable {
    package var bind = SocketAddress.any(port: 3900)
    package var region = "grange"
    /// Begins with a dot; `nil` when buckets are not host names.
    package var rootDomain: String? = ".s3.grange.localhost"
    package var tlsCertificate: String?
    package var tlsKey: String?
    package var trustedProxies: [String] = []
    package var logsAccess = false
  }

  /// Buckets as web sites.
  package struct Web: Equatable, Sendable {
    package var bind = SocketAddress.any(port: 3902)
    package var rootDomain: String? = ".web.grange.localhost"
  }

  /// The administration interface.
  package struct Admin: Equatable, Sendable {
    package var bind = SocketAddress.ipv4(address: 0x7F00_0001, port: 3903)
    package var token: String?
    package var tokenFile: String?
    package var metricsToken: String?
    package var metricsTokenFile: String?
  }

  /// The key-value interface.
  package struct K2V: Equatable, Sendable {
    package var bind = SocketAddress.any(port: 3904)
  }

  /// Where other nodes may be found.
  package struct Discovery: Equatable, Sendable {
    package var bootstrapPeers: [String] = []
    package var lan = true
    package var consul = Consul()
  }

  /// A catalog with Consul's interface.
  package struct Consul: Equatable, Sendable {
    package var address: String?
    package var serviceName = "grange"
    package var api = ConsulInterface.catalog
    package var token: String?
    package var tokenFile: String?
    package var caCertificate: String?
    package var clientCertificate: String?
    package var clientKey: String?
    package var skipsTLSVerification = false
    package var tags: [String] = []
    package var metadata: [NamedText] = []
  }

  /// The home router.
  package struct NAT: Equatable, Sendable {
    package var isEnabled = true
    package var ports = [MappedPort.rpc]
    package var lease = Duration.seconds(3600)
    package var mapsConsulServices = false
    package var firewall = FirewallSetting.none
  }
}

/// A folder for blocks.
package struct DataDirectorySetting: Equatable, Sendable {
  package var path: String
  /// How much may be stored there; `nil` for what the file system has.
  package var capacityBytes: UInt64?
  package var isReadOnly: Bool

  package init(path: String, capacityBytes: UInt64? = nil, isReadOnly: Bool = false) {
    self.path = path
    self.capacityBytes = capacityBytes
    self.isReadOnly = isReadOnly
  }
}

/// How much the node offers the cluster.
package enum CapacitySetting: Equatable, Sendable {
  /// The free space of the data folders, less a reserve.
  case automatic
  case bytes(UInt64)
}

/// In how many places an object is kept.
package enum ReplicationSetting: Equatable, Sendable {
  /// As many as there are nodes, up to three.
  case automatic
  case factor(Int)
}

/// Who decides about the layout.
package enum LayoutSetting: String, CaseIterable, Equatable, Sendable {
  case automatic = "auto"
  case manual
}

/// What reads and writes wait for.
package enum ConsistencySetting: String, CaseIterable, Equatable, Sendable {
  case consistent
  case degraded
  case dangerous
}

/// The least level of log lines.
package enum LogLevelSetting: String, CaseIterable, Equatable, Sendable {
  case trace, debug, info, warning, error
}

/// The form of log lines.
package enum LogFormatSetting: String, CaseIterable, Equatable, Sendable {
  /// `journald` under systemd, else `plain`.
  case automatic = "auto"
  case plain
  case journald
  case json
}

/// Which of Consul's interfaces registers the node.
package enum ConsulInterface: String, CaseIterable, Equatable, Sendable {
  case catalog
  case agent
}

/// A port that the router may be asked for.
package enum MappedPort: String, CaseIterable, Equatable, Sendable {
  case rpc
  case s3
  case web
}

/// A host firewall that is told of mapped ports.
package enum FirewallSetting: String, CaseIterable, Equatable, Sendable {
  case none
}

/// A name and a text.
package struct NamedText: Equatable, Sendable {
  package var name: String
  package var text: String

  package init(name: String, text: String) {
    self.name = name
    self.text = text
  }
}
