// Writes where the later one wins, whatever the clocks say.

/// One attempt to write.
package struct WriteAttempt: Sendable {
  /// The timestamp to write at.
  package var timestamp: Timestamp
  /// The timestamp that the attempt before was told of, and that this one is to replace; `nil` at first.
  package var replaces: Timestamp?
}

extension Table {
  /// How often a stale write is tried again.
  ///
  /// Each further try means that another writer came in between.
  private static var attemptsMax: Int { 16 }

  /// How often a write that a replica refused for its clock is tried again with another timestamp.
  ///
  /// A wall clock that is set between a timestamp and its check, or between the check and the answer, makes one or two
  /// such refusals; clocks that differ for good make them all.
  private static var clockRefusalsMax: Int { 3 }

  /// Calls `write` with a timestamp of this node's clock, and again above the newest one held each
  /// time that the outcome is stale.
  ///
  /// The upload ID must stay the same over all attempts: make it outside of `write`.
  ///
  /// - Returns: `.accepted` or `.refused`.
  /// - Throws: What `write` throws; `TableError.contended` after many attempts.
  package nonisolated(nonsending) func retryingStale(
    _ write: nonisolated(nonsending) (WriteAttempt) async throws -> WriteOutcome
  ) async throws -> WriteOutcome {
    var held: Timestamp?
    var clockRefusals = 0
    for _ in 0..<Self.attemptsMax {
      let timestamp = coordinator.clock.now(above: held)
      let outcome = try await write(WriteAttempt(timestamp: timestamp, replaces: held))
      if case .refused(RefusalCode.clockAhead, _) = outcome,
        clockRefusals < Self.clockRefusalsMax
      {
        clockRefusals += 1
        continue
      }
      guard case .stale(let newer) = outcome else { return outcome }
      held = max(newer, held ?? .zero)
    }
    throw TableError.contended(table: schema.name)
  }
}
