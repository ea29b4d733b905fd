// What happened to the clients and the nodes of a campaign, counted: what never happened was not tested.

import SimulatedWorld

/// Counts beside those of the world; a new one is a case of `Counter` and a call of `count`.
struct StorageTally: Equatable {
  /// What is counted, by the name under which it is printed.
  enum Counter: String, CaseIterable {
    // Requests that were answered 2xx.
    case puts, gets, heads, deletes, largeObjects
    /// Reads that found nothing.
    case readsOfNothing
    /// Changes of which nobody knows whether they happened, and those whose effect was seen later.
    case unknownChanges, unknownSeen
    /// Requests to nodes that could not be dialled, and those that were answered 4xx.
    case notDialled, refused
    // Listings.
    case pages, continuedPages, commonPrefixes, pagesBesideChanges, brokenListings
    // Buckets.
    case bucketsCreated, bucketsDeleted, bucketsNotEmpty, noSuchBucket, putsBesideDeletions
    // Keys and rights.
    case keysCreated, rightsGiven, rightsWithdrawn, usedElsewhere, denied
    // Quotas.
    case quotaRefusals, quotasFull
    // What happens to nodes, beside the kills and power cuts that the world counts.
    case absences, farClocks, slowDisks, clientCuts, clientResets, partitions, oneWayCuts
  }

  var world = WorldCounters()
  private var counts = [Int](repeating: 0, count: Counter.allCases.count)

  mutating func count(_ counter: Counter, by number: Int = 1) {
    guard let index = Counter.allCases.firstIndex(of: counter) else { return }
    counts[index] += number
  }

  /// What only happens between several nodes.
  private static let betweenNodes: Set<Counter> = [.partitions, .oneWayCuts, .usedElsewhere]
  /// What only a node alone takes, until blocks follow.
  private static let alone: Set<Counter> = [.largeObjects]
  /// Counters of the world that nothing in these scenarios moves.
  private static let unused: Set<String> = [
    "rollbacks", "lookups", "failedLookups", "simultaneousDials", "addressChanges",
  ]

  /// Every counter that is to move in a cluster of `nodeCount` nodes, with its name.
  func all(nodeCount: Int) -> [(name: String, value: Int)] {
    let unmoved = nodeCount > 1 ? Self.alone : Self.betweenNodes
    return zip(Counter.allCases, counts).filter { !unmoved.contains($0.0) }
      .map { ($0.0.rawValue, $0.1) } + world.all.filter { !Self.unused.contains($0.name) }
  }

  static func += (left: inout Self, right: Self) {
    for index in left.counts.indices { left.counts[index] += right.counts[index] }
    left.world += right.world
  }

  func text(nodeCount: Int) -> String {
    all(nodeCount: nodeCount).map { "\($0.name) \($0.value)" }.joined(separator: ", ")
  }
}
