// What coordinators and replicas say to each other (docs/formats/table-messages.md).

/// The layout versions that a coordinator knows and reads from.
///
/// A replica that knows a newer one refuses, and sends the layout along.
public struct LayoutStamp: Equatable, Sendable {
  /// The newest layout version the sender knows; 0 before the first.
  package var newestKnown: UInt64
  /// The layout version whose sets it reads from.
  package var readFrom: UInt64

  package init(newestKnown: UInt64, readFrom: UInt64) {
    self.newestKnown = newestKnown
    self.readFrom = readFrom
  }

  /// Of who knows and reads from one version alone.
  package init(_ version: UInt64) { self.init(newestKnown: version, readFrom: version) }
}

/// A row as it travels: without format byte and local part.
package struct EncodedRow: Equatable, Sendable {
  package var key: RowKey
  package var bytes: [UInt8]

  package init(key: RowKey, bytes: [UInt8]) {
    self.key = key
    self.bytes = bytes
  }
}

/// Whose rows a merge brings.
package enum MergeOrigin: UInt8, Sendable {
  /// A new write: checked against the replica's clock, the floor and newer rows.
  case client = 0
  /// Rows that some replica has already accepted, written back by a reader: refused where a tombstone was dropped that
  /// the reader may not have seen.
  case repair = 1
  /// Rows of another replica's change feed: merged whatever they are.
  case feed = 2
}

/// A row of a fully replicated table that a replica has to hold before it answers.
///
/// A replica that holds a later one says so with its answer: what follows from it is the coordinator's to see.
package struct CompanionRow: Equatable, Sendable {
  package var table: String
  package var row: EncodedRow

  package init(table: String, row: EncodedRow) {
    self.table = table
    self.row = row
  }
}

/// A request to one replica, about one partition of one table.
package struct ReplicaRequest: Equatable, Sendable {
  package enum Body: Equatable, Sendable {
    /// The rows at these keys, tombstones included.
    case read([RowKey])
    case range(RangeRequest)
    /// Merges all rows, or none if one of them is answered `stale` or `refused`.
    case merge([EncodedRow], MergeOrigin)
    case operate(name: String, partitionKey: [UInt8], input: [UInt8])
  }

  package var table: String
  /// 0 to 255, or `Partition.everywhere`.
  package var partition: UInt16
  package var layout: LayoutStamp
  /// The stale answer that the write is above, if it was tried before.
  ///
  /// A write far ahead of the replica's clock is let through when it is one above this: the replica that gave that answer
  /// holds a row of a clock that was wrong.
  package var above = Timestamp.zero
  /// Of a repair: the floor that was known of the replica it goes to before the rows were read.
  ///
  /// A replica with a higher one refuses: it may have dropped a tombstone that the reader did not see.
  package var floor = Timestamp.zero
  package var companion: CompanionRow?
  package var body: Body

  package init(table: String, partition: UInt16, layout: LayoutStamp, body: Body) {
    self.table = table
    self.partition = partition
    self.layout = layout
    self.body = body
  }

  /// Whether the replica changes rows for it.
  var isWrite: Bool {
    switch body {
    case .read, .range: false
    case .merge, .operate: true
    }
  }
}

/// A range as a replica is asked for it.
package struct RangeRequest: Equatable, Sendable {
  package var partitionKey: [UInt8]
  package var from: [UInt8]
  package var to: [UInt8]?
  /// The most entries to return.
  package var limit: Int
  package var grouping: DelimiterGrouping?

  package init(
    partitionKey: [UInt8], from: [UInt8], to: [UInt8]?, limit: Int, grouping: DelimiterGrouping?
  ) {
    self.partitionKey = partitionKey
    self.from = from
    self.to = to
    self.limit = limit
    self.grouping = grouping
  }
}

/// A replica's part of a range.
package struct RangeAnswer: Equatable, Sendable {
  package struct Entry: Equatable, Sendable {
    package var sortKey: [UInt8]
    package var bytes: [UInt8]
    /// Set when the row is the first witness of its group, whose other rows were skipped.
    package var group: [UInt8]?

    package init(sortKey: [UInt8], bytes: [UInt8], group: [UInt8]? = nil) {
      self.sortKey = sortKey
      self.bytes = bytes
      self.group = group
    }
  }

  /// In order; tombstones outside of groups included.
  package var entries: [Entry]
  /// Everything before this sort key was looked at; `nil` when all of the range was.
  package var coveredEnd: [UInt8]?

  package init(entries: [Entry], coveredEnd: [UInt8]?) {
    self.entries = entries
    self.coveredEnd = coveredEnd
  }
}

/// A replica's response.
package struct ReplicaResponse: Equatable, Sendable {
  package enum Body: Equatable, Sendable {
    /// One for each key asked for.
    case rows([[UInt8]?])
    case range(RangeAnswer)
    /// To a merge or an operation.
    case answer(ReplicaAnswer)
    /// The sender's layout is behind; the newer one, as Cluster writes it, or nothing when it comes by gossip.
    case staleLayout([UInt8])
  }

  package var body: Body
  /// False from a replica that may have lost rows and is not synced again: it stores writes, and
  /// neither its acknowledgements nor its answers count.
  package var countsInQuorum: Bool
  /// The replica's floor of the partition.
  package var floor: Timestamp
  /// The companion's row as the replica holds it, when that is another one than came along.
  package var companion: [UInt8]?

  package init(
    _ body: Body, countsInQuorum: Bool = true, floor: Timestamp = .zero,
    companion: [UInt8]? = nil
  ) {
    self.body = body
    self.countsInQuorum = countsInQuorum
    self.floor = floor
    self.companion = companion
  }
}
