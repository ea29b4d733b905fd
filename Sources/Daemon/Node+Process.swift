// The process around a node: the signals that end it, and its end within five seconds of SIGTERM or SIGINT.
//
//   SIGHUP   certificates are read again
//   SIGUSR1  debug lines in the log, on and off

private import Base
private import Glibc
private import Reactor

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
    let running = try await start()
    await waitForEnd(signals, running)
    let watch = platform.runtime.spawn { [runtime = platform.runtime, logger] in
      do { try await runtime.sleep(for: Self.stopMax) } catch { return }
      logger.warning("closing takes too long; what was acknowledged is safe")
      _exit(0)
    }
    await running.stop(grace: Self.requestGrace)
    watch.cancel()
    logger.info("stopped")
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
