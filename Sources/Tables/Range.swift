// Reading rows in order.

/// Which rows of a partition key to read.
package struct RangeQuery: Sendable {
  package var partitionKey: [UInt8]
  /// The first sort key of the range.
  package var from: [UInt8]
  /// The first sort key after the range; `nil` for none.
  package var to: [UInt8]?
  /// The most items of a page.
  package var limit: Int
  /// Which sort keys to fold into one item.
  package var grouping: DelimiterGrouping?
  /// A row that each replica has to hold before it answers.
  package var companion: CompanionRow?

  /// All rows of `partitionKey`, unless narrowed.
  package init(
    partitionKey: [UInt8], from: [UInt8] = [], to: [UInt8]? = nil, limit: Int = 1000,
    grouping: DelimiterGrouping? = nil
  ) {
    self.partitionKey = partitionKey
    self.from = from
    self.to = to
    self.limit = limit
    self.grouping = grouping
  }
}

/// Folds sort keys that agree up to a delimiter into one item, as S3 lists common prefixes.
///
/// The group of a sort key ends after the first `delimiter` at or after `start`, if that lies before the
/// `terminator`. A replica seeks past a group once it has found one row in it that `isWitness`, so that the
/// cost follows what is returned and not what is skipped.
package struct DelimiterGrouping: Equatable, Sendable {
  /// Where to look from, in bytes of the sort key: the length of the common prefix that was asked for.
  package var start: Int
  /// Not empty.
  package var delimiter: [UInt8]
  /// What ends the part of the sort key that is looked at; empty when all of it is.
  ///
  /// For escaped keys (`00` as `00 FF`) it is `00 00`.
  package var terminator: [UInt8]

  package init(start: Int, delimiter: [UInt8], terminator: [UInt8] = []) {
    self.start = start
    self.delimiter = delimiter
    self.terminator = terminator
  }

  /// The prefix, delimiter included, that `sortKey` shares with its group; `nil` when it is in none.
  package func group(of sortKey: [UInt8]) -> [UInt8]? {
    sortKey.withUnsafeBytes { end(ofGroupOf: $0) }.map { Array(sortKey[..<$0]) }
  }

  /// Where that prefix ends.
  func end(ofGroupOf sortKey: UnsafeRawBufferPointer) -> Int? {
    guard let first = delimiter.first, start >= 0 else { return nil }
    var position = 0
    while position < sortKey.count {
      let byte = sortKey[position]
      if byte == terminator.first, Self.contains(terminator, sortKey, at: position) { return nil }
      if position >= start, byte == first, Self.contains(delimiter, sortKey, at: position) {
        return position + delimiter.count
      }
      // An escaped zero is two bytes of which neither begins a delimiter or a terminator.
      let isEscaped =
        byte == 0 && !terminator.isEmpty && position + 1 < sortKey.count
        && sortKey[position + 1] == 0xFF
      position += isEscaped ? 2 : 1
    }
    return nil
  }

  private static func contains(
    _ bytes: [UInt8], _ sortKey: UnsafeRawBufferPointer, at position: Int
  ) -> Bool {
    guard bytes.count <= sortKey.count - position else { return false }
    for index in bytes.indices where sortKey[position + index] != bytes[index] { return false }
    return true
  }
}

/// What a scan of a range came upon.
package enum RangeSight {
  /// A row, which may be a tombstone: its bytes as the schema wrote them.
  ///
  /// They are valid only in the call that hands them over.
  case row(sortKey: UnsafeRawBufferPointer, bytes: UnsafeRawBufferPointer)
  /// All rows whose sort keys begin with `prefix`; there is at least one.
  case group(prefix: [UInt8])
}

/// What the reader of a range makes of what was found.
package enum RangeStep: Sendable {
  /// It is not what the reader looks for.
  case passed
  /// It is one of the items that the reader wants.
  case taken
  /// It would be, but the reader has enough: the range is to be read on from here.
  case full
}

/// One thing that a range read found.
package enum RangeItem<Row: Sendable>: Sendable {
  case row(sortKey: [UInt8], Row)
  /// All rows whose sort keys begin with `prefix`; there is at least one.
  case group(prefix: [UInt8])
}

/// Consecutive items of a range.
package struct RangePage<Row: Sendable>: Sendable {
  /// At most the query's limit; in order.
  package var items: [RangeItem<Row>]
  /// Where to read on; `nil` when the range is complete.
  ///
  /// A page may be short, even empty, and more follow.
  package var next: [UInt8]?

  /// Adds what was found, unless it is deleted or there are `limit` items.
  mutating func add<Schema: TableSchema>(
    _ sight: RangeSight, _ schema: Schema, limit: Int
  ) throws -> RangeStep where Schema.Row == Row {
    let item: RangeItem<Row>
    switch sight {
    case .row(let sortKey, let bytes):
      let row = try schema.decode(bytes)
      guard schema.tombstoneTimestamp(row) == nil else { return .passed }
      item = .row(sortKey: Array(sortKey), row)
    case .group(let prefix): item = .group(prefix: prefix)
    }
    guard items.count < limit else { return .full }
    items.append(item)
    return .taken
  }
}
