// Which endings stand.
//
// An ending acts on another one when it voids it, or an admission through which its signer can have come to be a
// member. What acts is decided before what it acts on. Endings that act on each other in a circle are decided
// together, each as if the others were not there: so all of a circle stand, unless something from outside voids them.
//
// The circles are the strongly connected components of that graph, found by Tarjan's algorithm ("Depth-first search
// and linear graph algorithms", 1972), which meets a component after all those that act on it.

import Base

/// Decides about all endings of an index.
struct StandingEndings {
  private let index: MemberIndex
  /// For each ending those that act on it.
  private let actors: BitMatrix
  /// Those that were found to stand.
  private var standing: BitSet

  // Of Tarjan's algorithm.
  private var count = 0
  private var order: [Int]
  private var low: [Int]
  private var isOpen: [Bool]
  private var open: [Int] = []

  /// The endings of `index` that stand.
  static func find(in index: MemberIndex) -> BitSet {
    var search = StandingEndings(index)
    for ending in index.endings.indices where search.order[ending] < 0 { search.visit(ending) }
    return search.standing
  }

  private init(_ index: MemberIndex) {
    self.index = index
    actors = Self.findActors(index)
    standing = BitSet(count: index.endings.count)
    order = [Int](repeating: -1, count: index.endings.count)
    low = order
    isOpen = [Bool](repeating: false, count: index.endings.count)
  }

  private static func findActors(_ index: MemberIndex) -> BitMatrix {
    let endings = index.endings
    var actors = BitMatrix(rows: endings.count, columns: endings.count)
    var ofSigner = [BitSet?](repeating: nil, count: index.keys.count)
    for (number, ending) in endings.enumerated() {
      let set = ofSigner[ending.signer] ?? voiders(index.ancestry(of: ending.signer), index)
      ofSigner[ending.signer] = set
      actors.insert(set, row: number)
      // What an earlier layout lists is not acted on by what is listed later, or not at all.
      if ending.rank != Int.max {
        for actor in set.members where endings[actor].rank > ending.rank {
          actors.remove(actor, row: number)
        }
      }
      var direct = BitSet(count: endings.count)
      index.endingVoiders.add(row: number, to: &direct)
      actors.insert(direct, row: number)
      actors.remove(number, row: number)
    }
    return actors
  }

  /// The endings that void one of `admissions`.
  private static func voiders(_ admissions: [Int], _ index: MemberIndex) -> BitSet {
    var set = BitSet(count: index.endings.count)
    for admission in admissions { index.admissionVoiders.add(row: admission, to: &set) }
    return set
  }

  /// Decides about `start` and all endings that act on it.
  private mutating func visit(_ start: Int) {
    var path = [(ending: start, position: 0)]
    enter(start)
    while let (ending, position) = path.last {
      if let actor = actors.first(row: ending, from: position) {
        path[path.count - 1].position = actor + 1
        if order[actor] < 0 {
          enter(actor)
          path.append((actor, 0))
        } else if isOpen[actor] {
          low[ending] = min(low[ending], order[actor])
        }
      } else {
        path.removeLast()
        if let after = path.last?.ending { low[after] = min(low[after], low[ending]) }
        if low[ending] == order[ending] { decideCircle(of: ending) }
      }
    }
  }

  private mutating func enter(_ ending: Int) {
    order[ending] = count
    low[ending] = count
    count += 1
    open.append(ending)
    isOpen[ending] = true
  }

  private mutating func decideCircle(of ending: Int) {
    var circle: [Int] = []
    while let last = open.popLast() {
      isOpen[last] = false
      circle.append(last)
      if last == ending { break }
    }
    // All of the circle before any of them counts.
    for member in circle.filter(stands) { standing.insert(member) }
  }

  private func stands(_ ending: Int) -> Bool {
    if index.endingVoiders.intersects(row: ending, standing) { return false }
    let before = actors.intersection(row: ending, standing)
    return index.isRooted(index.endings[ending].signer, under: before)
  }
}
