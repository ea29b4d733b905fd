// Buffers that are with a client, and the end of the wait when others need them.
//
// A buffer that is filled from a client, or sent to one, comes back only as fast as that client goes: as many
// stalled clients as there are buffers would hold up everybody's blocks. So a client has a buffer on terms.
// While somebody waits for one, a client that has moved nothing for `stallMax`, or less than `rateMin` on the
// whole, is cut off: its task is cancelled, its connection closes, its buffer comes back. While nobody waits,
// the timeouts of HTTP alone decide. Why not otherwise: docs/decisions/0009-cut-off-stalled-clients.md.
//
// Invariants:
//   1. Every buffer in use is with this node (digests, disks), which ends by itself, or has a hold.
//   2. While somebody waits, no hold outlives its deadline by more than `watchPause`. A client that stalls has passed its
//      deadline after `stallMax`; one that trickles has, at the latest, after `stallMax` + buffer / `rateMin`.
//   3. At most as many clients are cut off in a round as there are tasks that wait, those furthest behind first.

import Base
private import Synchronization

/// What a client does with the buffer that it has.
package final class ClientHold: Sendable {
  /// How long a client may move nothing while others wait: a TCP connection has resent a lost packet three times by
  /// then (1, 2 and 4 s), and those who wait have not given up.
  package static let stallMax: Duration = .seconds(10)
  /// The bytes a second that a client must move on the whole while others wait.
  ///
  /// An eighth of a mobile connection of 1 Mbit/s. It gives a buffer of 1 MiB back after 74 s at most.
  package static let rateMin = 16 << 10
  /// How many bytes to hand to a client at a time: `stallMax` allows the least rate no less.
  package static let pieceBytes = 128 << 10

  private struct State: @unchecked Sendable {
    // Safe because the task is touched only under the lock, and gone from here before it can have ended.
    var task: UnsafeCurrentTask?
    var movedBytes: UInt64 = 0
    var lastMoved: MonotonicInstant
    var isCut = false
  }

  private let runtime: any Runtime
  private let started: MonotonicInstant
  private let state: Mutex<State>

  fileprivate init(_ runtime: any Runtime) {
    self.runtime = runtime
    started = runtime.now
    // Safe because `ClientHolds.hold` takes it away before the code that runs in the task goes on.
    state = Mutex(State(task: withUnsafeCurrentTask { $0 }, lastMoved: started))
  }

  /// Notes that the client took or gave `byteCount` bytes.
  package func moved(_ byteCount: Int) {
    let now = runtime.now
    state.withLock { state in
      state.movedBytes &+= UInt64(max(0, byteCount))
      state.lastMoved = now
    }
  }

  /// When the client may be cut off.
  fileprivate var deadline: MonotonicInstant {
    let (moved, last) = state.withLock { ($0.movedBytes, $0.lastMoved) }
    let earned = Duration.seconds(Int64(clamping: moved / UInt64(Self.rateMin)))
    return min(last, started + earned) + Self.stallMax
  }

  fileprivate func cut() {
    state.withLock { state in
      guard let task = state.task else { return }
      state.isCut = true
      task.cancel()
    }
  }

  /// Lets go of the task; whether it was cut off.
  fileprivate func end() -> Bool {
    state.withLock { state in
      state.task = nil
      return state.isCut
    }
  }
}

/// All holds of one pool.
final class ClientHolds: Sendable {
  /// How often the holds are looked at while somebody waits: little beside `stallMax`.
  static let watchPause: Duration = .seconds(1)

  private struct State {
    var holds: [UInt64: ClientHold] = [:]
    var lastNumber: UInt64 = 0
  }

  private let runtime: any Runtime
  private let state = Mutex(State())

  init(_ runtime: any Runtime) { self.runtime = runtime }

  /// Runs `body`, in which the calling task moves bytes between a buffer and a client.
  ///
  /// - Throws: `BlockError.clientStalled` when the client was cut off: the task is cancelled then. What `body` throws.
  nonisolated(nonsending) func hold<Result>(
    _ body: nonisolated(nonsending) (ClientHold) async throws -> Result
  ) async throws -> Result {
    let hold = ClientHold(runtime)
    let number = state.withLock { state in
      state.lastNumber += 1
      state.holds[state.lastNumber] = hold
      return state.lastNumber
    }
    let result: Result
    do {
      result = try await body(hold)
    } catch {
      throw end(number, hold) ? BlockError.clientStalled : error
    }
    if end(number, hold) { throw BlockError.clientStalled }
    return result
  }

  private func end(_ number: UInt64, _ hold: ClientHold) -> Bool {
    state.withLock { $0.holds[number] = nil }
    return hold.end()
  }

  /// Cuts off the clients that are furthest behind, `max` at most.
  ///
  /// - Returns: How many.
  func cutOverdue(max: Int) -> Int {
    let now = runtime.now
    // By number where deadlines are equal: a simulation repeats that.
    let overdue = state.withLock { $0.holds }
      .map { (number: $0.key, hold: $0.value, deadline: $0.value.deadline) }
      .filter { $0.deadline <= now }
      .sorted { ($0.deadline, $0.number) < ($1.deadline, $1.number) }
      .prefix(max)
    for client in overdue {
      // Nobody cuts it off twice while its buffer is on the way back.
      state.withLock { $0.holds[client.number] = nil }
      client.hold.cut()
    }
    return overdue.count
  }
}
