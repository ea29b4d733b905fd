// What coordinators and replicas say to each other.

/// The layout versions that a coordinator knows and reads from.
///
/// A replica that has left one of them behind refuses, and sends the layout along.
package struct LayoutStamp: Equatable, Sendable {
  /// The newest layout version the sender knows.
  package var newestKnown: UInt64
  /// The layout version whose sets it reads from.
  package var readFrom: UInt64

  package init(newestKnown: UInt64, readFrom: UInt64) {
    self.newestKnown = newestKnown
    self.readFrom = readFrom
  }
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
  /// Rows that some replica has already accepted (read repair, sync): only merged.
  case repair = 1
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
  package var partition: UInt8
  package var layout: LayoutStamp
  package var body: Body

  package init(table: String, partition: UInt8, layout: LayoutStamp, body: Body) {
    self.table = table
    self.partition = partition
    self.layout = layout
    self.body = body
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
  }

  /// In order; tombstones outside of groups included.
  package var entries: [Entry]
  /// Everything before this sort key was looked at; `nil` when all of the range was.
  package var coveredEnd: [UInt8]?
}

/// A replica's response.
package struct ReplicaResponse: Equatable, Sendable {
  package enum Body: Equatable, Sendable {
    /// One for each key asked for.
    case rows([[UInt8]?])
    case range(RangeAnswer)
    /// To a merge or an operation.
    case answer(ReplicaAnswer)
    /// The sender's layout is behind; the newer one, as Cluster writes it.
    case staleLayout([UInt8])
  }

  package var body: Body
  /// False from a replica that may have lost rows and is not synced again: it stores writes, and
  /// neither its acknowledgements nor its answers count.
  package var countsInQuorum: Bool

  package init(_ body: Body, countsInQuorum: Bool = true) {
    self.body = body
    self.countsInQuorum = countsInQuorum
  }
}
