// Node time: how long this node has been running, in milliseconds, over all its runs.
//
// What has to wait before it is released or undone waits by this time. Wall time steps: a machine whose clock lost
// its battery starts in 1970 and jumps once it has found a time server, and what waits would be due at once,
// or in decades. Monotonic time alone begins anew with each start.
//
// Invariants:
//   1. It never goes back, within a run or from one to the next, further than to the last `save`.
//   2. It never runs ahead: while the node is off it stands still.

package import Base
package import LocalDB

/// The clock of what waits on this node.
package final class NodeTime: Sendable {
  private static let key = Array("running".utf8)

  private let database: LocalDatabase
  private let tree: Tree
  private let runtime: any Runtime
  private let base: UInt64
  private let started: MonotonicInstant

  /// Goes on from the last `save`, or from `newest`, a moment that is known to have been, if that is later.
  ///
  /// - Throws: `LocalDBError`.
  package init(database: LocalDatabase, runtime: any Runtime, newest: UInt64) throws {
    self.database = database
    self.runtime = runtime
    tree = try database.tree("model_time")
    started = runtime.now
    let saved = try database.get(tree, Self.key) { Self.decode($0) } ?? 0
    // A damaged moment must not overflow the clock.
    base = min(max(saved, newest), .max >> 1)
  }

  /// The moment, in milliseconds.
  package var now: UInt64 {
    base + UInt64(max(0, (runtime.now - started).wholeNanoseconds)) / 1_000_000
  }

  /// The moment `duration` ago; `nil` when the node has not been running for so long.
  package func moment(before duration: Duration) -> UInt64? {
    let (moment, underflow) = now.subtractingReportingOverflow(
      UInt64(max(0, duration.wholeNanoseconds)) / 1_000_000)
    return underflow ? nil : moment
  }

  /// Makes this run count in the runs that follow.
  ///
  /// - Throws: `LocalDBError`.
  package func save() async throws {
    let (tree, now) = (tree, Self.encode(now))
    try await database.write { try $0.put(tree, Self.key, now) }
  }

  package static func encode(_ moment: UInt64) -> [UInt8] {
    withUnsafeBytes(of: moment.bigEndian) { Array($0) }
  }

  /// The moment in the first eight bytes; the beginning of time when they are fewer.
  package static func decode(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    guard bytes.count >= 8 else { return 0 }
    return UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
  }
}
