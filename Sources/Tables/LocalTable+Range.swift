// Ranges of this node's rows: for a client of a sole node, and for a coordinator on another node.

import LocalDB

extension LocalTable {
  /// The most rows that one call looks at, so that a range of a million tombstones cannot hold up
  /// an event loop: some 10 ms of work.
  static var examinedMax: Int { 10_000 }

  /// A page of live rows of this node.
  package func range(_ query: RangeQuery) throws -> RangePage<Schema.Row> {
    var page = RangePage<Schema.Row>(items: [], next: nil)
    var examined = 0
    try database.read { transaction in
      try walk(query.partitionKey, from: query.from, to: query.to, in: transaction) {
        sortKey, _, row in
        examined += 1
        if examined > Self.examinedMax {
          page.next = sortKey
          return .stop
        }
        let group = query.grouping?.group(of: sortKey)
        let isVisible =
          group == nil ? schema.tombstoneTimestamp(row) == nil : schema.isWitness(row)
        guard isVisible else { return .next }
        if page.items.count >= query.limit {
          page.next = sortKey
          return .stop
        }
        guard let group else {
          page.items.append(.row(sortKey: sortKey, row))
          return .next
        }
        page.items.append(.group(prefix: group))
        return Partition.end(ofPrefix: group).map { .seek($0) } ?? .stop
      }
    }
    return page
  }

  /// This replica's part of a range, tombstones included.
  func answer(_ request: RangeRequest) throws -> RangeAnswer {
    var answer = RangeAnswer(entries: [], coveredEnd: nil)
    var examined = 0
    try database.read { transaction in
      try walk(request.partitionKey, from: request.from, to: request.to, in: transaction) {
        sortKey, bytes, row in
        examined += 1
        let group = request.grouping?.group(of: sortKey)
        if group != nil && !schema.isWitness(row) && examined <= Self.examinedMax { return .next }
        if answer.entries.count >= request.limit || examined > Self.examinedMax {
          answer.coveredEnd = sortKey
          return .stop
        }
        answer.entries.append(.init(sortKey: sortKey, bytes: Array(bytes), group: group))
        guard let group else { return .next }
        return Partition.end(ofPrefix: group).map { .seek($0) } ?? .stop
      }
    }
    return answer
  }
}
