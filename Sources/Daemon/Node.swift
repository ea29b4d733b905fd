// A running node: start, wait, stop.
//
// Start: the database, whose lock keeps other processes away; then all ports, so that a taken one is found
// before anything else; then tables, blocks and model; then the first key and bucket; and last the servers.
// Stop: no new connections, running requests may end, then background work, then the database.
//
// A node runs on any platform; the process around the one on a machine is in Node+Process.swift.

private import AdminAPI
import Base
package import Cluster
import Crypto
private import Glibc
private import LocalDB
package import Mesh
private import Reactor

/// A node from its configuration to its end.
package struct Node: Sendable {
  let loaded: LoadedConfiguration
  private let environment: [String: String]
  private let isQuickstart: Bool
  var joinToken: String?
  /// Whether a command gave it, and not the configuration: then the next start knows it only from this one.
  var isTokenOfCommand = false
  private let instructions: CommandInstructions
  let platform: NodePlatform
  private let announce: @Sendable (String) -> Void
  let output: LogOutput
  let logger: Logger

  /// A node that is not started.
  ///
  /// - Parameters:
  ///   - joinToken: The token of the cluster to join, as it was given.
  ///   - instructions: How a person reaches this node with commands.
  ///   - announce: Prints for the person who started the node.
  package init(
    configuration: LoadedConfiguration, environment: [String: String], isQuickstart: Bool,
    joinToken: String? = nil, instructions: CommandInstructions, platform: NodePlatform,
    announce: @escaping @Sendable (String) -> Void
  ) {
    loaded = configuration
    self.environment = environment
    self.isQuickstart = isQuickstart
    self.joinToken = joinToken
    self.instructions = instructions
    self.platform = platform
    self.announce = announce
    output =
      platform.log
      ?? LogSettings.output(configuration.configuration, environment: environment)
    logger = Logger(output: output, label: "node")
  }

  /// Starts everything; must be called on the platform's runtime.
  ///
  /// - Parameter beginAnew: Called when an operator wants the node to move its folders aside and to join with a token.
  /// - Throws: `NodeFailure`.
  package func start(
    beginAnew: @escaping @Sendable (_ token: String) -> Void = { _ in }
  ) async throws -> RunningNode {
    let (configuration, runtime) = (loaded.configuration, platform.runtime)
    for warning in loaded.warnings + clockFaults() { logger.warning(warning) }
    let filesMax = FileLimit.raise()
    let quickstart = try Quickstart(isAskedFor: isQuickstart, environment: environment)
    let metrics = MetricsRegistry()
    let storage = try storage(configuration, metrics: metrics)
    let tokenWarning = try await given(to: storage)
    let (listeners, mesh) = try listen(configuration, storage, metrics: metrics)
    let cluster = NodeCluster(
      storage.cluster, tables: storage.tables, mesh: mesh, runtime: runtime,
      tokenWarning: tokenWarning,
      beginAnew: beginAnew)
    let state = NodeState(
      configuration: configuration, storage: storage, cluster: cluster, platform: platform,
      startWarnings: configuration.fsync ? [] : ["fsync is off: a power cut can lose uploads"])
    let servers = NodeServers(
      listeners, configuration: configuration, storage: storage, node: state, cluster: cluster,
      filesMax: filesMax, runtime: runtime, metrics: metrics, logger: logger)
    let running = RunningNode(
      storage: storage, mesh: mesh, servers: servers, endpoint: listeners.s3Endpoint,
      adminEndpoint: "\(listeners.admin.localAddress)", rpcAddress: "\(mesh.localAddress)",
      collecting: storage.start(runtime))
    if cluster.whyNothingIsStored == nil, storage.cluster.isFounder {
      do {
        try await storage.claimRows()
        if let outcome = try await quickstart?.apply(to: storage.store) { tell(outcome, listeners) }
      } catch {
        await running.stop(grace: .zero)
        throw NodeFailure(
          "the first access key and bucket could not be made: \(AdminError(error).message)")
      }
    }
    storage.cluster.start(mesh)
    storage.tables.start(mesh)
    storage.cluster.beginJoining()
    servers.start()
    logger.info(
      "the node is ready",
      [
        ("id", storage.identity.id.hex), ("version", GrangeVersion.text),
        ("s3", listeners.s3Endpoint), ("admin", "\(listeners.admin.localAddress)"),
        ("rpc", "\(mesh.localAddress)"),
      ])
    return running
  }

  /// Gives the node its token, if there is one; returns what an operator should know of it.
  private func given(to storage: NodeStorage) async throws -> String? {
    guard let joinToken else { return nil }
    let warning =
      if isTokenOfCommand, let token = try? JoinToken(reading: joinToken) {
        try await storage.cluster.join(token)
      } else {
        storage.cluster.given(joinToken)
      }
    if let warning { logger.warning(warning) }
    if case .joining(let reason) = storage.cluster.standing {
      logger.info("this node waits to join a cluster", [("reason", reason)])
    }
    return warning
  }

  /// Binds all ports.
  private func listen(
    _ configuration: Configuration, _ storage: NodeStorage, metrics: MetricsRegistry
  ) throws(NodeFailure) -> (NodeListeners, NodeMesh) {
    do {
      let listeners = try NodeListeners(configuration, on: platform.network)
      var options = NodeMesh.Options(bind: configuration.rpc.bind)
      options.uploadLimit = configuration.rpc.uploadLimitBytes.map { Int(clamping: $0) }
      options.downloadLimit = configuration.rpc.downloadLimitBytes.map { Int(clamping: $0) }
      let endpoints = EndpointRegistry { registry in
        storage.cluster.registerEndpoints(&registry)
        storage.tables.registerEndpoints(&registry)
      }
      let mesh = try NodeMesh(
        options, own: storage.identity.id, seed: storage.identity.key.seed, endpoints: endpoints,
        database: storage.database, network: platform.network, runtime: platform.runtime,
        metrics: metrics, logger: logger.labelled("mesh"))
      return (listeners, mesh)
    } catch let error as ListenError where error.address == "\(configuration.rpc.bind)" {
      storage.database.close()
      throw NodeFailure("rpc.bind: \(error)")
    } catch {
      storage.database.close()
      throw NodeFailure("\(error)")
    }
  }

  private func clockFaults() -> [String] {
    guard platform.hasClockOfFiles else { return [] }
    return ClockCheck.faults(
      now: platform.runtime.wallNow, metadataDirectory: loaded.configuration.metadataDirectory)
  }

  private func storage(
    _ configuration: Configuration, metrics: MetricsRegistry
  ) throws(NodeFailure) -> NodeStorage {
    do {
      return try NodeStorage(
        configuration, environment: environment, platform: platform, metrics: metrics,
        logger: logger)
    } catch {
      throw NodeFailure("\(error)")
    }
  }

  private func tell(_ outcome: Quickstart.Outcome, _ listeners: NodeListeners) {
    announce(
      outcome.text(
        endpoint: listeners.s3Endpoint, region: loaded.configuration.s3.region,
        instructions: instructions, isTerminal: isatty(1) == 1))
  }
}

/// A node that serves.
package struct RunningNode: Sendable {
  fileprivate let storage: NodeStorage
  /// The connections to the other members.
  package let mesh: NodeMesh
  fileprivate let servers: NodeServers
  /// Where S3 clients on this machine connect to.
  package let endpoint: String
  /// Where the admin interface answers.
  package let adminEndpoint: String
  /// Where other nodes connect to.
  package let rpcAddress: String
  fileprivate let collecting: Task<Void, Never>

  /// The node's tables.
  package var tables: NodeTables { storage.tables }

  /// What the node knows of its cluster.
  package var cluster: ClusterService { storage.cluster }

  /// Whether it was a member and is none any more.
  var isEnded: Bool { if case .ended = cluster.standing { true } else { false } }

  /// Reads certificates again.
  package func reload() { servers.reload() }

  /// Ends everything in order; requests under way have `grace`.
  package func stop(grace: Duration) async {
    let isQuiet = await servers.stop(grace: grace)
    await storage.cluster.stop()
    await storage.stop(collecting, isQuiet: isQuiet)
  }
}

/// How to write a command for a node, for the text that tells people.
package struct CommandInstructions: Sendable {
  /// The program, as the shell finds it.
  package var program: String
  /// What every command needs to find the node: ` --data ./data`.
  package var options: String

  package init(program: String = "grange", options: String = "") {
    self.program = program
    self.options = options
  }

  /// A whole command line.
  func line(_ command: String) -> String { "\(program) \(command)\(options)" }
}
