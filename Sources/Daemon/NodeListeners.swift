// The ports and sockets of a node and the servers behind them.

import AdminAPI
import Base
import HTTP
import Reactor
import S3API
import Synchronization

/// Sockets that are bound, and not served yet: so a taken port is found before anything else happens.
struct NodeListeners: Sendable {
  let s3: any NetworkListener
  let tls: TLSContext?
  let admin: any NetworkListener
  let adminSocket: any NetworkListener
  /// Keeps the socket's folder open when its path is long.
  private let adminSocketPath: SocketPath

  /// Binds all of them.
  ///
  /// - Throws: `NodeFailure`.
  init(_ configuration: Configuration, on network: any Network) throws {
    if let certificate = configuration.s3.tlsCertificate, let key = configuration.s3.tlsKey {
      tls = try TLSContext.server(TLSCertificateFiles(certificate: certificate, key: key))
    } else {
      tls = nil
    }
    s3 = try Self.bind(configuration.s3.bind, on: network, setting: "s3.bind")
    admin = try Self.bind(configuration.admin.bind, on: network, setting: "admin.bind")
    adminSocketPath = try SocketPath(
      SocketPath.adminSocket(in: configuration.metadataDirectory))
    adminSocket = try network.listen(unixPath: adminSocketPath.path, mode: 0o600)
  }

  private static func bind(
    _ address: SocketAddress, on network: any Network, setting: String
  ) throws(NodeFailure) -> any NetworkListener {
    do {
      return try network.listen(address)
    } catch {
      throw NodeFailure("\(setting): \(error)")
    }
  }

  /// Where S3 clients on this machine connect to.
  var s3Endpoint: String {
    let address = s3.localAddress
    let host =
      address.isAny || address.isLoopback
      ? "localhost" : address.isIPv6 ? "[\(address.host)]" : address.host
    return "\(tls == nil ? "http" : "https")://\(host):\(address.port ?? 0)"
  }
}

/// The servers of a node.
final class NodeServers: Sendable {
  private let listeners: NodeListeners
  private let s3: HTTPServer
  private let admin: HTTPServer
  private let adminSocket: HTTPServer
  private let s3ConnectionsMax: Int
  private let adminConnectionsMax: Int
  private let runtime: any Runtime
  private let logger: Logger

  /// How long a TLS handshake may take: a slow phone needs two, and nobody gets a connection for nothing.
  private static let handshakeMax: Duration = .seconds(15)

  /// Descriptors that are not for connections, if there are enough: for those of files that threads read and write
  /// at once, many times over.
  private static let filesReserved = 4096

  /// Connections of the admin interface: commands and a monitoring system.
  private static let adminConnectionsMax = 64

  init(
    _ listeners: NodeListeners, configuration: Configuration, storage: NodeStorage,
    node: any AdminNode, cluster: NodeCluster, filesMax: Int, runtime: any Runtime,
    metrics: MetricsRegistry,
    logger: Logger
  ) {
    self.listeners = listeners
    self.runtime = runtime
    self.logger = logger
    let s3Handler = S3Handler(
      options: Self.s3Options(configuration.s3, cluster), store: storage.store, runtime: runtime,
      metrics: metrics, logger: logger.labelled("s3"))
    var options = HTTPServer.Options()
    options.name = "s3"
    options.requestIDHeader = S3Handler.requestIDHeader
    options.connectionsMax = min(options.connectionsMax, Self.connectionsMax(filesMax: filesMax))
    s3ConnectionsMax = options.connectionsMax
    let adminConnectionsMax = min(Self.adminConnectionsMax, options.connectionsMax / 4)
    self.adminConnectionsMax = adminConnectionsMax
    s3 = HTTPServer(
      options: options, runtime: runtime, handler: s3Handler, metrics: metrics,
      logger: logger.labelled("s3"))
    let endpoints = AdminEndpoints(
      store: storage.store, node: node, cluster: cluster, wallNow: { runtime.wallNow })
    func adminServer(_ name: String, _ access: AdminHandler.Access) -> HTTPServer {
      var options = HTTPServer.Options()
      options.name = name
      options.connectionsMax = adminConnectionsMax
      let handler = AdminHandler(
        endpoints: endpoints, access: access, metrics: metrics, logger: logger.labelled("admin"))
      return HTTPServer(
        options: options, runtime: runtime, handler: handler, metrics: metrics,
        logger: logger.labelled("admin"))
    }
    let tokens = configuration.admin
    admin = adminServer("admin", .tokens(admin: tokens.token, metrics: tokens.metricsToken))
    adminSocket = adminServer("admin_socket", .open)
  }

  /// How many connections S3 clients may have when the process may have `filesMax` descriptors: four fifths of what
  /// files leave, as the admin interface and those who are refused need some too.
  private static func connectionsMax(filesMax: Int) -> Int {
    max(16, (filesMax - min(filesMax / 2, filesReserved)) / 5 * 4)
  }

  /// A few more than a server takes, so that it can say that there are too many.
  private static func refusedAtOnceMax(_ connectionsMax: Int) -> Int { min(64, connectionsMax / 4) }

  private static func s3Options(
    _ configuration: Configuration.S3, _ cluster: NodeCluster
  ) -> S3Handler.Options {
    var options = S3Handler.Options(
      region: configuration.region, rootDomain: configuration.rootDomain ?? "")
    options.trustedProxies = TrustedProxies(configuration.trustedProxies.compactMap(IPNetwork.init))
    options.logsAccess = configuration.logsAccess
    options.refusal = { cluster.whyNothingIsStored }
    return options
  }

  /// Begins to serve; must be called on a loop.
  func start() {
    serve(listeners.s3, s3, tls: listeners.tls, connectionsMax: s3ConnectionsMax)
    serve(listeners.admin, admin, tls: nil, connectionsMax: adminConnectionsMax)
    serve(listeners.adminSocket, adminSocket, tls: nil, connectionsMax: adminConnectionsMax)
  }

  private func serve(
    _ listener: any NetworkListener, _ server: HTTPServer, tls: TLSContext?, connectionsMax: Int
  ) {
    let limit = connectionsMax + Self.refusedAtOnceMax(connectionsMax)
    runtime.spawn { [runtime, logger] in
      await listener.serve(limit: limit, logger: logger) { stream in
        guard let tls else { return await server.serve(stream, isTLS: false) }
        await server.serve(stream) { stream in
          try await TLSStream.accept(
            stream, context: tls, deadline: runtime.now + Self.handshakeMax)
        }
      }
    }
  }

  /// Reads certificates again.
  func reload() {
    guard let tls = listeners.tls else { return logger.info("there are no certificates to reload") }
    do {
      try tls.reload()
      logger.info("the TLS certificate was read again")
    } catch {
      logger.error("the TLS certificate stays as it was: \(error)")
    }
  }

  /// Accepts no more connections, lets running requests end within `grace`, and cuts off the rest.
  ///
  /// - Returns: Whether no request is under way any more.
  func stop(grace: Duration) async -> Bool {
    listeners.s3.close()
    listeners.admin.close()
    listeners.adminSocket.close()
    return await withTaskGroup { group in
      for server in [s3, admin, adminSocket] {
        group.addTask { await server.shutdown(grace: grace) }
      }
      return await group.reduce(true) { $0 && $1 }
    }
  }
}
