// This node as a source: what it tells those who read its change feed.

package import Base
import LocalDB
import Synchronization

/// Answers the readers of this node's feed, and remembers how far they are.
package final class FeedSource: Sendable {
  /// What a reader said last.
  private struct Reader {
    /// By partition, in this node's sequence.
    var read: [UInt16: UInt64] = [:]
    var layout: UInt64 = 0
    var isCatchingUp = true
  }

  private let replica: LocalTableReplica
  private let hasher: @Sendable () -> RowHasher?
  /// Told once that this database went back behind what a reader had read of it.
  private let didLose: @Sendable (NodeID) -> Void
  private let readers = Mutex<[NodeID: Reader]>([:])

  /// - Parameters:
  ///   - hasher: Of the cluster; `nil` before there is one.
  ///   - didLose: Told that this database is older than what a node has read of it.
  package init(
    _ replica: LocalTableReplica, hasher: @escaping @Sendable () -> RowHasher?,
    didLose: @escaping @Sendable (NodeID) -> Void = { _ in }
  ) {
    self.replica = replica
    self.hasher = hasher
    self.didLose = didLose
  }

  // MARK: What readers said

  /// Up to which sequence all of `nodes` have read `partition`; `nil` when one has said nothing in this run.
  package func readByAll(_ nodes: [NodeID], _ partition: UInt16) -> UInt64? {
    readers.withLock { readers in
      var least = UInt64.max
      for node in nodes {
        guard let read = readers[node]?.read[partition] else { return nil }
        least = min(least, read)
      }
      return least
    }
  }

  /// Whether `node` is still reading what it missed; `nil` when it has said nothing in this connection.
  package func isCatchingUp(_ node: NodeID) -> Bool? {
    readers.withLock { $0[node]?.isCatchingUp }
  }

  /// Forgets whether `node` is up to date: the connection to it is lost.
  package func lost(_ node: NodeID) {
    readers.withLock { $0[node]?.isCatchingUp = true }
  }

  private func note(_ request: HeadsRequest, of node: NodeID) {
    for report in request.reports {
      guard let cursor = report.cursor else { continue }
      note(cursor, report.partition, of: node)
    }
    readers.withLock { readers in
      readers[node, default: Reader()].layout = request.layout
      readers[node, default: Reader()].isCatchingUp = request.isCatchingUp
    }
  }

  /// Notes how far `node` is; `false` when this database cannot have been read so far.
  @discardableResult
  private func note(_ cursor: FeedCursor, _ partition: UInt16, of node: NodeID) -> Bool {
    guard replica.feed.knows(cursor) else {
      if !replica.hasLostRows {
        replica.noteLoss()
        didLose(node)
      }
      return false
    }
    readers.withLock { readers in
      var reader = readers[node] ?? Reader()
      reader.read[partition] = max(reader.read[partition] ?? 0, cursor.sequence)
      readers[node] = reader
    }
    return true
  }

  // MARK: Answers

  /// Answers which partitions changed.
  package func heads(_ request: HeadsRequest, from node: NodeID) -> HeadsAnswer {
    note(request, of: node)
    let last = replica.feed.last
    let heads = replica.feed.heads.enumerated().compactMap { partition, sequence in
      sequence > request.since
        ? HeadsAnswer.Head(partition: UInt16(partition), sequence: sequence) : nil
    }
    return HeadsAnswer(last: last, hasLostRows: replica.hasLostRows, heads: heads)
  }

  /// Answers what changed behind the cursors, as much as one message takes.
  ///
  /// - Throws: `TableError`, `LocalDBError`.
  package func feed(_ request: FeedRequest, from node: NodeID) throws -> FeedAnswer {
    guard let hasher = hasher() else { throw TableError.unknown(name: "the cluster") }
    let heads = replica.feed.heads
    var bytesLeft = FeedLimits.answerBytesMax
    var answer = FeedAnswer(parts: [])
    try replica.database.read { transaction in
      for position in request.positions where bytesLeft > 0 {
        let part = try part(position, node, hasher, &bytesLeft, in: transaction)
        if part.isEnd {
          replica.feed.hasEnded(
            part.partition, at: part.cursor.sequence, head: heads[Int(part.partition)])
        }
        answer.parts.append(part)
      }
    }
    return answer
  }

  private func part(
    _ position: FeedPosition, _ node: NodeID, _ hasher: RowHasher, _ bytesLeft: inout Int,
    in transaction: ReadTransaction
  ) throws -> FeedAnswer.Part {
    let feed = replica.feed
    let partition = position.partition
    let from = position.cursor?.sequence ?? 0
    if let cursor = position.cursor, !note(cursor, partition, of: node) {
      return .init(
        partition: partition, mustStartOver: true, cursor: feed.cursor(at: 0), isEnd: false)
    }
    // Who begins with nothing misses no delete.
    if from > 0, try from < feed.dropped(partition, in: transaction) {
      return .init(
        partition: partition, mustStartOver: true, cursor: feed.cursor(at: 0), isEnd: false)
    }
    var changed: [(UInt64, FeedRow)] = []
    var isEnd = true
    try feed.read(partition, after: from, in: transaction) { sequence, row in
      guard bytesLeft > 0, changed.count < FeedLimits.entriesMax else {
        isEnd = false
        return false
      }
      bytesLeft -= row.diskKey.count + row.table.utf8.count + 24
      changed.append((sequence, row))
      return true
    }
    let entries = try changed.compactMap { _, row -> FeedEntry? in
      guard let hash = try replica.table(row.table).hash(row.diskKey, hasher, in: transaction)
      else { return nil }
      return FeedEntry(row: row, hash: hash)
    }
    let reached = changed.last?.0 ?? from
    return .init(
      partition: partition, entries: entries, cursor: feed.cursor(at: reached), isEnd: isEnd)
  }

  /// Answers with what the tables of a partition come to, and how far its feed is.
  ///
  /// Reads all of its rows.
  ///
  /// - Throws: `TableError`, `LocalDBError`.
  package func fingerprints(_ request: FingerprintRequest) throws -> FingerprintAnswer {
    guard let hasher = hasher() else { throw TableError.unknown(name: "the cluster") }
    return try replica.fingerprints(of: request.partition, hasher)
  }

  /// Answers with rows, as many as one message takes.
  ///
  /// - Throws: `TableError`, `LocalDBError`.
  package func rows(_ request: RowsRequest) throws -> RowsAnswer {
    var bytesLeft = TableMessageLimits.answerBytesMax
    var answer = RowsAnswer(rows: [])
    try replica.database.read { transaction in
      for row in request.rows where bytesLeft > 0 {
        let bytes = try replica.table(row.table).bytes(row.diskKey, in: transaction)
        bytesLeft -= (bytes?.count ?? 0) + 8
        answer.rows.append(bytes)
      }
    }
    return answer
  }
}

extension LocalTableReplica {
  /// What the tables of a partition come to, and the sequence of its last change.
  func fingerprints(of partition: UInt16, _ hasher: RowHasher) throws -> FingerprintAnswer {
    try database.read { transaction in
      FingerprintAnswer(
        head: try feed.head(of: partition, in: transaction),
        tables: try allTables.map { table in
          TableFingerprint(
            table: table.name,
            fingerprint: try table.fingerprint(of: partition, hasher, in: transaction))
        })
    }
  }
}
