// A runtime without the world: one thread, virtual time, an order that a seed decides.
//
// Jobs of the Swift concurrency runtime that are ready lie in a list; each step runs one of them, chosen
// by the seed. When none is ready, time jumps to the next timer. So a test of something timed takes no
// time, explores another interleaving with every seed, and a failing seed replays the same steps.
//
// Invariants:
//   1. Everything runs on the thread that called `run`. A job that arrives from another thread stops the
//      process with a message: something left the runtime (`Task {}`, `Task.detached`, `Task.sleep`).
//   2. For one seed and one program the steps are identical, run after run. The order of a Set or a
//      Dictionary must not decide anything: their hash seed changes with each process.
//   3. Time moves only when no job is ready.
//   4. When no job is ready and no timer waits, and the body has not ended, it never will: `run` throws
//      `SimulationError.deadlock`.
//
// A test of one part needs no more than this. A cluster has hosts (SimulatedHost.swift): `withWorld` makes a world
// for them.

package import Base
private import Glibc
private import Reactor
import TestStorage

/// Why a simulation did not come to its end.
package enum SimulationError: Error, CustomStringConvertible {
  /// Nothing can happen any more, and the body has not ended.
  case deadlock(seed: UInt64, at: Duration)
  /// The body had not ended after `steps` jobs.
  case livelock(seed: UInt64, steps: Int)

  package var description: String {
    switch self {
    case .deadlock(let seed, let time):
      """
      deadlock at virtual time \(time) (seed \(seed)): no job is ready and no timer is set, but the body \
      has not ended. It awaits something that nobody will do: a continuation never resumed, a stream \
      that gets no more bytes, or work that left the runtime (a bare Task {}, a @MainActor call)
      """
    case .livelock(let seed, let steps):
      "livelock (seed \(seed)): the body has not ended after \(steps) steps"
    }
  }
}

/// The simulated runtime: make one a test, with the test's seed, and call `run`.
package final class SimulatedRuntime: Runtime, TaskExecutor, @unchecked Sendable {
  // Safe because every stored property is touched only by the thread that owns the runtime, which
  // `enqueue` and `checkOwner` enforce.

  /// What decides the order, the delays and `random`.
  package let seed: UInt64
  /// Randomness for the program under test; the scheduler has its own, so that a program that draws more
  /// numbers is not scheduled differently.
  package let random: any RandomSource
  /// Randomness for the simulated world: delays of pipes and disks.
  package let worldRandom: SeededRandom
  /// How long `blocking` takes: uniform between these bounds.
  package var blockingDelay: ClosedRange<Duration> = .zero ... .zero
  /// What the wall clock shows at virtual time zero; change it to step the clock.
  package var wallStart = WallTime(milliseconds: 1_790_000_000_000)
  /// A run that needs more jobs than this is taken to be caught in a circle.
  package var stepsMax = 20_000_000

  private let choice: SeededRandom
  private var owner = pthread_self()
  /// A job that can run, and the life of the host that it belongs to; `nil` for the world's own.
  private struct Ready {
    var job: UnownedJob
    var life: HostLife?
  }

  private var ready: [Ready] = []
  private var timers = TimerHeap()
  private var time = MonotonicInstant(nanoseconds: SimulatedRuntime.startNanoseconds)
  private var lines: [String] = []
  private(set) package var steps = 0
  /// How many calls each lane has had.
  private(set) package var blockingCalls: [BlockingLane: Int] = [:]
  private(set) package var fingerprint: UInt64 = 0xcbf2_9ce4_8422_2325
  /// What happened so far.
  package var counters = WorldCounters()
  /// The hosts, in the order in which they were added.
  package internal(set) var hosts: [SimulatedHost] = []
  /// What lies between the hosts.
  package let net = SimulatedInternet()
  /// Holds the folders of the hosts; made when the first of them is used.
  lazy var folder = TemporaryFolder(in: TemporaryFolder.memory)
  /// The life whose job runs now.
  private(set) var runningLife: HostLife?

  /// A monotonic clock does not begin at zero, and code that believes so should fail here.
  private static let startNanoseconds: UInt64 = 1_000_000_000_000

  package init(seed: UInt64) {
    self.seed = seed
    random = SeededRandom(seed: seed ^ 0x7072_6f67_7261_6d21)
    worldRandom = SeededRandom(seed: seed ^ 0x776f_726c_6421_2121)
    choice = SeededRandom(seed: seed)
    net.world = self
  }

  /// Runs `body`, and whatever it spawns meanwhile, until it ends.
  ///
  /// Tasks that it spawned and that have not ended by then stay where they are, for good or until the next
  /// `run`.
  ///
  /// - Throws: what `body` throws, or `SimulationError`.
  @discardableResult
  package func run<Value: Sendable>(
    _ body: @escaping @Sendable () async throws -> Value
  ) throws -> Value {
    owner = pthread_self()
    let outcome = Outcome<Value>()
    Task(executorPreference: self) {
      do { outcome.result = .success(try await body()) } catch { outcome.result = .failure(error) }
    }
    let limit = steps + stepsMax
    while true {
      if let result = outcome.result { return try result.get() }
      guard step() else { throw SimulationError.deadlock(seed: seed, at: elapsed) }
      if steps > limit { throw SimulationError.livelock(seed: seed, steps: stepsMax) }
    }
  }

  private final class Outcome<Value>: @unchecked Sendable {
    // Safe because it is written and read on the runtime's one thread.
    var result: Result<Value, any Error>?
  }

  /// Runs one ready job, or moves the time to the next timer; `false` when there is neither.
  private func step() -> Bool {
    if ready.isEmpty {
      guard let deadline = timers.nextDeadline else { return false }
      time = max(time, deadline)
      while let timer = timers.popDue(at: time) { timer.fire() }
      return true
    }
    let index = choice.below(ready.count)
    mix(UInt64(index))
    mix(UInt64(ready.count))
    mix(time.nanoseconds)
    ready.swapAt(index, ready.count - 1)
    let next = ready.removeLast()
    steps += 1
    guard let life = next.life else {
      next.job.runSynchronously(on: asUnownedTaskExecutor())
      return true
    }
    runningLife = life
    next.job.runSynchronously(on: life.asUnownedTaskExecutor())
    runningLife = nil
    return true
  }

  /// Makes `value` a part of the fingerprint.
  func mix(_ value: UInt64) { fingerprint = (fingerprint ^ value) &* 0x100_0000_01b3 }

  package func enqueue(_ job: consuming ExecutorJob) {
    checkOwner()
    ready.append(Ready(job: UnownedJob(job)))
  }

  func enqueue(_ job: UnownedJob, of life: HostLife) {
    checkOwner()
    ready.append(Ready(job: job, life: life))
  }

  /// Forgets the jobs of `life`, which never run.
  func discardJobs(of life: HostLife) { ready.removeAll { $0.life === life } }

  /// Forgets everything that could still happen.
  func forgetEverything() {
    ready = []
    timers = TimerHeap()
  }

  func checkOwner() {
    if pthread_equal(pthread_self(), owner) == 0 {
      fatalError(
        """
        a job reached the simulated runtime (seed \(seed)) from a foreign thread: something under test \
        left it, through Task {}, Task.detached, Task.sleep, @concurrent or a thread of its own
        """)
    }
  }

  // MARK: Runtime

  package var now: MonotonicInstant { time }

  package var wallNow: WallTime {
    WallTime(milliseconds: wallStart.milliseconds + elapsed.wholeNanoseconds / 1_000_000)
  }

  /// Virtual time since the beginning.
  package var elapsed: Duration {
    time - MonotonicInstant(nanoseconds: Self.startNanoseconds)
  }

  package nonisolated(nonsending) func sleep(until deadline: MonotonicInstant) async throws {
    try Task.checkCancellation()
    if await SimulatedWait(self).park(deadline: deadline) == .cancelled {
      throw CancellationError()
    }
  }

  @discardableResult
  package func spawn(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
    Task(executorPreference: self) { await body() }
  }

  /// Runs `body` in place, after `blockingDelay` of virtual time and a turn of the others, and lets the others
  /// run again before the caller sees its value.
  package nonisolated(nonsending) func blocking<Value: Sendable>(
    _ lane: BlockingLane, _ body: @escaping @Sendable () throws -> Value
  ) async throws -> Value {
    try await blocking(lane, delay: blockingDelay, body)
  }

  nonisolated(nonsending) func blocking<Value: Sendable>(
    _ lane: BlockingLane, delay: ClosedRange<Duration>,
    _ body: @escaping @Sendable () throws -> Value
  ) async throws -> Value {
    blockingCalls[lane, default: 0] += 1
    try await sleep(until: now + worldRandom.duration(in: delay))
    let result = Result { try body() }
    _ = await SimulatedWait(self).park(deadline: now)
    return try result.get()
  }

  /// Does `action` at `deadline`; the returned timer can be given to `cancel`.
  @discardableResult
  package func at(_ deadline: MonotonicInstant, _ action: @escaping () -> Void) -> SimulatedTimer {
    checkOwner()
    let timer = LoopTimer(action)
    timers.schedule(timer, at: deadline)
    return SimulatedTimer(timer: timer)
  }

  /// Undoes `at`, if it has not happened yet.
  package func cancel(_ timer: SimulatedTimer) {
    checkOwner()
    timers.cancel(timer.timer)
  }

  // MARK: Trace

  /// Notes something that happened, with the virtual time, for comparing runs.
  package func note(_ text: String) {
    checkOwner()
    lines.append("\(elapsed.wholeNanoseconds) \(text)")
    for byte in text.utf8 { mix(UInt64(byte)) }
  }

  /// What was noted, in order.
  package var trace: [String] { lines }
}

/// Something that the simulated runtime will do; see `SimulatedRuntime.at`.
package struct SimulatedTimer {
  fileprivate let timer: LoopTimer
}
