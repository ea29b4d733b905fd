// A machine of the simulated world: a runtime of its own that can be killed and started again.
//
// A host has addresses, a network, a folder, a wall clock that may be wrong, and randomness of its own. What runs on
// it is spawned through it (`spawn`, `run`), and ends with its life: after `kill` or `cutPower` nothing of it ever
// resumes: no sleep, no read, no commit. `start` begins a new life with the same folder, clock and addresses.
//
// The test's body belongs to no host and goes on. It must not await a dead task: `run` knows, `Task.value` does not.
//
// Invariants:
//   1. A task of a life that is over never runs again, whatever it waited for.
//   2. What was committed is in the folder when the next life begins; what was not is not.

package import Base
import LocalDB
package import Reactor

/// What `SimulatedHost.run` throws when the host dies first.
package struct HostDied: Error {
  package let host: String
}

/// A machine of the simulated world; see `SimulatedRuntime.addHost`.
package final class SimulatedHost: Runtime, @unchecked Sendable {
  // Safe because only the world's one thread touches it.

  /// How a host is.
  package enum State: Sendable {
    case running
    /// Its process has ended; its kernel refuses connections.
    case stopped
    /// It has no power: nobody hears anything from it.
    case off
  }

  package let world: SimulatedRuntime
  package let name: String
  /// Its place in `world.hosts`.
  package let index: Int
  /// The host's own randomness; it goes on in the next life.
  package let random: any RandomSource
  package internal(set) var state = State.running
  /// The addresses of its interfaces, without port; loopback comes on top.
  package internal(set) var addresses: [SocketAddress]
  /// The router that it is behind; `nil` when everybody can reach its addresses.
  package internal(set) var router: SimulatedRouter?
  /// Whether others may connect to it; a firewall that drops what it does not know says no.
  package var isDialable = true
  /// How far its wall clock is ahead; `stepClock` changes it.
  package internal(set) var clockOffset: Duration
  /// How long `blocking` takes.
  package var blockingDelay: ClosedRange<Duration> = .zero ... .zero
  /// How long a disk takes to commit; for databases with `.scheduled(host)`.
  package var commitDelay: ClosedRange<Duration> = .milliseconds(1) ... .milliseconds(20)
  /// What runs on it in every life; set by `start`.
  var program: (@Sendable (SimulatedHost) async -> Void)?
  var life: HostLife
  /// Commits that have begun and may yet be lost.
  var commitsUnderWay = 0
  var uplink = SimulatedLine()
  var downlink = SimulatedLine()
  var ports = HostPorts()

  init(
    _ world: SimulatedRuntime, name: String, addresses: [SocketAddress], router: SimulatedRouter?,
    clockOffset: Duration
  ) {
    self.world = world
    self.name = name
    self.addresses = addresses
    self.router = router
    self.clockOffset = clockOffset
    index = world.hosts.count
    random = SeededRandom(seed: world.seed &* 0x9E37_79B9 ^ UInt64(index) << 32 ^ 0x686f_7374)
    life = HostLife(world)
  }

  /// The network as this host sees it.
  package var network: any Network { SimulatedNetwork(self) }

  /// The most bytes a second that it sends; `nil` for no limit.
  package var uplinkBytesPerSecond: Int? {
    get { uplink.bytesPerSecond }
    set { uplink.bytesPerSecond = newValue }
  }

  /// The most bytes a second that it receives; `nil` for no limit.
  package var downlinkBytesPerSecond: Int? {
    get { downlink.bytesPerSecond }
    set { downlink.bytesPerSecond = newValue }
  }

  // MARK: Life and death

  /// Ends its process, as `kill -9` does: its kernel closes what it had open, and refuses connections.
  ///
  /// Called by a job of this host, the job itself goes on to its next suspension.
  package func kill() {
    guard state == .running else { return }
    world.counters.kills += 1
    endLife(.stopped)
    world.net.processEnded(self)
  }

  /// Takes its power away: as `kill`, and nobody hears of it.
  package func cutPower() {
    guard state != .off else { return }
    world.counters.powerCuts += 1
    endLife(.off)
    world.net.powerLost(self)
  }

  func endLife(_ state: State) {
    self.state = state
    world.counters.lostCommits += commitsUnderWay
    commitsUnderWay = 0
    life.end()
    ports.removeAll()
  }

  /// Begins a life, if it has none, and runs in it `program`, or the one that was given last.
  package func start(_ program: (@Sendable (SimulatedHost) async -> Void)? = nil) {
    if let program { self.program = program }
    if state != .running {
      precondition(world.runningLife == nil || world.runningLife !== life, "a dead host cannot act")
      let wasOff = state == .off
      state = .running
      life = HostLife(world)
      world.counters.starts += 1
      if wasOff { world.net.powerReturned(self) }
    }
    if let program = self.program { spawn { await program(self) } }
  }

  /// Runs `body` on this host, for somebody who is not on it.
  ///
  /// - Throws: What `body` throws, or `HostDied`.
  package nonisolated(nonsending) func run<Value: Sendable>(
    _ body: @escaping @Sendable () async throws -> Value
  ) async throws -> Value {
    guard state == .running else { throw HostDied(host: name) }
    let call = HostCall<Value>()
    let task = spawn {
      do { call.end(.success(try await body())) } catch { call.end(.failure(error)) }
    }
    let life = life
    let ending = life.atEnd { [name] in call.end(.failure(HostDied(host: name))) }
    defer { life.forget(ending) }
    return try await withTaskCancellationHandler {
      try await withUnsafeContinuation { call.wait($0) }.get()
    } onCancel: {
      task.cancel()
    }
  }

  // MARK: Runtime

  package var now: MonotonicInstant { world.now }

  package var wallNow: WallTime {
    WallTime(
      milliseconds: world.wallNow.milliseconds + clockOffset.wholeNanoseconds / 1_000_000)
  }

  /// Steps its wall clock; nothing else notices.
  package func stepClock(by step: Duration) {
    clockOffset += step
    world.counters.clockSteps += 1
  }

  package nonisolated(nonsending) func sleep(until deadline: MonotonicInstant) async throws {
    try await world.sleep(until: deadline)
  }

  @discardableResult
  package func spawn(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
    Task(executorPreference: life) { await body() }
  }

  package nonisolated(nonsending) func blocking<Value: Sendable>(
    _ lane: BlockingLane, _ body: @escaping @Sendable () throws -> Value
  ) async throws -> Value {
    try await world.blocking(lane, delay: blockingDelay, body)
  }

  /// Does `action` at `deadline`, if this life still goes on then.
  package func at(_ deadline: MonotonicInstant, _ action: @escaping () -> Void) {
    let life = life
    world.at(deadline) { if life.isAlive { action() } }
  }
}

/// A call from outside of a host, answered once.
private final class HostCall<Value: Sendable>: @unchecked Sendable {
  // Safe because only the world's one thread touches it.

  private var result: Result<Value, any Error>?
  private var continuation: UnsafeContinuation<Result<Value, any Error>, Never>?

  func wait(_ continuation: UnsafeContinuation<Result<Value, any Error>, Never>) {
    if let result {
      continuation.resume(returning: result)
    } else {
      self.continuation = continuation
    }
  }

  func end(_ result: Result<Value, any Error>) {
    guard self.result == nil else { return }
    self.result = result
    continuation?.resume(returning: result)
    continuation = nil
  }
}
