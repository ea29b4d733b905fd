// One range as several replicas have it: pure, so that it can be tested row by row.
//
// Rows are merged first and filtered after, as a replica may miss the delete that another has. Nothing beyond
// the smallest covered end is believed: a replica that stopped there says nothing about what follows.
// A group is believed when every replica shows the same first row of it; otherwise one of them may show a
// row that another knows to be deleted, and the group's rows have to be read.

/// The merge of replicas' parts of one range.
struct RangeMerge<Schema: TableSchema> {
  enum Item {
    case row(sortKey: [UInt8], Schema.Row, bytes: [UInt8])
    case group(prefix: [UInt8], isDisputed: Bool)
  }

  /// In order; tombstones included.
  private(set) var items: [Item] = []
  /// Rows that some replica lacks.
  private(set) var repairs: [(sortKey: [UInt8], bytes: [UInt8])] = []
  /// What comes from here on is not known; `nil` when everything of the range is.
  private(set) var coveredEnd: [UInt8]?

  init(_ schema: Schema, _ answers: [RangeAnswer]) throws {
    let ends = answers.compactMap(\.coveredEnd)
    coveredEnd = ends.min { $0.lexicographicallyPrecedes($1) }

    // Rows and groups by the place where they stand, in order.
    var places: [(place: [UInt8], answer: Int, entry: RangeAnswer.Entry)] = []
    for (index, answer) in answers.enumerated() {
      for entry in answer.entries {
        let place = entry.group ?? entry.sortKey
        if let coveredEnd, !place.lexicographicallyPrecedes(coveredEnd) { continue }
        places.append((place, index, entry))
      }
    }
    places.sort {
      $0.place == $1.place ? $0.answer < $1.answer : $0.place.lexicographicallyPrecedes($1.place)
    }
    var start = 0
    while start < places.count {
      var end = start + 1
      while end < places.count, places[end].place == places[start].place { end += 1 }
      try add(
        schema, places[start].place, places[start..<end].map { ($0.answer, $0.entry) },
        answers.count)
      start = end
    }
  }

  private mutating func add(
    _ schema: Schema, _ place: [UInt8], _ found: [(answer: Int, entry: RangeAnswer.Entry)],
    _ answerCount: Int
  ) throws {
    if found[0].entry.group != nil {
      let isAgreed =
        found.count == answerCount && found.allSatisfy { $0.entry == found[0].entry }
      items.append(.group(prefix: place, isDisputed: !isAgreed))
      return
    }
    var bytes = [[UInt8]?](repeating: nil, count: answerCount)
    for (answer, entry) in found { bytes[answer] = entry.bytes }
    guard let merged = try RowMerge(schema, bytes) else { return }
    items.append(.row(sortKey: place, merged.row, bytes: merged.bytes))
    if merged.isDisputed { repairs.append((place, merged.bytes)) }
  }
}
