// Ranges of this node's rows: for a client of a sole node, and for a coordinator on another node.

import LocalDB

extension LocalTable {
  /// The most rows that one call looks at, so that a range of a million tombstones cannot hold up
  /// an event loop: some 10 ms of work.
  static var examinedMax: Int { 10_000 }

  /// A page of live rows of this node.
  package func range(_ query: RangeQuery) throws -> RangePage<Schema.Row> {
    var page = RangePage<Schema.Row>(items: [], next: nil)
    page.next = try scan(query) { try page.add($0, schema, limit: query.limit) }
    return page
  }

  /// Hands what this node has of the range to `visit`, in order, until the range ends or `visit` has enough.
  ///
  /// - Returns: Where to read on; `nil` at the end.
  package func scan(
    _ query: RangeQuery, visit: (RangeSight) throws -> RangeStep
  ) throws -> [UInt8]? {
    var next: [UInt8]?
    var examined = 0
    try database.read { transaction in
      try walkBytes(query.partitionKey, from: query.from, to: query.to, in: transaction) {
        sortKey, bytes in
        examined += 1
        if examined > Self.examinedMax {
          next = Array(sortKey)
          return .stop
        }
        guard let end = query.grouping?.end(ofGroupOf: sortKey) else {
          guard try visit(.row(sortKey: sortKey, bytes: bytes)) == .full else { return .next }
          next = Array(sortKey)
          return .stop
        }
        guard try schema.isWitness(encoded: bytes) else { return .next }
        let prefix = Array(sortKey[..<end])
        guard try visit(.group(prefix: prefix)) != .full else {
          next = Array(sortKey)
          return .stop
        }
        return Partition.end(ofPrefix: prefix).map { .seek($0) } ?? .stop
      }
    }
    return next
  }

  /// This replica's part of a range, tombstones included.
  func answer(_ request: RangeRequest) throws -> RangeAnswer {
    var answer = RangeAnswer(entries: [], coveredEnd: nil)
    var examined = 0
    var bytesLeft = TableMessageLimits.answerBytesMax
    try database.read { transaction in
      try walkBytes(request.partitionKey, from: request.from, to: request.to, in: transaction) {
        sortKey, bytes in
        examined += 1
        let group = request.grouping?.end(ofGroupOf: sortKey).map { Array(sortKey[..<$0]) }
        if group != nil, examined <= Self.examinedMax, try !schema.isWitness(encoded: bytes) {
          return .next
        }
        if answer.entries.count >= request.limit || examined > Self.examinedMax || bytesLeft <= 0 {
          answer.coveredEnd = Array(sortKey)
          return .stop
        }
        bytesLeft -= sortKey.count + bytes.count
        answer.entries.append(
          .init(sortKey: Array(sortKey), bytes: Array(bytes), group: group))
        guard let group else { return .next }
        return Partition.end(ofPrefix: group).map { .seek($0) } ?? .stop
      }
    }
    return answer
  }
}
