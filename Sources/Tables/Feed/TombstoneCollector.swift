// The worker that forgets deletes.
//
// A tombstone goes once no node can bring back what it deleted: when every other holder has read past it, and an hour of this
// node's running time has passed since it came, so that whoever was told of what it deleted has long answered. The floor
// answers the rest.

package import Base
import Synchronization

/// Drops tombstones that every holder has read.
package final class TombstoneCollector: Sendable {
  /// How long a tombstone stays at least: longer than any request may take, with the clocks' tolerance of a quarter of an
  /// hour on top.
  package static let horizon: Duration = .seconds(3600)
  /// Often enough that few are left.
  package static let interval: Duration = .seconds(600)

  private let replica: LocalTableReplica
  private let readByAll: @Sendable (UInt16) -> UInt64?
  private let ages: SequenceAges
  private let runtime: any Runtime
  private let logger: Logger

  /// - Parameter readByAll: Up to which sequence every other holder has read a partition of this node's feed; `nil` when
  ///   this node is no holder of it, or a holder has said nothing yet.
  package init(
    replica: LocalTableReplica, time: NodeTime, runtime: any Runtime, logger: Logger,
    readByAll: @escaping @Sendable (UInt16) -> UInt64?
  ) throws {
    self.replica = replica
    self.readByAll = readByAll
    ages = try SequenceAges(database: replica.database, time: time)
    self.runtime = runtime
    self.logger = logger
  }

  /// Works until the task is cancelled.
  package nonisolated(nonsending) func run() async {
    while !Task.isCancelled {
      do {
        try await collect()
        try await runtime.sleep(for: Self.interval)
      } catch is CancellationError {
        return
      } catch {
        logger.warning("Old tombstones could not be dropped.", [("error", "\(error)")])
        try? await runtime.sleep(for: Self.interval)
      }
    }
  }

  /// Drops what is old enough now, and returns how many.
  @discardableResult
  package nonisolated(nonsending) func collect() async throws -> Int {
    let old = try await ages.note(replica.feed.last, horizon: Self.horizon)
    var total = CollectedTombstones()
    guard old > 0 else { return 0 }
    for partition in 0...Partition.everywhere {
      guard let read = readByAll(partition) else { continue }
      let collected = try await replica.collectTombstones(of: partition, upTo: min(read, old))
      total.dropped += collected.dropped
      total.unreadable += collected.unreadable
    }
    if total.unreadable > 0 {
      logger.warning(
        "Some old tombstones were not dropped: their rows cannot be read.",
        [("rows", "\(total.unreadable)")])
    }
    return total.dropped
  }
}
