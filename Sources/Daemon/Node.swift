// A running node: start, wait, stop.
//
// Start: the database, whose lock keeps other processes away; then all ports, so that a taken one is found
// before anything else; then tables, blocks and model; then the first key and bucket; and last the servers.
// Stop, within five seconds of SIGTERM or SIGINT: no new connections, running requests may end, then background
// work, then the database.
//
//   SIGHUP   certificates are read again
//   SIGUSR1  debug lines in the log, on and off

private import Base
private import Glibc
private import LocalDB
package import Reactor

/// A node from its configuration to its end.
package struct Node: Sendable {
  private let loaded: LoadedConfiguration
  private let environment: [String: String]
  private let isQuickstart: Bool
  private let instructions: CommandInstructions
  private let runtime: EventLoopGroup
  private let announce: @Sendable (String) -> Void
  private let output: LogOutput
  private let logger: Logger

  /// How long running requests may go on after SIGTERM; the rest of the five seconds is for closing.
  private static let requestGrace: Duration = .milliseconds(3000)
  /// When the process ends even if closing takes longer: everything acknowledged is durable at any moment.
  private static let stopMax: Duration = .milliseconds(4800)

  /// A node that is not started.
  ///
  /// - Parameters:
  ///   - instructions: How a person reaches this node with commands.
  ///   - announce: Prints for the person who started the node.
  package init(
    configuration: LoadedConfiguration, environment: [String: String], isQuickstart: Bool,
    instructions: CommandInstructions, runtime: EventLoopGroup,
    announce: @escaping @Sendable (String) -> Void
  ) {
    loaded = configuration
    self.environment = environment
    self.isQuickstart = isQuickstart
    self.instructions = instructions
    self.runtime = runtime
    self.announce = announce
    output = LogSettings.output(configuration.configuration, environment: environment)
    logger = Logger(output: output, label: "node")
  }

  /// Runs until a signal ends it.
  ///
  /// - Throws: `NodeFailure` when it cannot start.
  package func run() async throws {
    guard let loop = EventLoop.current else { throw NodeFailure("a node runs on an event loop") }
    // Objects and secrets are the node's own.
    umask(0o077)
    let signals = try SignalSource(Signal.allCases, on: loop)
    let running = try await start()
    await waitForEnd(signals, running)
    let watch = runtime.spawn { [runtime, logger] in
      do { try await runtime.sleep(for: Self.stopMax) } catch { return }
      logger.warning("closing takes too long; what was acknowledged is safe")
      _exit(0)
    }
    await running.stop(grace: Self.requestGrace)
    watch.cancel()
    logger.info("stopped")
  }

  /// Starts everything; must be called on a loop.
  ///
  /// - Throws: `NodeFailure`.
  package func start() async throws -> RunningNode {
    let configuration = loaded.configuration
    for warning in loaded.warnings { logger.warning(warning) }
    let filesMax = FileLimit.raise()
    let quickstart = try Quickstart(isAskedFor: isQuickstart, environment: environment)
    let metrics = MetricsRegistry()
    for warning in ClockCheck.faults(
      now: runtime.wallNow, metadataDirectory: configuration.metadataDirectory)
    {
      logger.warning(warning)
    }
    let storage = try storage(configuration, metrics: metrics)
    let listeners: NodeListeners
    do {
      listeners = try NodeListeners(configuration)
    } catch {
      storage.database.close()
      throw NodeFailure("\(error)")
    }
    let state = NodeState(
      configuration: configuration, storage: storage, runtime: runtime,
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

  private func storage(
    _ configuration: Configuration, metrics: MetricsRegistry
  ) throws(NodeFailure) -> NodeStorage {
    do {
      return try NodeStorage(configuration, runtime: runtime, metrics: metrics, logger: logger)
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

  private func waitForEnd(_ signals: SignalSource, _ running: RunningNode) async {
    var isVerbose = false
    while let signal = try? await signals.next() {
      switch signal {
      case .terminate, .interrupt:
        logger.info("stopping")
        // A second signal ends the process at once.
        return signals.close()
      case .hangUp: running.reload()
      case .user1:
        isVerbose.toggle()
        output.setLevel(isVerbose ? .debug : LogSettings.level(loaded.configuration.logLevel))
        logger.info("debug lines are \(isVerbose ? "on" : "off")")
      }
    }
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
