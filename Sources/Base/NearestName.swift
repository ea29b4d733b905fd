// Which name was meant: for messages about names that do not exist.

/// Guesses at slips.
package enum NearestName {
  /// The one of `names` that `name` is most likely a slip of; `nil` when none is near.
  package static func find(_ name: String, among names: some Sequence<String>) -> String? {
    // The right key in the wrong section is a commoner slip than any typing error.
    let local = name.split(separator: ".").last
    let candidates = names.map { candidate in
      (candidate, candidate.split(separator: ".").last == local ? 1 : distance(name, candidate))
    }
    guard let best = candidates.min(by: { $0.1 < $1.1 }) else { return nil }
    // A third of the letters may be wrong: beyond that the suggestion confuses.
    return best.1 <= max(2, name.utf8.count / 3) ? best.0 : nil
  }

  /// How many letters have to be changed, added, removed or swapped with their neighbour (optimal string
  /// alignment).
  static func distance(_ left: String, _ right: String) -> Int {
    let (left, right) = (Array(left.utf8.prefix(100)), Array(right.utf8.prefix(100)))
    var beforePrevious: [Int] = []
    var previous = Array(0...right.count)
    for (i, a) in left.enumerated() {
      var current = [i + 1]
      for (j, b) in right.enumerated() {
        var best = min(previous[j] + (a == b ? 0 : 1), previous[j + 1] + 1, current[j] + 1)
        if i > 0, j > 0, a == right[j - 1], b == left[i - 1] {
          best = min(best, beforePrevious[j - 1] + 1)
        }
        current.append(best)
      }
      beforePrevious = previous
      previous = current
    }
    return previous[right.count]
  }
}
