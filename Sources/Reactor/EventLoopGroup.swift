// The real runtime: event loops, a pool for blocking calls, the machine's clocks.

package import Base
private import Glibc
private import Synchronization

/// All loops of the process, and the `Runtime` that everything runs on outside of tests.
///
/// Make one, and give the program to `run` on the main thread.
package final class EventLoopGroup: Runtime {
  /// The loops; the first runs on the thread that calls `run`.
  package let loops: [EventLoop]
  private let writingPool: BlockingPool
  private let readingPool: BlockingPool
  /// Randomness.
  package let random: any RandomSource

  private let computingPool = BlockingPool(threadsMax: 1, niceness: 10)
  private let inquiringPool = BlockingPool(threadsMax: 1)
  private let resolverPool: BlockingPool
  private let spread = Atomic<Int>(0)

  /// Name servers answer in milliseconds or not for half a minute; two threads let one dead lookup pass.
  private static let resolverThreads = 2

  /// Makes the loops.
  ///
  /// SIGPIPE is ignored from here on: a write to a closed connection is an error like others.
  ///
  /// - Parameter blockingThreads: The most threads of each `BlockingLane` that waits for disks; they start as they
  ///   are needed.
  package init(
    loopCount: Int, blockingThreads: Int, random: any RandomSource = SystemRandom.shared
  ) {
    signal(SIGPIPE, SIG_IGN)
    let resolverPool = BlockingPool(threadsMax: Self.resolverThreads)
    loops = (0..<max(1, loopCount)).map { EventLoop(index: $0, resolverPool: resolverPool) }
    writingPool = BlockingPool(threadsMax: max(1, blockingThreads))
    readingPool = BlockingPool(threadsMax: max(1, blockingThreads))
    self.resolverPool = resolverPool
    self.random = random
  }

  /// Runs `main` on the first loop, which takes the calling thread, and the other loops on threads of their own.
  ///
  /// Returns what `main` returns, once all loops have stopped. Tasks that have not ended by then never do:
  /// whoever needs an orderly end arranges it before `main` returns.
  package func run(main: @escaping @Sendable () async -> Int32) -> Int32 {
    let code = ExitCode()
    let threads = loops.dropFirst().map { loop in Thread.startRequired { loop.run() } }
    spawn(on: loops[0]) {
      code.value.store(await main(), ordering: .releasing)
      for loop in self.loops { loop.stop() }
    }
    loops[0].run()
    for thread in threads { thread.join() }
    writingPool.stop()
    readingPool.stop()
    computingPool.stop()
    inquiringPool.stop()
    resolverPool.stop()
    return code.value.load(ordering: .acquiring)
  }

  private final class ExitCode: Sendable {
    let value = Atomic<Int32>(0)
  }

  /// Starts a task on `loop`.
  ///
  /// It, its children and what it awaits stay there.
  @discardableResult
  package func spawn(
    on loop: EventLoop, _ body: @escaping @Sendable () async -> Void
  ) -> Task<Void, Never> {
    Task(executorPreference: loop) { await body() }
  }

  /// The loops in turn, for spreading connections.
  package func nextLoop() -> EventLoop {
    let turn = spread.wrappingAdd(1, ordering: .relaxed).oldValue
    return loops[Int(UInt(bitPattern: turn) % UInt(loops.count))]
  }

  // MARK: Runtime

  package var now: MonotonicInstant { SystemClock.now }

  package var wallNow: WallTime { SystemClock.wallNow }

  package nonisolated(nonsending) func sleep(until deadline: MonotonicInstant) async throws {
    try await Sleeper(on: EventLoop.current ?? loops[0]).sleep(until: deadline)
  }

  @discardableResult
  package func spawn(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
    spawn(on: EventLoop.current ?? loops[0], body)
  }

  package nonisolated(nonsending) func blocking<Value: Sendable>(
    _ lane: BlockingLane, _ body: @escaping @Sendable () throws -> Value
  ) async throws -> Value {
    let pool =
      switch lane {
      case .writing: writingPool
      case .reading: readingPool
      case .computing: computingPool
      case .inquiring: inquiringPool
      }
    return try await pool.run(body)
  }
}
