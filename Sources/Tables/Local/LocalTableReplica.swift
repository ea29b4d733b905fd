// This node as a replica: all its tables, asked by name.

package import Base
package import LocalDB
import Synchronization

/// Told of a change of a row, in its transaction and before it; what it throws undoes the change.
package typealias RowChangeObserver = @Sendable (WriteTransaction) throws -> Void

/// Answers other nodes' (and this node's own) requests from the local rows.
package final class LocalTableReplica: TableReplica {
  package let node: NodeID
  package let database: LocalDatabase
  package let clock: HybridClock
  package let feed: ChangeFeed

  let fence: LayoutFence
  private let willChange: RowChangeObserver
  private let tables = Mutex<[String: any TableEndpoint]>([:])
  /// Whether this replica may have lost rows that it acknowledged, and so counts in no quorum.
  private let mayHaveLost = Atomic(false)

  /// A replica over `database`.
  ///
  /// - Parameters:
  ///   - random: Names the start of the change feed.
  ///   - willChange: Told of each change of a row.
  package init(
    node: NodeID, database: LocalDatabase, clock: HybridClock, random: any RandomSource,
    fence: LayoutFence = .none, willChange: @escaping RowChangeObserver = { _ in }
  ) throws {
    self.willChange = willChange
    self.fence = fence
    self.node = node
    self.database = database
    self.clock = clock
    feed = try ChangeFeed(database: database, random: random)
  }

  /// Makes the local rows of `schema` known under its name.
  ///
  /// At start-up, once a table.
  package func register<Schema: TableSchema>(_ schema: Schema) throws -> LocalTable<Schema> {
    let table = try LocalTable(
      schema, database: database, clock: clock, feed: feed, fence: fence, willChange: willChange)
    tables.withLock { tables in
      precondition(tables[schema.name] == nil, "two tables are called \(schema.name)")
      tables[schema.name] = table
    }
    return table
  }

  /// All tables, in the order of their names.
  var allTables: [any TableEndpoint] {
    tables.withLock { $0.values.sorted { $0.name < $1.name } }
  }

  /// The table called `name`.
  ///
  /// - Throws: `TableError.unknown`.
  func table(_ name: String) throws -> any TableEndpoint {
    guard let table = tables.withLock({ $0[name] }) else { throw TableError.unknown(name: name) }
    return table
  }

  /// Says that this replica may have lost rows that it acknowledged: its database is older than what peers have read of it.
  package func noteLoss() { mayHaveLost.store(true, ordering: .releasing) }

  /// Whether it may have.
  package var hasLostRows: Bool { mayHaveLost.load(ordering: .acquiring) }

  package nonisolated(nonsending) func perform(
    _ request: ReplicaRequest, deadline: MonotonicInstant
  ) async throws -> ReplicaResponse {
    let table = try table(request.table)
    var held: [UInt8]?
    if let companion = request.companion {
      held = try await self.table(companion.table).hold(companion.row)
    }
    let body: ReplicaResponse.Body
    do {
      body = try await table.perform(request)
    } catch is StaleLayout {
      body = .staleLayout([])
    }
    return ReplicaResponse(
      body, countsInQuorum: !hasLostRows, floor: table.floor(of: request.partition),
      companion: held)
  }

  /// Takes the companion's row of a request as another replica holds it.
  func takeCompanion(_ bytes: [UInt8], of companion: CompanionRow) async throws {
    let row = EncodedRow(key: companion.row.key, bytes: bytes)
    _ = try await table(companion.table).hold(row)
  }

  // MARK: Tombstones

  /// A few milliseconds of the writer's time, between which clients' writes get their turn.
  private static let collectedAtOnceMax = 256

  /// Drops the tombstones of `partition` whose entries in the feed are at most at `bound`, in small transactions.
  ///
  /// A row that cannot be read is left, and counted.
  ///
  /// - Precondition: As `LocalTable.dropTombstone`.
  package nonisolated(nonsending) func collectTombstones(
    of partition: UInt16, upTo bound: UInt64
  ) async throws -> CollectedTombstones {
    var total = CollectedTombstones()
    var position: UInt64? = 0
    while let after = position {
      let (collected, next) = try await database.write { [self] transaction in
        try collect(partition, after: after, upTo: bound, in: transaction)
      }
      total.dropped += collected.dropped
      total.unreadable += collected.unreadable
      position = next
    }
    return total
  }

  private func collect(
    _ partition: UInt16, after: UInt64, upTo bound: UInt64, in transaction: WriteTransaction
  ) throws -> (CollectedTombstones, next: UInt64?) {
    var listed: [(UInt64, FeedRow)] = []
    try feed.readTombstones(partition, after: after, upTo: bound, in: transaction) {
      listed.append(($0, $1))
      return listed.count < Self.collectedAtOnceMax
    }
    var collected = CollectedTombstones()
    for (sequence, row) in listed {
      let isDropped = try table(row.table).dropTombstone(
        row.diskKey, at: sequence, in: transaction)
      if isDropped { collected.dropped += 1 } else { collected.unreadable += 1 }
    }
    return (collected, next: listed.count < Self.collectedAtOnceMax ? nil : listed.last?.0)
  }
}

/// A local table, whatever its rows.
protocol TableEndpoint: Sendable {
  var name: String { get }

  nonisolated(nonsending) func perform(
    _ request: ReplicaRequest
  ) async throws -> ReplicaResponse.Body

  /// Makes sure that this replica holds `row`, or what came after it; returns that if it is another.
  nonisolated(nonsending) func hold(_ row: EncodedRow) async throws -> [UInt8]?

  func floor(of partition: UInt16) -> Timestamp

  func dropTombstone(
    _ diskKey: [UInt8], at sequence: UInt64, in transaction: WriteTransaction
  ) throws -> Bool

  /// The row's bytes; `nil` when there is none.
  func bytes(_ diskKey: [UInt8], in transaction: ReadTransaction) throws -> [UInt8]?

  /// The row's hash; `nil` when there is none.
  func hash(
    _ diskKey: [UInt8], _ hasher: RowHasher, in transaction: ReadTransaction
  ) throws -> RowHash?

  /// Merges a row of another replica's feed, whatever it is; `false` when it changed nothing.
  ///
  /// - Throws: When the bytes are no row, or the key is none.
  func take(_ diskKey: [UInt8], _ bytes: [UInt8], in transaction: WriteTransaction) throws -> Bool

  /// Whether a row with this key is in `partition`.
  func hasRow(of partition: UInt16, _ diskKey: [UInt8]) -> Bool

  /// What the rows of `partition` come to.
  func fingerprint(
    of partition: UInt16, _ hasher: RowHasher, in transaction: ReadTransaction
  ) throws -> Fingerprint

  /// Hands all rows to `body`.
  func walk(in transaction: ReadTransaction, _ body: (WalkedRow) throws -> Void) throws

  /// Removes all rows and floors of a fully replicated table, and nothing of another.
  func clear(in transaction: WriteTransaction) throws
}
