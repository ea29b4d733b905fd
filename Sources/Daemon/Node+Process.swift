// The process around a node: the signals that end it, and its end within five seconds of SIGTERM or SIGINT.
//
//   SIGHUP   certificates are read again
//   SIGUSR1  debug lines in the log, on and off

private import Base
private import Glibc
private import Reactor
private import Synchronization

extension Node {
  /// How long running requests may go on after SIGTERM; the rest of the five seconds is for closing.
  private static let requestGrace: Duration = .milliseconds(3000)
  /// When the process ends even if closing takes longer: everything acknowledged is durable at any moment.
  private static let stopMax: Duration = .milliseconds(4800)

  /// Runs until a signal ends it; must be called on an event loop.
  ///
  /// - Throws: `NodeFailure` when it cannot start.
  package func run() async throws {
    guard let loop = EventLoop.current else { throw NodeFailure("a node runs on an event loop") }
    // Objects and secrets are the node's own.
    umask(0o077)
    let signals = try SignalSource(Signal.allCases, on: loop)
    let fresh = Mutex<String?>(nil)
    let running = try await start { token in
      fresh.withLock { $0 = token }
      // As an operator would: the signal that ends the node, here to begin anew.
      kill(getpid(), SIGTERM)
    }
    await waitForEnd(signals, running)
    let token = fresh.withLock { $0 }
    let watch = platform.runtime.spawn { [runtime = platform.runtime, logger] in
      do { try await runtime.sleep(for: Self.stopMax) } catch { return }
      logger.warning("closing takes too long; what was acknowledged is safe")
      _exit(0)
    }
    await running.stop(grace: Self.requestGrace)
    watch.cancel()
    logger.info("stopped")
    if let token { try await beginAnew(token) }
  }

  /// Moves the folders aside, and runs as a new node that joins with `token`.
  private func beginAnew(_ token: String) async throws {
    let now = CivilTime(platform.runtime.wallNow).iso8601Seconds.filter(\.isNumber).prefix(14)
    let places = try DiscardedFolders.moveAside(loaded.configuration, suffix: String(now))
    for place in places { logger.warning("what this node had is moved aside", [("to", place)]) }
    var node = self
    node.joinToken = token
    try await node.run()
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
