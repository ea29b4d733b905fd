// The worker that forgets deletes on a node that holds everything alone.

package import Base

/// Drops tombstones once no write that is older can be under way.
///
/// With several nodes a tombstone goes only after every holder has confirmed it; then this worker rests.
package final class TombstoneCollector: Sendable {
  /// How old a tombstone has to be: longer than any request of this node may take, with the clock's
  /// tolerance of a quarter of an hour on top.
  ///
  /// The floor answers the rest.
  package static let horizon: Duration = .seconds(3600)
  /// Often enough that the list stays short.
  package static let interval: Duration = .seconds(600)

  private let replica: LocalTableReplica
  private let placement: any Placement
  private let runtime: any Runtime
  private let logger: Logger

  package init(
    replica: LocalTableReplica, placement: any Placement, runtime: any Runtime, logger: Logger
  ) {
    self.replica = replica
    self.placement = placement
    self.runtime = runtime
    self.logger = logger
  }

  /// Works until the task is cancelled.
  package nonisolated(nonsending) func run() async {
    while !Task.isCancelled {
      do {
        try await runtime.sleep(for: Self.interval)
        try await collect()
      } catch is CancellationError {
        return
      } catch {
        logger.warning("Old tombstones could not be dropped.", [("error", "\(error)")])
      }
    }
  }

  /// Drops what is old enough now, and returns how many.
  @discardableResult
  package nonisolated(nonsending) func collect() async throws -> Int {
    guard placement.isSole else { return 0 }
    let age = Self.horizon.components.seconds * 1000
    let horizon = Timestamp(milliseconds: runtime.wallNow.milliseconds - age)
    let collected = try await replica.collectTombstones(olderThan: horizon)
    if collected.unreadable > 0 {
      logger.warning(
        "Some old tombstones were not dropped: their rows cannot be read.",
        [("rows", "\(collected.unreadable)")])
    }
    return collected.dropped
  }
}
