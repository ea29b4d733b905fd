// Writes where the later one wins, whatever the clocks say.

import Base

/// One attempt to write.
package struct WriteAttempt: Sendable {
  /// The timestamp to write at.
  package var timestamp: Timestamp
  /// The stale answer that this attempt is above; `nil` at first.
  package var above: Timestamp?
  /// Whether an attempt at another timestamp may be on some replica: then this one must be another write, with another
  /// upload ID.
  package var isAnother: Bool
}

/// What is known of a write after some attempts, for those that follow.
package struct WriteTries: Sendable {
  /// The newest timestamp that is known to be held.
  fileprivate var held: Timestamp?
  /// The timestamp of an attempt that may be on some replica, to go again as it is.
  fileprivate var sent: Timestamp?
  /// Whether any attempt may be on some replica: nobody may be told that it was not done.
  package private(set) var mayExist = false

  package init() {}

  fileprivate mutating func next(_ clock: HybridClock) -> WriteAttempt {
    WriteAttempt(
      timestamp: sent ?? clock.now(above: held), above: held, isAnother: mayExist && sent == nil)
  }

  fileprivate mutating func note(_ outcome: WriteOutcome, of attempt: WriteAttempt) {
    mayExist = mayExist || outcome.mayExist
    switch outcome {
    case .accepted: return
    case .stale(let newer, _):
      held = max(newer, held ?? .zero)
      sent = nil
    case .refused(_, _, let mayExist):
      if mayExist { sent = attempt.timestamp }
    }
  }
}

extension Table {
  /// How often a stale write is tried again.
  ///
  /// Each further try means that another writer came in between.
  private static var attemptsMax: Int { 16 }

  /// How often a write that a replica refused for its clock is tried again.
  ///
  /// A wall clock that is set between a timestamp and its check, or between the check and the answer, makes one or two
  /// such refusals; clocks that differ for good make them all.
  private static var clockRefusalsMax: Int { 3 }

  /// The longest wait before a further try, at first and at the most.
  ///
  /// Two that write one row at once above the same far timestamp, each from a replica of its own, would go on refusing each
  /// other: one has to let the other pass, and its row has to reach the others meanwhile.
  private static var pauseMax: (first: Duration, most: Duration) {
    (.milliseconds(25), .milliseconds(800))
  }

  /// Calls `write` with a timestamp of this node's clock, and again above the newest one held each
  /// time that the outcome is stale.
  ///
  /// - Parameter tries: What earlier calls for the same write found out.
  /// - Returns: `.accepted` or `.refused`; whether any attempt may exist `tries` says.
  /// - Throws: What `write` throws; `TableError.contended` after many attempts.
  package nonisolated(nonsending) func retryingStale(
    _ tries: inout WriteTries,
    _ write: nonisolated(nonsending) (WriteAttempt) async throws -> WriteOutcome
  ) async throws -> WriteOutcome {
    var clockRefusals = 0
    var pauseMax = Self.pauseMax.first
    for number in 0..<Self.attemptsMax {
      let attempt = tries.next(coordinator.clock)
      let outcome = try await write(attempt)
      tries.note(outcome, of: attempt)
      if case .refused(RefusalCode.clockAhead, _, _) = outcome,
        clockRefusals < Self.clockRefusalsMax
      {
        clockRefusals += 1
        continue
      }
      guard case .stale = outcome else { return outcome }
      guard number > 0, !isSole else { continue }
      let random = coordinator.runtime.random.below(Int(pauseMax / .microseconds(1)))
      try await coordinator.runtime.sleep(for: .microseconds(random))
      pauseMax = min(pauseMax * 2, Self.pauseMax.most)
    }
    throw TableError.contended(table: schema.name)
  }

  /// As above, for a write of which nothing is known.
  package nonisolated(nonsending) func retryingStale(
    _ write: nonisolated(nonsending) (WriteAttempt) async throws -> WriteOutcome
  ) async throws -> WriteOutcome {
    var tries = WriteTries()
    return try await retryingStale(&tries, write)
  }
}
