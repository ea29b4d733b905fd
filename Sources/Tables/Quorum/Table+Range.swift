// Reading a range at a quorum.

extension Table {
  /// How many times one page asks the replicas.
  ///
  /// A range full of tombstones then gives a short page, which says where to go on, instead of a
  /// request that takes for ever.
  private static var roundsMax: Int { 16 }
  /// How many rows of a disputed group are read at a time: usually one of the first is alive.
  private static var disputedRowsAtOnce: Int { 64 }

  /// Live rows in order.
  ///
  /// A fully replicated table is read on this node alone.
  package nonisolated(nonsending) func range(
    _ query: RangeQuery
  ) async throws -> RangePage<Schema.Row> {
    var page = RangePage<Schema.Row>(items: [], next: nil)
    page.next = try await scan(query) { try page.add($0, schema, limit: query.limit) }
    return page
  }

  /// Hands rows, tombstones among them, and groups to `visit`, in order, until the range ends or `visit` has
  /// enough: for a reader that needs a part of each row.
  ///
  /// A fully replicated table is read on this node alone.
  ///
  /// - Returns: Where to read on; `nil` at the end.
  package nonisolated(nonsending) func scan(
    _ query: RangeQuery, visit: (RangeSight) throws -> RangeStep
  ) async throws -> [UInt8]? {
    if coordinator.sole != nil || schema.isFullyReplicated {
      return try local.scan(query, visit: visit)
    }
    var next: [UInt8]? = query.from
    var taken = 0
    var rounds = 0
    while let from = next, rounds < Self.roundsMax {
      rounds += 1
      let wanted = min(max(query.limit - taken, 0) + 1, 1001)
      let merged = try await quorumRange(query, from: from, to: query.to, limit: wanted)
      next = merged.coveredEnd
      if try await hand(merged, of: query, to: visit, &next, &taken) { break }
    }
    return next
  }

  /// Hands the items of `merged` to `visit`; whether it has enough, and more items follow.
  private nonisolated(nonsending) func hand(
    _ merged: RangeMerge<Schema>, of query: RangeQuery, to visit: (RangeSight) throws -> RangeStep,
    _ next: inout [UInt8]?, _ taken: inout Int
  ) async throws -> Bool {
    for item in merged.items {
      let step: RangeStep
      let place: [UInt8]
      switch item {
      case .row(let sortKey, _, let bytes):
        place = sortKey
        step = try sortKey.withUnsafeBytes { sortKey in
          try bytes.withUnsafeBytes { try visit(.row(sortKey: sortKey, bytes: $0)) }
        }
      case .group(let prefix, let isDisputed):
        place = query.from.lexicographicallyPrecedes(prefix) ? prefix : query.from
        let exists = isDisputed ? try await hasWitness(prefix, query) : true
        step = exists ? try visit(.group(prefix: prefix)) : .passed
        if step != .full { skip(prefix, &next) }
      }
      if step == .full {
        next = place
        return true
      }
      if step == .taken { taken += 1 }
    }
    return false
  }

  /// Moves `next` behind the group of `prefix` if it lies within.
  private func skip(_ prefix: [UInt8], _ next: inout [UInt8]?) {
    guard let position = next, position.starts(with: prefix) else { return }
    next = Partition.end(ofPrefix: prefix)
  }

  /// Reads the rows of a group one after the other until one is alive at a quorum.
  private nonisolated(nonsending) func hasWitness(
    _ prefix: [UInt8], _ query: RangeQuery
  ) async throws -> Bool {
    var plain = query
    plain.grouping = nil
    let groupEnd = Partition.end(ofPrefix: prefix)
    let ends = [groupEnd, query.to].compactMap { $0 }
    let end = ends.min { $0.lexicographicallyPrecedes($1) }
    var from: [UInt8]? = prefix.lexicographicallyPrecedes(query.from) ? query.from : prefix
    while let position = from {
      let merged = try await quorumRange(
        plain, from: position, to: end, limit: Self.disputedRowsAtOnce)
      for case .row(_, let row, _) in merged.items where schema.isWitness(row) { return true }
      from = merged.coveredEnd
    }
    return false
  }

  /// Asks a read quorum, merges, and writes back what some replica lacked.
  private nonisolated(nonsending) func quorumRange(
    _ query: RangeQuery, from: [UInt8], to: [UInt8]?, limit: Int
  ) async throws -> RangeMerge<Schema> {
    let body = RangeRequest(
      partitionKey: query.partitionKey, from: from, to: to, limit: limit, grouping: query.grouping)
    return try await again(partition(of: query.partitionKey)) { group, floors in
      var request = request(.range(body), group)
      request.companion = query.companion
      let answers = try await coordinator.read(request, from: group.replicas).map { answer in
        guard case .range(let range) = answer else {
          throw TableError.malformed(table: schema.name, detail: "an answer of another kind")
        }
        return range
      }
      let merged = try RangeMerge(schema, answers)
      let repairs = merged.repairs.map { sortKey, bytes in
        EncodedRow(
          key: RowKey(partitionKey: query.partitionKey, sortKey: sortKey), bytes: bytes)
      }
      try await writeBack(repairs, group, floors)
      return merged
    }
  }
}
