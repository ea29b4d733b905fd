// The table of all settings, in the order in which they are documented and shown.

extension ConfigurationKey {
  /// All settings.
  package static let all: [ConfigurationKey] =
    storage + objects + logs + interfaces + discovery + consul + nat

  private static let storage: [ConfigurationKey] = [
    ConfigurationKey(
      "metadata_dir", \.metadataDirectory, .path,
      "Folder of the metadata database, the node's key and the admin socket; put it on an SSD"),
    ConfigurationKey(
      "data_dir", \.dataDirectories, .dataDirectories,
      "Folder or folders of the blocks; in the environment, paths separated by commas"),
    ConfigurationKey(
      "capacity", \.capacity, .capacity,
      "How much the node offers; auto takes the free space less a reserve"),
    ConfigurationKey(
      "zone", \.zone, .optional(.name, word: "auto"),
      "The site of the node: copies of an object go to different zones"),
    ConfigurationKey(
      "node_name", \.nodeName, .optional(.text),
      "The node's name for people; empty for the host name"
    ),
    ConfigurationKey(
      "replication", \.replication, .replication,
      "Copies of each object; seeds the cluster's setting, auto grows up to 3"),
    ConfigurationKey(
      "layout", \.layout, .choice, "Who places data; seeds the cluster's setting"),
    ConfigurationKey(
      "consistency", \.consistency, .choice,
      "What reads and writes wait for; seeds the cluster's setting"),
  ]

  private static let objects: [ConfigurationKey] = [
    ConfigurationKey(
      "compression_level", \.compressionLevel, .optional(.integer(1...19), word: "none"),
      "zstd level of blocks that get smaller by it"),
    ConfigurationKey(
      "fsync", \.fsync, .boolean,
      "Whether an upload is on stable storage before it is acknowledged; false can lose it"),
    ConfigurationKey(
      "block_size", \.blockBytes, .size(64 << 10...16 << 20),
      "Largest block an object is cut into"),
    ConfigurationKey(
      "inline_threshold", \.inlineThresholdBytes, .size(0...64 << 10),
      "Objects up to this size are kept in the metadata database"),
    ConfigurationKey(
      "block_ram_buffer_max", \.blockBufferBytesMax, .size(8 << 20...64 << 30),
      "Memory for blocks under way; at the limit clients are slowed down; UploadPartCopy takes up to an eighth "
        + "more, or two blocks if that is more"),
  ]

  private static let logs: [ConfigurationKey] = [
    ConfigurationKey("log_level", \.logLevel, .choice, "The least level of log lines"),
    ConfigurationKey(
      "log_format", \.logFormat, .choice,
      "The form of log lines; auto is journald under systemd, else plain"),
  ]

  private static let interfaces: [ConfigurationKey] = [
    ConfigurationKey("rpc.bind", \.rpc.bind, .address, "Where other nodes connect to"),
    ConfigurationKey(
      "rpc.public_addresses", \.rpc.publicAddresses,
      .list(of: .hostAndPort, "host:port addresses, such as [\"node.example.org:3901\"]"),
      "Where other nodes reach this one from outside, if it is not found out"),
    ConfigurationKey(
      "rpc.upload_limit", \.rpc.uploadLimitBytes, .optional(.size(1 << 10...1 << 50), word: "none"),
      "Bytes a second sent to other nodes"),
    ConfigurationKey(
      "rpc.download_limit", \.rpc.downloadLimitBytes,
      .optional(.size(1 << 10...1 << 50), word: "none"), "Bytes a second received from other nodes"),
    ConfigurationKey("s3.bind", \.s3.bind, .address, "Where S3 clients connect to"),
    ConfigurationKey("s3.region", \.s3.region, .name, "The region that clients sign for"),
    ConfigurationKey(
      "s3.root_domain", \.s3.rootDomain, .optional(.domain),
      "Domain under which buckets are host names; empty for none"),
    ConfigurationKey(
      "s3.tls_cert", \.s3.tlsCertificate, .optional(.path),
      "PEM file of the certificate chain; with tls_key, S3 is HTTPS. SIGHUP reads both again"),
    ConfigurationKey("s3.tls_key", \.s3.tlsKey, .optional(.path), "PEM file of the private key"),
    ConfigurationKey(
      "s3.trusted_proxies", \.s3.trustedProxies,
      .list(of: .network, "IP addresses or networks, such as [\"127.0.0.1\", \"10.0.0.0/8\"]"),
      "Proxies whose X-Forwarded-For is believed"),
    ConfigurationKey(
      "s3.access_log", \.s3.logsAccess, .boolean,
      "Whether each request gets a line in the log, at level info. What reads the log must keep up"),
    ConfigurationKey("web.bind", \.web.bind, .address, "Where browsers connect to"),
    ConfigurationKey(
      "web.root_domain", \.web.rootDomain, .optional(.domain),
      "Domain under which buckets are web sites; empty for none"),
    ConfigurationKey("admin.bind", \.admin.bind, .address, "Where the admin interface listens"),
    ConfigurationKey(
      "admin.token", \.admin.token, .optional(.text), "Bearer token for all of the admin interface",
      isSecret: true),
    ConfigurationKey(
      "admin.token_file", \.admin.tokenFile, .optional(.path), "File with that token"),
    ConfigurationKey(
      "admin.metrics_token", \.admin.metricsToken, .optional(.text),
      "Bearer token for /metrics; without it /metrics is open", isSecret: true),
    ConfigurationKey(
      "admin.metrics_token_file", \.admin.metricsTokenFile, .optional(.path), "File with that token"
    ),
    ConfigurationKey("k2v.bind", \.k2v.bind, .address, "Where K2V clients connect to"),
  ]

  private static let discovery: [ConfigurationKey] = [
    ConfigurationKey(
      "discovery.bootstrap_peers", \.discovery.bootstrapPeers,
      .list(of: .peer, "peers, such as [\"<node id>@node.example.org:3901\"]"),
      "Nodes to connect to first"),
    ConfigurationKey(
      "discovery.lan", \.discovery.lan, .boolean,
      "Whether nodes on the local network are looked for"),
  ]

  private static let consul: [ConfigurationKey] = [
    ConfigurationKey(
      "discovery.consul.address", \.discovery.consul.address, .optional(.url),
      "Address of a Consul-compatible catalog; empty for none"),
    ConfigurationKey(
      "discovery.consul.service_name", \.discovery.consul.serviceName, .name,
      "Name of the service there"),
    ConfigurationKey(
      "discovery.consul.api", \.discovery.consul.api, .choice, "Which interface registers the node"),
    ConfigurationKey(
      "discovery.consul.token", \.discovery.consul.token, .optional(.text),
      "Token for Consul", isSecret: true),
    ConfigurationKey(
      "discovery.consul.token_file", \.discovery.consul.tokenFile, .optional(.path),
      "File with that token"),
    ConfigurationKey(
      "discovery.consul.ca_cert", \.discovery.consul.caCertificate, .optional(.path),
      "PEM file of the authority that signed Consul's certificate"),
    ConfigurationKey(
      "discovery.consul.client_cert", \.discovery.consul.clientCertificate, .optional(.path),
      "PEM file of the certificate shown to Consul"),
    ConfigurationKey(
      "discovery.consul.client_key", \.discovery.consul.clientKey, .optional(.path),
      "PEM file of its private key"),
    ConfigurationKey(
      "discovery.consul.tls_skip_verify", \.discovery.consul.skipsTLSVerification, .boolean,
      "Whether any certificate of Consul is accepted"),
    ConfigurationKey(
      "discovery.consul.tags", \.discovery.consul.tags,
      .list(of: .text, "texts, such as [\"prod\"]"),
      "Tags of the registered service"),
    ConfigurationKey(
      "discovery.consul.meta", \.discovery.consul.metadata, .pairs,
      "Metadata of the registered service; in the environment, name=text separated by commas"),
  ]

  private static let nat: [ConfigurationKey] = [
    ConfigurationKey(
      "nat.enabled", \.nat.isEnabled, .boolean, "Whether the router is asked to open ports"),
    ConfigurationKey(
      "nat.ports", \.nat.ports,
      .list(of: .choice, "some of \"rpc\", \"s3\", \"web\""), "Which ports"),
    ConfigurationKey(
      "nat.lease", \.nat.lease, .duration(.seconds(120)...(.seconds(7 * 86_400))),
      "For how long at a time"),
    ConfigurationKey(
      "nat.consul_services", \.nat.mapsConsulServices, .boolean,
      "Whether ports are opened for services of this host that Consul lists"),
    ConfigurationKey(
      "nat.firewall", \.nat.firewall, .choice, "Which firewall of the host is told of them"),
  ]
}
