// How a replica reads another's change feed (docs/formats/table-messages.md).
//
//   reader                                          source
//     | heads: what changed since, and how far I am   |    every time that the source's pings say that something changed
//     |---------------------------------------------->|
//     |         the heads of partitions that changed  |
//     |<----------------------------------------------|
//     | feed: entries behind these cursors            |    for the partitions in which the reader is behind
//     |---------------------------------------------->|
//     |     rows that changed, by key and hash        |
//     |<----------------------------------------------|
//     | rows: those whose hash is another here        |    none, as a rule: writes go to all replicas at once
//     |---------------------------------------------->|
//     |                                   their bytes |
//     |<----------------------------------------------|
//
// A cursor that is reported is durable on the reader: what lies before it, the reader has.

package import Codecs
import Mesh

/// A partition with a cursor in a source's feed.
package struct FeedPosition: Equatable, Sendable {
  package var partition: UInt16
  /// `nil` before anything was read.
  package var cursor: FeedCursor?

  package init(partition: UInt16, cursor: FeedCursor?) {
    self.partition = partition
    self.cursor = cursor
  }
}

/// Asks which partitions changed, and says how far the reader is.
package struct HeadsRequest: Equatable, Sendable, MeshMessage {
  /// The layout version that the reader knows.
  package var layout: UInt64
  /// The partitions that changed after this sequence are asked for.
  package var since: UInt64
  /// Whether the reader has not yet read all its sources to their ends since it was away.
  package var isCatchingUp: Bool
  /// Cursors that are durable on the reader and were not reported in this connection.
  package var reports: [FeedPosition]

  package init(layout: UInt64, since: UInt64, isCatchingUp: Bool, reports: [FeedPosition]) {
    self.layout = layout
    self.since = since
    self.isCatchingUp = isCatchingUp
    self.reports = reports
  }

  package func write(to writer: inout BinaryWriter) {
    writer.version(1)
    writer.varint(layout)
    writer.varint(since)
    writer.bool(isCatchingUp)
    writer.list(reports) { $0.position($1) }
  }

  package init(_ reader: inout BinaryReader) throws(BinaryError) {
    _ = try reader.version(upTo: 1)
    layout = try reader.varint()
    since = try reader.varint()
    isCatchingUp = try reader.bool()
    reports = try reader.positions()
    _ = reader.remaining()
  }
}

/// The partitions that changed.
package struct HeadsAnswer: Equatable, Sendable, MeshMessage {
  /// A partition and the sequence of its last change.
  package struct Head: Equatable, Sendable {
    package var partition: UInt16
    package var sequence: UInt64

    package init(partition: UInt16, sequence: UInt64) {
      self.partition = partition
      self.sequence = sequence
    }
  }

  /// What `since` is to be next time.
  package var last: UInt64
  /// Whether the source may have lost rows that it acknowledged.
  package var hasLostRows: Bool
  package var heads: [Head]

  package init(last: UInt64, hasLostRows: Bool, heads: [Head]) {
    self.last = last
    self.hasLostRows = hasLostRows
    self.heads = heads
  }

  package func write(to writer: inout BinaryWriter) {
    writer.version(1)
    writer.varint(last)
    writer.bool(hasLostRows)
    writer.list(heads) { writer, head in
      writer.u16(head.partition)
      writer.varint(head.sequence)
    }
  }

  package init(_ reader: inout BinaryReader) throws(BinaryError) {
    _ = try reader.version(upTo: 1)
    last = try reader.varint()
    hasLostRows = try reader.bool()
    heads = try reader.list(max: FeedLimits.partitionsMax) {
      (reader: inout BinaryReader) throws(BinaryError) in
      Head(partition: try reader.partition(), sequence: try reader.varint())
    }
    _ = reader.remaining()
  }
}

/// Asks for entries behind cursors.
package struct FeedRequest: Equatable, Sendable, MeshMessage {
  package var layout: UInt64
  package var positions: [FeedPosition]

  package init(layout: UInt64, positions: [FeedPosition]) {
    self.layout = layout
    self.positions = positions
  }

  package func write(to writer: inout BinaryWriter) {
    writer.version(1)
    writer.varint(layout)
    writer.list(positions) { $0.position($1) }
  }

  package init(_ reader: inout BinaryReader) throws(BinaryError) {
    _ = try reader.version(upTo: 1)
    layout = try reader.varint()
    positions = try reader.positions()
    _ = reader.remaining()
  }
}

/// A row that changed, as a feed tells of it.
package struct FeedEntry: Equatable, Sendable {
  package var row: FeedRow
  /// Of its bytes now.
  package var hash: RowHash

  package init(row: FeedRow, hash: RowHash) {
    self.row = row
    self.hash = hash
  }
}

/// Entries of the partitions that were asked for; those behind them are for the next time.
package struct FeedAnswer: Equatable, Sendable, MeshMessage {
  package struct Part: Equatable, Sendable {
    package var partition: UInt16
    /// Whether the reader has to start over: tombstones behind its cursor are gone, or the cursor is of no run of this
    /// database.
    package var mustStartOver: Bool
    /// In the order of their changes.
    package var entries: [FeedEntry]
    /// Where to read on once these are merged.
    package var cursor: FeedCursor
    /// Whether nothing was left behind them.
    package var isEnd: Bool

    package init(
      partition: UInt16, mustStartOver: Bool = false, entries: [FeedEntry] = [],
      cursor: FeedCursor, isEnd: Bool
    ) {
      self.partition = partition
      self.mustStartOver = mustStartOver
      self.entries = entries
      self.cursor = cursor
      self.isEnd = isEnd
    }
  }

  package var parts: [Part]

  package init(parts: [Part]) { self.parts = parts }

  package func write(to writer: inout BinaryWriter) {
    writer.version(1)
    writer.list(parts) { writer, part in
      writer.u16(part.partition)
      writer.bool(part.mustStartOver)
      writer.list(part.entries) { writer, entry in
        writer.feedRow(entry.row)
        entry.hash.write(to: &writer)
      }
      writer.cursor(part.cursor)
      writer.bool(part.isEnd)
    }
  }

  package init(_ reader: inout BinaryReader) throws(BinaryError) {
    _ = try reader.version(upTo: 1)
    parts = try reader.list(max: FeedLimits.partitionsMax) {
      (reader: inout BinaryReader) throws(BinaryError) in
      let partition = try reader.partition()
      let mustStartOver = try reader.bool()
      let entries = try reader.list(max: FeedLimits.entriesMax) {
        (reader: inout BinaryReader) throws(BinaryError) in
        let row = try reader.feedRow()
        return FeedEntry(row: row, hash: try RowHash(from: &reader))
      }
      let cursor = try reader.cursor()
      return Part(
        partition: partition, mustStartOver: mustStartOver, entries: entries, cursor: cursor,
        isEnd: try reader.bool())
    }
    _ = reader.remaining()
  }
}

/// Asks for rows.
package struct RowsRequest: Equatable, Sendable, MeshMessage {
  package var rows: [FeedRow]

  package init(rows: [FeedRow]) { self.rows = rows }

  package func write(to writer: inout BinaryWriter) {
    writer.version(1)
    writer.list(rows) { $0.feedRow($1) }
  }

  package init(_ reader: inout BinaryReader) throws(BinaryError) {
    _ = try reader.version(upTo: 1)
    rows = try reader.list(max: FeedLimits.entriesMax) {
      (reader: inout BinaryReader) throws(BinaryError) in try reader.feedRow()
    }
    _ = reader.remaining()
  }
}

/// The bytes of the first of the rows that were asked for, as many as one message takes.
package struct RowsAnswer: Equatable, Sendable, MeshMessage {
  /// `nil` for a row that is not there any more.
  package var rows: [[UInt8]?]

  package init(rows: [[UInt8]?]) { self.rows = rows }

  package func write(to writer: inout BinaryWriter) {
    writer.version(1)
    writer.list(rows) { writer, row in writer.optional(row) { $0.bytes($1) } }
  }

  package init(_ reader: inout BinaryReader) throws(BinaryError) {
    _ = try reader.version(upTo: 1)
    rows = try reader.list(max: FeedLimits.entriesMax) {
      (reader: inout BinaryReader) throws(BinaryError) in
      try reader.optional { (reader: inout BinaryReader) throws(BinaryError) in
        try reader.rowBytes()
      }
    }
    _ = reader.remaining()
  }
}

/// Asks what the tables of a partition come to.
package struct FingerprintRequest: Equatable, Sendable, MeshMessage {
  package var partition: UInt16

  package init(partition: UInt16) { self.partition = partition }

  package func write(to writer: inout BinaryWriter) {
    writer.version(1)
    writer.u16(partition)
  }

  package init(_ reader: inout BinaryReader) throws(BinaryError) {
    _ = try reader.version(upTo: 1)
    partition = try reader.partition()
    _ = reader.remaining()
  }
}

/// What they come to, at the moment at which the feed was at `head`.
package struct FingerprintAnswer: Equatable, Sendable, MeshMessage {
  package var head: UInt64
  package var tables: [TableFingerprint]

  package init(head: UInt64, tables: [TableFingerprint]) {
    self.head = head
    self.tables = tables
  }

  package func write(to writer: inout BinaryWriter) {
    writer.version(1)
    writer.varint(head)
    writer.list(tables) { writer, table in
      writer.string(table.table)
      table.fingerprint.write(to: &writer)
    }
  }

  package init(_ reader: inout BinaryReader) throws(BinaryError) {
    _ = try reader.version(upTo: 1)
    head = try reader.varint()
    tables = try reader.list(max: FeedLimits.tablesMax) {
      (reader: inout BinaryReader) throws(BinaryError) in
      let table = try reader.string(max: TableMessageLimits.nameBytesMax)
      return TableFingerprint(table: table, fingerprint: try Fingerprint(from: &reader))
    }
    _ = reader.remaining()
  }
}

/// What a message about feeds may hold.
package enum FeedLimits {
  static let partitionsMax = 257
  /// More than any version has.
  static let tablesMax = 64
  /// Entries of one partition in one message.
  package static let entriesMax = 4096
  /// Of a whole answer: some hundred rows, so that it is on its way in a moment on a slow line too.
  package static let answerBytesMax = 128 << 10
}

extension BinaryWriter {
  fileprivate mutating func cursor(_ cursor: FeedCursor) {
    id(cursor.start)
    u64(cursor.sequence)
  }

  fileprivate mutating func position(_ position: FeedPosition) {
    u16(position.partition)
    optional(position.cursor) { $0.cursor($1) }
  }

  fileprivate mutating func feedRow(_ row: FeedRow) {
    string(row.table)
    bytes(row.diskKey)
  }
}

extension BinaryReader {
  fileprivate mutating func partition() throws(BinaryError) -> UInt16 {
    let partition = try u16()
    guard partition <= Partition.everywhere else { throw .invalidValue }
    return partition
  }

  fileprivate mutating func cursor() throws(BinaryError) -> FeedCursor {
    FeedCursor(start: try id(), sequence: try u64())
  }

  fileprivate mutating func positions() throws(BinaryError) -> [FeedPosition] {
    try list(max: FeedLimits.partitionsMax) { (reader: inout BinaryReader) throws(BinaryError) in
      let partition = try reader.partition()
      return FeedPosition(
        partition: partition,
        cursor: try reader.optional { (reader: inout BinaryReader) throws(BinaryError) in
          try reader.cursor()
        })
    }
  }

  fileprivate mutating func feedRow() throws(BinaryError) -> FeedRow {
    let table = try string(max: TableMessageLimits.nameBytesMax)
    return FeedRow(
      table: table,
      diskKey: try bytes(
        max: TableMessageLimits.sortKeyBytesMax + TableMessageLimits.partitionKeyBytesMax + 1))
  }
}
