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
    let sequel = Mutex(Sequel.none)
    /// As an operator would: by the signal that ends the node.
    @Sendable func end(_ why: Sequel) {
      sequel.withLock { $0 = why }
      kill(getpid(), SIGTERM)
    }
    let running = try await start { end(.newNode(token: $0)) }
    let farewell = platform.runtime.spawn { if await isEndedForGood(running) { end(.failure) } }
    await waitForEnd(signals, running)
    farewell.cancel()
    let watch = platform.runtime.spawn { [runtime = platform.runtime, logger] in
      do { try await runtime.sleep(for: Self.stopMax) } catch { return }
      logger.warning("closing takes too long; what was acknowledged is safe")
      _exit(0)
    }
    await running.stop(grace: Self.requestGrace)
    watch.cancel()
    logger.info("stopped")
    switch sequel.withLock({ $0 }) {
    case .none: return
    case .newNode(let token): try await beginAnew(token)
    case .failure:
      throw NodeFailure(
        "this node has left its cluster or was removed from it, and does not come back by a token: to join as a new "
          + "node, start with empty folders; to run it as it is, take the token away")
    }
  }

  /// What comes after a node that was stopped.
  private enum Sequel: Sendable {
    case none
    case newNode(token: String)
    case failure
  }

  /// How long a node that was given a token, and is no member any more, is up before it stops.
  private static let farewellMax: Duration = .seconds(15)

  /// Whether the node was given a token and is no member any more, also after a while: a token brings nobody back.
  ///
  /// A while, as it may be the only one that knows that it left, or may hear that it was expelled by nobody who could.
  private func isEndedForGood(_ running: RunningNode) async -> Bool {
    guard joinToken != nil, running.isEnded else { return false }
    logger.error("this node is no member any more: it stops in \(Self.farewellMax)")
    guard (try? await platform.runtime.sleep(for: Self.farewellMax)) != nil else { return false }
    return running.isEnded
  }

  /// Moves the folders aside, and runs as a new node that joins with `token`.
  private func beginAnew(_ token: String) async throws {
    let now = CivilTime(platform.runtime.wallNow).iso8601Seconds.filter(\.isNumber).prefix(14)
    let places = try DiscardedFolders.moveAside(loaded.configuration, suffix: String(now))
    for place in places { logger.warning("what this node had is moved aside", [("to", place)]) }
    var node = self
    node.joinToken = token
    node.isTokenOfCommand = true
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
