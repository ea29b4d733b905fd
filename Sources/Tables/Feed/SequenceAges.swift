// How old the entries of the feed are, by the time that this node has been running.
//
//   feed_age   moment of node time (u64)   ->   the last sequence that was given then (u64)
//
// Wall clocks step, and a node that is switched off learns of nothing: an hour means an hour in which this node ran.

package import LocalDB

/// Notes of which sequence was the last at which moment.
package struct SequenceAges: Sendable {
  private let database: LocalDatabase
  private let tree: Tree
  private let time: NodeTime

  /// Blocks the thread; for start-up.
  package init(database: LocalDatabase, time: NodeTime) throws {
    self.database = database
    self.time = time
    tree = try database.tree("feed_age")
  }

  /// Notes that `last` is the last sequence now, and returns the last one of `horizon` ago; 0 when nothing is so old.
  package func note(_ last: UInt64, horizon: Duration) async throws -> UInt64 {
    let (tree, now) = (tree, time.now)
    let moment = time.moment(before: horizon)
    var old: UInt64 = 0
    var passed: [[UInt8]] = []
    var newest: UInt64?
    try database.scan(tree) { key, value in
      let sequence = try ChangeFeed.number(value)
      newest = sequence
      guard let moment, NodeTime.decode(key) <= moment else { return true }
      old = sequence
      passed.append([UInt8](key))
      return true
    }
    // Of those that are old enough the youngest says it all.
    let useless = passed.dropLast()
    if newest == last, useless.isEmpty { return old }
    try await database.write { transaction in
      for key in useless { try transaction.delete(tree, key) }
      try transaction.put(tree, NodeTime.encode(now), ChangeFeed.bytes(last))
    }
    return old
  }
}
