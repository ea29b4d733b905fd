// Pages of keys, common prefixes folded, complete and in the order of bytes.
//
// The table folds sort keys by the delimiter on each replica and seeks past each group, so that a page costs
// what it returns. Here positions become sort keys, and sort keys become keys.

import Base
import Tables

/// A page of rows of one kind of the table `object`.
struct KeyListing {
  /// What a page holds, in order.
  enum Item<Entry> {
    case entry(Entry)
    case commonPrefix([UInt8])
  }

  /// The most items of a page; it bounds what one request may cost.
  static let limitMax = 1000

  private let parts: StoreParts
  private let kind: ObjectRowKind
  private let partitionKey: [UInt8]
  private let query: ListQuery

  init(_ parts: StoreParts, _ kind: ObjectRowKind, bucket: BucketID, _ query: ListQuery) {
    self.parts = parts
    self.kind = kind
    self.query = query
    partitionKey = ObjectPartition.key(bucket)
  }

  /// The items from the query's position on, and whether more follow.
  ///
  /// - Parameters:
  ///   - first: The sort key to begin at, if it lies behind the query's position.
  ///   - companion: What each replica has to hold before it answers.
  ///   - read: What the page shows of a row, given as its sort key and bytes, which are valid only in the call;
  ///     `nil` when the row is not listed.
  func page<Entry>(
    from first: [UInt8]? = nil, companion: CompanionRow? = nil,
    read: (_ sortKey: UnsafeRawBufferPointer, _ row: UnsafeRawBufferPointer) throws -> Entry?
  ) async throws -> (items: [Item<Entry>], isTruncated: Bool) {
    let limit = min(query.limit, Self.limitMax)
    guard limit > 0 else { return ([], false) }
    let end = ObjectSortKey.endOfPrefix(kind, query.prefix)
    var from: [UInt8]? = start
    if let first, start.lexicographicallyPrecedes(first) { from = first }
    var items: [Item<Entry>] = []
    var isTruncated = false
    var isFirstScan = true
    while !isTruncated, let position = from, position.lexicographicallyPrecedes(end) {
      // There may be a million deleted rows before the next that is listed.
      if !isFirstScan { try await parts.runtime.letOthersRun() }
      isFirstScan = false
      var rest = RangeQuery(
        partitionKey: partitionKey, from: position, to: end, limit: limit - items.count,
        grouping: grouping)
      rest.companion = companion
      from = try await ModelError.translating {
        try await parts.objects.scan(rest) { sight in
          guard let item = try listed(sight, read) else { return .passed }
          guard items.count < limit else {
            isTruncated = true
            return .full
          }
          items.append(item)
          return .taken
        }
      }
    }
    return (items, isTruncated)
  }

  private func listed<Entry>(
    _ sight: RangeSight,
    _ read: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> Entry?
  ) throws -> Item<Entry>? {
    switch sight {
    case .row(let sortKey, let bytes): try read(sortKey, bytes).map { .entry($0) }
    case .group(let prefix): ObjectSortKey.unescapedPrefix(prefix).map { .commonPrefix($0) }
    }
  }

  private var grouping: DelimiterGrouping? {
    guard !query.delimiter.isEmpty else { return nil }
    // The kind's byte comes before the key, in the prefix as in the delimiter's bytes.
    let delimiter = Array(ObjectSortKey.prefixBytes(kind, query.delimiter).dropFirst())
    return DelimiterGrouping(
      start: ObjectSortKey.prefixBytes(kind, query.prefix).count, delimiter: delimiter,
      terminator: [0, 0])
  }

  /// The sort key that the query begins at.
  private var start: [UInt8] {
    let prefix = ObjectSortKey.prefixBytes(kind, query.prefix)
    let position =
      switch query.after {
      case .start: prefix
      case .afterKey(let key): ObjectSortKey.endOfKey(kind, key)
      case .afterPrefix(let bytes): ObjectSortKey.endOfPrefix(kind, bytes)
      }
    return position.lexicographicallyPrecedes(prefix) ? prefix : position
  }
}

extension ObjectSortKey {
  /// The bytes that `prefix`, the beginning of a sort key within its escaped key, stands for.
  static func unescapedPrefix(_ prefix: [UInt8]) -> [UInt8]? {
    var key: [UInt8] = []
    var index = 1
    while index < prefix.count {
      key.append(prefix[index])
      if prefix[index] == 0 {
        guard index + 1 < prefix.count, prefix[index + 1] == 0xFF else { return nil }
        index += 1
      }
      index += 1
    }
    return key
  }
}
