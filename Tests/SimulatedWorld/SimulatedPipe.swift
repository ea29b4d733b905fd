// Two byte streams joined in the simulated world: what one writes, the other reads, later.
//
// Bytes travel in pieces. A piece arrives after a delay of the seed's choice, never before the one written
// earlier, and a read may get less than is there: whatever a network may do to a stream without breaking it. A
// pipe holds a bounded number of bytes, so a writer waits for its reader. `cut` breaks it at once, and
// `cutAfterBytes` breaks it in the middle of something.

import Base
private import Glibc
import Reactor

/// How a simulated pipe behaves; everything random comes from the runtime's seed.
package struct SimulatedPipeOptions: Sendable {
  /// How long a piece travels.
  package var delay: ClosedRange<Duration> = .zero ... .milliseconds(5)
  /// Whether a read may return fewer bytes than have arrived.
  package var hasShortReads = true
  /// How many bytes may be under way in one direction before a writer waits; a socket's buffers.
  package var capacityBytes = 64 * 1024
  /// Breaks the pipe once this many bytes were written to it, both directions counted together.
  package var cutAfterBytes: Int?

  package init() {}
}

/// Makes and breaks a pair of streams.
package final class SimulatedPipe: @unchecked Sendable {
  // Safe because only the runtime's one thread touches it.

  /// One end, for one side of the conversation.
  package let first: SimulatedStream
  /// The other end.
  package let second: SimulatedStream
  private let core: Core

  package init(_ runtime: SimulatedRuntime, options: SimulatedPipeOptions = .init()) {
    let core = Core(runtime: runtime, options: options)
    self.core = core
    let forth = Lane(core)
    let back = Lane(core)
    core.lanes = [forth, back]
    first = SimulatedStream(incoming: back, outgoing: forth, peerDescription: "simulated:2")
    second = SimulatedStream(incoming: forth, outgoing: back, peerDescription: "simulated:1")
  }

  /// Breaks the connection: both ends fail from now on as if the peer had reset it.
  ///
  /// What has not arrived is lost.
  package func cut() { core.cut() }

  /// What both directions share.
  final class Core {
    let runtime: SimulatedRuntime
    let options: SimulatedPipeOptions
    var written = 0
    var lanes: [Lane] = []

    init(runtime: SimulatedRuntime, options: SimulatedPipeOptions) {
      self.runtime = runtime
      self.options = options
    }

    func cut() { for lane in lanes { lane.isCut = true } }
  }

  /// One direction.
  final class Lane: SimulatedLane {
    /// Strong: an end keeps its pipe alive.
    let core: Core
    private var arrived: [UInt8] = []
    private var arrivedStart = 0
    private var travellingBytes = 0
    private var lastArrival = MonotonicInstant(nanoseconds: 0)
    private let waits: SimulatedWaits
    private var hasEnded = false
    private var isFinished = false { didSet { waits.wakeAll() } }
    var isCut = false { didSet { waits.wakeAll() } }
    private var isAbandoned = false { didSet { waits.wakeAll() } }

    init(_ core: Core) {
      self.core = core
      waits = SimulatedWaits(core.runtime)
    }

    var readFailure: Int32? { isCut ? ECONNRESET : nil }

    var writeFailure: Int32? {
      if isCut { return ECONNRESET }
      return isAbandoned || isFinished ? EPIPE : nil
    }

    private var heldBytes: Int { arrived.count - arrivedStart + travellingBytes }

    var roomBytes: Int { max(0, core.options.capacityBytes - heldBytes) }

    var isReadable: Bool { arrivedStart < arrived.count || hasEnded || isCut }

    func send(_ bytes: UnsafeRawBufferPointer) {
      let piece = [UInt8](bytes)
      travellingBytes += piece.count
      core.written += piece.count
      core.runtime.at(nextArrival()) { [self] in
        travellingBytes -= piece.count
        arrived += piece
        waits.wakeAll()
      }
      if let limit = core.options.cutAfterBytes, core.written >= limit { core.cut() }
    }

    func finish() {
      guard !isFinished else { return }
      isFinished = true
      core.runtime.at(nextArrival()) { [self] in
        hasEnded = true
        waits.wakeAll()
      }
    }

    private func nextArrival() -> MonotonicInstant {
      let delay = core.runtime.worldRandom.duration(in: core.options.delay)
      lastArrival = max(lastArrival, core.runtime.now + delay)
      return lastArrival
    }

    func take(into buffer: UnsafeMutableRawBufferPointer) -> Int {
      var count = min(buffer.count, arrived.count - arrivedStart)
      guard count > 0 else { return 0 }
      if core.options.hasShortReads { count = 1 + core.runtime.worldRandom.below(count) }
      arrived.withUnsafeBytes {
        buffer.copyMemory(from: .init(rebasing: $0[arrivedStart..<arrivedStart + count]))
      }
      arrivedStart += count
      if arrivedStart == arrived.count {
        arrived.removeAll(keepingCapacity: true)
        arrivedStart = 0
      }
      waits.wakeAll()
      return count
    }

    func abandon() { isAbandoned = true }

    nonisolated(nonsending) func wait(deadline: MonotonicInstant) async throws {
      try await waits.wait(deadline: deadline)
    }
  }
}
