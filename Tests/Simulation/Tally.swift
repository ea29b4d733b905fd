// What happened in the clusters of a campaign, counted: what never happened was not tested.

import SimulatedWorld

/// Counts of what members did, beside those of the world.
struct Tally: Equatable {
  var world = WorldCounters()
  /// Nodes that became members, and those that a member refused.
  var joins = 0
  var joinsRefused = 0
  /// Nodes that were given a token of no use.
  var badTokens = 0
  /// Removals and leaves that were acknowledged.
  var removals = 0
  var leaves = 0
  /// Pairs of members that removed each other across a partition.
  var mutualRemovals = 0
  /// Invites that let more in than they should, on two sides of a partition, as members showed it in the end.
  var overadmissions = 0
  /// Partitions, and cuts of one direction.
  var partitions = 0
  var oneWayCuts = 0
  /// Deaths and cuts after which it was looked whether everybody noticed.
  var noticed = 0
  /// Removed nodes that tried to come back by a good token.
  var returnsRefused = 0
  /// Nodes that began with a wrong clock, and those behind a router.
  var wrongClocks = 0
  var behindRouters = 0

  private static var fields: [(name: String, path: WritableKeyPath<Self, Int>)] {
    [
      ("joins", \.joins), ("joinsRefused", \.joinsRefused), ("badTokens", \.badTokens),
      ("removals", \.removals), ("leaves", \.leaves), ("mutualRemovals", \.mutualRemovals),
      ("overadmissions", \.overadmissions), ("partitions", \.partitions),
      ("oneWayCuts", \.oneWayCuts), ("noticed", \.noticed),
      ("returnsRefused", \.returnsRefused), ("wrongClocks", \.wrongClocks),
      ("behindRouters", \.behindRouters),
    ]
  }

  /// Counters of the world that nothing in these clusters moves.
  private static let unused: Set<String> = ["rollbacks", "failedLookups"]

  /// Every counter that is to move, with its name.
  var all: [(name: String, value: Int)] {
    Self.fields.map { ($0.name, self[keyPath: $0.path]) }
      + world.all.filter { !Self.unused.contains($0.name) }
  }

  static func += (left: inout Self, right: Self) {
    for (_, path) in fields { left[keyPath: path] += right[keyPath: path] }
    left.world += right.world
  }

  var text: String { all.map { "\($0.name) \($0.value)" }.joined(separator: ", ") }
}
