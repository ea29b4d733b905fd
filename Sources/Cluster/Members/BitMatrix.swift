// Sets of small numbers, and rows of them.

/// A set of numbers below a bound.
struct BitSet: Equatable {
  fileprivate(set) var words: [UInt64]

  /// The empty set of numbers below `count`.
  init(count: Int) { words = [UInt64](repeating: 0, count: (count + 63) / 64) }

  fileprivate init(words: [UInt64]) { self.words = words }

  mutating func insert(_ number: Int) { words[number >> 6] |= 1 << UInt64(number & 63) }

  func contains(_ number: Int) -> Bool { words[number >> 6] >> UInt64(number & 63) & 1 == 1 }

  var isEmpty: Bool { words.allSatisfy { $0 == 0 } }

  /// The least member that is at least `start`.
  func first(from start: Int) -> Int? {
    var place = start >> 6
    guard place < words.count else { return nil }
    var word = words[place] & (UInt64.max << UInt64(start & 63))
    while word == 0 {
      place += 1
      guard place < words.count else { return nil }
      word = words[place]
    }
    return place << 6 + word.trailingZeroBitCount
  }

  /// The members, ascending.
  var members: [Int] {
    var result: [Int] = []
    var next = first(from: 0)
    while let member = next {
      result.append(member)
      next = first(from: member + 1)
    }
    return result
  }
}

/// A set of numbers in each row.
///
/// Each row knows between which words its numbers lie: most rows have few, close to each other.
struct BitMatrix {
  private var words: [UInt64]
  private let stride: Int
  /// Where in a row words may be other than 0.
  private var used: [Range<Int>]

  /// `rows` empty sets of numbers below `columns`.
  init(rows: Int, columns: Int) {
    stride = (columns + 63) / 64
    words = [UInt64](repeating: 0, count: rows * stride)
    used = [Range<Int>](repeating: 0..<0, count: rows)
  }

  mutating func insert(_ column: Int, row: Int) {
    let place = column >> 6
    words[row * stride + place] |= 1 << UInt64(column & 63)
    used[row] = Self.hull(used[row], place..<place + 1)
  }

  mutating func remove(_ column: Int, row: Int) {
    words[row * stride + column >> 6] &= ~(1 << UInt64(column & 63))
  }

  private static func hull(_ left: Range<Int>, _ right: Range<Int>) -> Range<Int> {
    if left.isEmpty { return right }
    if right.isEmpty { return left }
    return min(left.lowerBound, right.lowerBound)..<max(left.upperBound, right.upperBound)
  }

  /// Adds all of `row` to `set`.
  func add(row: Int, to set: inout BitSet) {
    for place in used[row] { set.words[place] |= words[row * stride + place] }
  }

  /// Adds all of `set` to `row`.
  mutating func insert(_ set: BitSet, row: Int) {
    for place in set.words.indices where set.words[place] != 0 {
      words[row * stride + place] |= set.words[place]
      used[row] = Self.hull(used[row], place..<place + 1)
    }
  }

  /// Whether a number is in both.
  func intersects(row: Int, _ set: BitSet) -> Bool {
    for place in used[row] where words[row * stride + place] & set.words[place] != 0 {
      return true
    }
    return false
  }

  /// What is in both.
  func intersection(row: Int, _ set: BitSet) -> BitSet {
    var both = BitSet(words: [UInt64](repeating: 0, count: stride))
    for place in used[row] { both.words[place] = words[row * stride + place] & set.words[place] }
    return both
  }

  /// The least number of `row` that is at least `start`.
  func first(row: Int, from start: Int) -> Int? {
    var place = start >> 6
    guard place < used[row].upperBound else { return nil }
    var word = words[row * stride + place] & (UInt64.max << UInt64(start & 63))
    while word == 0 {
      place += 1
      guard place < used[row].upperBound else { return nil }
      word = words[row * stride + place]
    }
    return place << 6 + word.trailingZeroBitCount
  }
}
