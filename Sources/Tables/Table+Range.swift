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
    if coordinator.placement.isSole || schema.isFullyReplicated { return try local.range(query) }
    var page = RangePage<Schema.Row>(items: [], next: query.from)
    var rounds = 0
    while let from = page.next, rounds < Self.roundsMax {
      rounds += 1
      let wanted = min(query.limit - page.items.count + 1, 1001)
      let merged = try await quorumRange(query, from: from, to: query.to, limit: wanted)
      page.next = merged.coveredEnd
      if try await fill(&page, from: merged, query) { break }
    }
    return page
  }

  /// Appends the live items of `merged`; whether the page is full and more items follow.
  private nonisolated(nonsending) func fill(
    _ page: inout RangePage<Schema.Row>, from merged: RangeMerge<Schema>, _ query: RangeQuery
  ) async throws -> Bool {
    for item in merged.items {
      switch item {
      case .row(let sortKey, let row):
        guard schema.tombstoneTimestamp(row) == nil else { continue }
        if page.items.count >= query.limit {
          page.next = sortKey
          return true
        }
        page.items.append(.row(sortKey: sortKey, row))
      case .group(let prefix, let isDisputed):
        if isDisputed {
          guard try await hasWitness(prefix, query) else {
            skip(prefix, &page.next)
            continue
          }
        }
        if page.items.count >= query.limit {
          page.next = query.from.lexicographicallyPrecedes(prefix) ? prefix : query.from
          return true
        }
        page.items.append(.group(prefix: prefix))
        skip(prefix, &page.next)
      }
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
      for case .row(_, let row) in merged.items where schema.isWitness(row) { return true }
      from = merged.coveredEnd
    }
    return false
  }

  /// Asks a read quorum, merges, and writes back what some replica lacked.
  private nonisolated(nonsending) func quorumRange(
    _ query: RangeQuery, from: [UInt8], to: [UInt8]?, limit: Int
  ) async throws -> RangeMerge<Schema> {
    let partition = Partition.of(query.partitionKey)
    let group = group(of: partition)
    let body = RangeRequest(
      partitionKey: query.partitionKey, from: from, to: to, limit: limit, grouping: query.grouping)
    let answers = try await coordinator.read(request(.range(body), partition, group), from: group)
      .map { answer in
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
    try await writeBack(repairs, partition, group)
    return merged
  }
}
