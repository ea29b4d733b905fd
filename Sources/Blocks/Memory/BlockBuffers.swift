// Memory for blocks on their way, bounded for the whole node.
//
// A block being received, read or sent lies in a buffer of this pool. When the pool is used up, whoever
// wants a buffer waits, in order: the client is slowed down, the node is never killed for its memory.
//
// Invariants:
//   1. The buffers in use never hold more than `totalBytes`, except that one buffer larger than that is
//      given out when no other is in use.
//   2. Waiters are served in the order they came; a large one is not overtaken by smaller ones.
//   3. A buffer returns when its last holder lets go of it. Whoever waits for one while holding one
//      can wait for ever: take one at a time.
//   4. Whoever waits for a client while holding one does so within `withClient`, so that stalled clients do not
//      stop everybody else (ClientHolds.swift).

package import Base
private import Synchronization

/// One buffer of the pool; gone back to it when the last reference is gone.
package final class BlockBuffer: @unchecked Sendable {
  // Safe because a buffer is filled by one task or thread at a time and handed over as a whole; once
  // shared it is only read.

  /// All of the buffer's memory.
  package let memory: UnsafeMutableRawBufferPointer

  /// Where in `memory` the bytes are that the buffer carries.
  package var contents: Range<Int> = 0..<0 {
    didSet { precondition(contents.upperBound <= memory.count) }
  }

  private let owner: BlockBuffers

  fileprivate init(memory: UnsafeMutableRawBufferPointer, owner: BlockBuffers) {
    self.memory = memory
    self.owner = owner
  }

  deinit { owner.giveBack(memory) }

  /// The bytes that the buffer carries; valid while the buffer is held.
  package var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(memory)[contents])
  }

  /// The memory behind the contents, for appending.
  package var free: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: memory[contents.upperBound...])
  }

  /// Counts `count` bytes that were written at the front of `free` to the contents.
  package func didAppend(_ count: Int) {
    contents = contents.lowerBound..<(contents.upperBound + count)
  }

  /// Makes the contents a copy of `bytes`, which must fit.
  package func fill(_ bytes: UnsafeRawBufferPointer) {
    memory.copyMemory(from: bytes)
    contents = 0..<bytes.count
  }
}

/// The pool.
package final class BlockBuffers: Sendable {
  /// Idle buffers kept for the next user: enough for the uploads of a quiet node not to fault fresh pages
  /// in for each block, few enough that an idle node is small.
  package static let usualIdleMax = 8

  private struct State: @unchecked Sendable {
    // Safe because idle memory has no user, and the state is only reached under its lock.
    var usedBytes = 0
    var idle: [UnsafeMutableRawBufferPointer] = []
    /// Each waits for so many bytes.
    var waiters = WaiterList<Int>()
    /// Whether a task looks for stalled clients.
    var isWatched = false
  }

  /// Whether what comes back is overwritten at once: tests then see a read of a buffer that nobody holds any more.
  private let scrubbing: Bool
  /// The size of a buffer unless a larger one is asked for.
  package let bufferBytes: Int
  /// What all buffers in use may hold together.
  package let totalBytes: Int
  private let idleMax: Int
  private let state = Mutex(State())
  private let runtime: any Runtime
  private let holds: ClientHolds
  private let logger: Logger
  private let cutOff: Counter

  package init(
    bufferBytes: Int, totalBytes: Int, idleMax: Int = usualIdleMax, scrubbing: Bool = false,
    runtime: any Runtime,
    metrics: MetricsRegistry = MetricsRegistry(), logger: Logger = .disabled
  ) {
    precondition(bufferBytes > 0)
    self.runtime = runtime
    self.logger = logger
    holds = ClientHolds(runtime)
    cutOff = metrics.counter(
      "grange_block_clients_cut_off_total",
      "Connections closed because their clients stalled while others waited for memory.")
    self.bufferBytes = bufferBytes
    self.idleMax = idleMax
    self.scrubbing = scrubbing
    self.totalBytes = max(totalBytes, bufferBytes)
  }

  deinit {
    state.withLock { for memory in $0.idle { memory.deallocate() } }
  }

  /// The bytes of all buffers in use.
  package var usedBytes: Int { state.withLock { $0.usedBytes } }

  /// Whether most of the memory is free: who could do with one buffer may take another one then, to be faster.
  package var havePlenty: Bool {
    state.withLock { $0.waiters.isEmpty && $0.usedBytes < totalBytes / 2 }
  }

  /// The bytes of the buffers that wait for their next user.
  package var idleBytes: Int { state.withLock { $0.idle.count * bufferBytes } }

  /// How many tasks wait for a buffer.
  package var waiterCount: Int { state.withLock { $0.waiters.count } }

  /// An empty buffer of `bufferBytes`, or of `byteCount` if that is more; waits for its turn.
  ///
  /// - Throws: `CancellationError` when the task is cancelled while it waits.
  package nonisolated(nonsending) func take(_ byteCount: Int = 0) async throws -> BlockBuffer {
    let byteCount = max(byteCount, bufferBytes)
    if !state.withLock({ take(byteCount, &$0) }) { try await wait(byteCount) }
    return BlockBuffer(memory: memory(byteCount), owner: self)
  }

  /// As `take`, but `nil` instead of waiting.
  package func takeNow(_ byteCount: Int = 0) -> BlockBuffer? {
    let byteCount = max(byteCount, bufferBytes)
    guard state.withLock({ take(byteCount, &$0) }) else { return nil }
    return BlockBuffer(memory: memory(byteCount), owner: self)
  }

  private func take(_ byteCount: Int, _ state: inout State) -> Bool {
    guard state.waiters.isEmpty, fits(byteCount, state) else { return false }
    state.usedBytes += byteCount
    return true
  }

  private func fits(_ byteCount: Int, _ state: State) -> Bool {
    state.usedBytes == 0 || byteCount <= totalBytes - state.usedBytes
  }

  private nonisolated(nonsending) func wait(_ byteCount: Int) async throws {
    let ticket = WaiterTicket()
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation {
        (continuation: CheckedContinuation<Void, any Error>) in
        let resume = state.withLock { state -> WaiterList<Int>.Resumption? in
          if Task.isCancelled {
            return { continuation.resume(throwing: CancellationError()) }
          }
          // Room may have come between the first look and now.
          if take(byteCount, &state) { return { continuation.resume() } }
          state.waiters.append(ticket, byteCount, continuation)
          if state.isWatched { return nil }
          state.isWatched = true
          return { self.watch() }
        }
        resume?()
      }
    } onCancel: {
      let resumptions = state.withLock { state in
        // The one behind may fit where this one did not.
        state.waiters.cancel(ticket) + serve(&state)
      }
      for resume in resumptions { resume() }
    }
  }

  /// Runs `body`, in which the calling task moves bytes between a buffer that it holds and a client.
  ///
  /// `body` says by `ClientHold.moved` what was moved. Nothing but the client may be waited for in it.
  ///
  /// - Throws: `BlockError.clientStalled` when others waited and the client was too slow: the task is cancelled
  ///   then. What `body` throws.
  package nonisolated(nonsending) func withClient<Result>(
    _ body: nonisolated(nonsending) (ClientHold) async throws -> Result
  ) async throws -> Result { try await holds.hold(body) }

  /// Looks for stalled clients as long as somebody waits.
  private func watch() {
    runtime.spawn { [self] in
      while goesOnWatching() {
        // Only who cancels a task makes its sleep throw, and nobody has this one.
        try? await runtime.sleep(for: ClientHolds.watchPause)
        cutOverdue()
      }
    }
  }

  private func goesOnWatching() -> Bool {
    state.withLock { state in
      state.isWatched = !state.waiters.isEmpty
      return state.isWatched
    }
  }

  private func cutOverdue() {
    let count = holds.cutOverdue(max: waiterCount)
    guard count > 0 else { return }
    cutOff.add(UInt64(count))
    logger.warning(
      "Clients that stalled were cut off, as others waited for memory; if this is frequent, raise "
        + "block_ram_buffer_max.", [("clients", "\(count)")])
  }

  fileprivate func giveBack(_ memory: UnsafeMutableRawBufferPointer) {
    if scrubbing { memory.initializeMemory(as: UInt8.self, repeating: 0xDB) }
    let returned = Handed(memory: memory)
    let (resumptions, keeps) = state.withLock { state in
      state.usedBytes -= returned.memory.count
      let keeps = returned.memory.count == bufferBytes && state.idle.count < idleMax
      if keeps { state.idle.append(returned.memory) }
      return (serve(&state), keeps)
    }
    if !keeps { memory.deallocate() }
    for resume in resumptions { resume() }
  }

  private func serve(_ state: inout State) -> [WaiterList<Int>.Resumption] {
    var resumptions: [WaiterList<Int>.Resumption] = []
    while let first = state.waiters.first, fits(first, state) {
      state.usedBytes += first
      resumptions += state.waiters.releaseFirst()
    }
    return resumptions
  }

  private func memory(_ byteCount: Int) -> UnsafeMutableRawBufferPointer {
    if byteCount == bufferBytes,
      let idle = state.withLock({ $0.idle.popLast().map(Handed.init) })
    {
      return idle.memory
    }
    return .allocate(byteCount: byteCount, alignment: directWriteBytes)
  }

  /// Memory on its way into or out of the lock.
  private struct Handed: @unchecked Sendable {
    // Safe because it has one holder at a time.
    var memory: UnsafeMutableRawBufferPointer
  }
}
