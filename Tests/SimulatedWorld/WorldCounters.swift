// What happened in a simulated world, counted: a campaign in which something never happened has not tested it.

/// Counts of events; the names are those that campaigns print and compare.
package struct WorldCounters: Sendable, Equatable, CustomStringConvertible {
  /// Connections that were asked for, and what became of them.
  package var dials = 0
  package var connects = 0
  package var refusals = 0
  package var dialTimeouts = 0
  /// Dials that began while the other side was dialling back.
  package var simultaneousDials = 0
  /// Connections that ended without either side's wish.
  package var resets = 0
  /// Bytes that arrived.
  package var bytes = 0
  package var lookups = 0
  package var failedLookups = 0
  /// Directions between two hosts that were cut, and were opened again.
  package var cuts = 0
  package var heals = 0
  package var starts = 0
  package var kills = 0
  package var powerCuts = 0
  package var addressChanges = 0
  package var clockSteps = 0
  /// Transactions of databases that were committed, and those that a kill took away.
  package var commits = 0
  package var lostCommits = 0
  package var rollbacks = 0

  package init() {}

  /// The counters and their names, in the order in which they are printed.
  private static var fields: [(name: String, path: WritableKeyPath<Self, Int>)] {
    [
      ("dials", \.dials),
      ("connects", \.connects),
      ("refusals", \.refusals),
      ("dialTimeouts", \.dialTimeouts),
      ("simultaneousDials", \.simultaneousDials),
      ("resets", \.resets),
      ("bytes", \.bytes),
      ("lookups", \.lookups),
      ("failedLookups", \.failedLookups),
      ("cuts", \.cuts),
      ("heals", \.heals),
      ("starts", \.starts),
      ("kills", \.kills),
      ("powerCuts", \.powerCuts),
      ("addressChanges", \.addressChanges),
      ("clockSteps", \.clockSteps),
      ("commits", \.commits),
      ("lostCommits", \.lostCommits),
      ("rollbacks", \.rollbacks),
    ]
  }

  /// Every counter with its name.
  package var all: [(name: String, value: Int)] {
    Self.fields.map { ($0.name, self[keyPath: $0.path]) }
  }

  /// Adds the counts of another world.
  package static func += (left: inout Self, right: Self) {
    for (_, path) in fields { left[keyPath: path] += right[keyPath: path] }
  }

  /// One counter a line.
  package var description: String {
    all.map { "\($0.name) \($0.value)" }.joined(separator: "\n")
  }
}
