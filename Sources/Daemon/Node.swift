// A running node: start, wait, stop.
//
// Start: the database, whose lock keeps other processes away; then all ports, so that a taken one is found
// before anything else; then tables, blocks and model; then the first key and bucket; and last the servers.
// Stop: no new connections, running requests may end, then background work, then the database.
//
// A node runs on any platform; the process around the one on a machine is in Node+Process.swift.

import Base
private import Glibc
private import LocalDB
private import Reactor

/// A node from its configuration to its end.
package struct Node: Sendable {
  let loaded: LoadedConfiguration
  private let environment: [String: String]
  private let isQuickstart: Bool
  private let instructions: CommandInstructions
  let platform: NodePlatform
  private let announce: @Sendable (String) -> Void
  let output: LogOutput
  let logger: Logger

  /// A node that is not started.
  ///
  /// - Parameters:
  ///   - instructions: How a person reaches this node with commands.
  ///   - announce: Prints for the person who started the node.
  package init(
    configuration: LoadedConfiguration, environment: [String: String], isQuickstart: Bool,
    instructions: CommandInstructions, platform: NodePlatform,
    announce: @escaping @Sendable (String) -> Void
  ) {
    loaded = configuration
    self.environment = environment
    self.isQuickstart = isQuickstart
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
  /// - Throws: `NodeFailure`.
  package func start() async throws -> RunningNode {
    let (configuration, runtime) = (loaded.configuration, platform.runtime)
    for warning in loaded.warnings + clockFaults() { logger.warning(warning) }
    let filesMax = FileLimit.raise()
    let quickstart = try Quickstart(isAskedFor: isQuickstart, environment: environment)
    let metrics = MetricsRegistry()
    let storage = try storage(configuration, metrics: metrics)
    let listeners: NodeListeners
    do {
      listeners = try NodeListeners(configuration, on: platform.network)
    } catch {
      storage.database.close()
      throw NodeFailure("\(error)")
    }
    let state = NodeState(
      configuration: configuration, storage: storage, platform: platform,
      startWarnings: configuration.fsync ? [] : ["fsync is off: a power cut can lose uploads"])
    let servers = NodeServers(
      listeners, configuration: configuration, storage: storage, node: state, filesMax: filesMax,
      runtime: runtime, metrics: metrics, logger: logger)
    let running = RunningNode(
      storage: storage, servers: servers, endpoint: listeners.s3Endpoint,
      adminEndpoint: "\(listeners.admin.localAddress)", collecting: storage.start(runtime))
    do {
      if let outcome = try await quickstart?.apply(to: storage.store) { tell(outcome, listeners) }
    } catch {
      await running.stop(grace: .zero)
      throw NodeFailure("the first access key and bucket could not be made: \(error)")
    }
    servers.start()
    logger.info(
      "the node is ready",
      [
        ("id", storage.identity.id.hex), ("version", GrangeVersion.text),
        ("s3", listeners.s3Endpoint), ("admin", "\(listeners.admin.localAddress)"),
      ])
    return running
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
      return try NodeStorage(configuration, platform: platform, metrics: metrics, logger: logger)
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
  fileprivate let servers: NodeServers
  /// Where S3 clients on this machine connect to.
  package let endpoint: String
  /// Where the admin interface answers.
  package let adminEndpoint: String
  fileprivate let collecting: Task<Void, Never>

  /// Reads certificates again.
  package func reload() { servers.reload() }

  /// Ends everything in order; requests under way have `grace`.
  package func stop(grace: Duration) async {
    let isQuiet = await servers.stop(grace: grace)
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
