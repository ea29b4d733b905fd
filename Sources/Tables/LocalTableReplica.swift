// This node as a replica: all its tables, asked by name.

package import Base
package import LocalDB
import Crypto
import Synchronization

/// Told of a change of a row, in its transaction and before it; what it throws undoes the change.
package typealias RowChangeObserver = @Sendable (WriteTransaction) throws -> Void

/// Answers other nodes' (and this node's own) requests from the local rows.
package final class LocalTableReplica: TableReplica {
  package let node: NodeID
  package let database: LocalDatabase
  package let clock: HybridClock

  private let fingerprintHash: KeyedHash
  private let willChange: RowChangeObserver
  private let tables = Mutex<[String: any TableEndpoint]>([:])
  private let learning = Mutex<Set<UInt8>>([])

  /// A replica over `database`.
  ///
  /// - Parameters:
  ///   - random: Makes the fingerprints' secret when the database has none yet.
  ///   - willChange: Told of each change of a row.
  package init(
    node: NodeID, database: LocalDatabase, clock: HybridClock, random: any RandomSource,
    willChange: @escaping RowChangeObserver = { _ in }
  ) throws {
    self.willChange = willChange
    self.node = node
    self.database = database
    self.clock = clock
    fingerprintHash = try Self.hash(of: database, random: random)
  }

  /// Makes the local rows of `schema` known under its name.
  ///
  /// At start-up, once a table.
  package func register<Schema: TableSchema>(_ schema: Schema) throws -> LocalTable<Schema> {
    let table = try LocalTable(
      schema, database: database, clock: clock, fingerprintHash: fingerprintHash,
      willChange: willChange)
    tables.withLock { tables in
      precondition(tables[schema.name] == nil, "two tables are called \(schema.name)")
      tables[schema.name] = table
    }
    return table
  }

  /// Says for which partitions this replica may miss rows, and so counts in no quorum.
  package func setLearning(_ partitions: Set<UInt8>) { learning.withLock { $0 = partitions } }

  package nonisolated(nonsending) func perform(
    _ request: ReplicaRequest, deadline: MonotonicInstant
  ) async throws -> ReplicaResponse {
    guard let table = tables.withLock({ $0[request.table] }) else {
      throw TableError.unknown(name: request.table)
    }
    let body = try await table.perform(request)
    let isLearning = learning.withLock { $0.contains(request.partition) }
    return ReplicaResponse(body, countsInQuorum: !isLearning)
  }

  /// Drops tombstones of all tables that are older than `horizon`, in small transactions.
  ///
  /// A row that cannot be read is left, and counted.
  ///
  /// - Precondition: As `LocalTable.collectTombstones`.
  package nonisolated(nonsending) func collectTombstones(
    olderThan horizon: Timestamp
  ) async throws -> CollectedTombstones {
    var total = CollectedTombstones()
    let tables = tables.withLock { $0.values.sorted { $0.name < $1.name } }
    for table in tables {
      var position: [UInt8]? = []
      while let from = position {
        let (collected, next) = try await table.collectTombstones(
          olderThan: horizon, from: from, limit: Self.collectedAtOnceMax)
        total.dropped += collected.dropped
        total.unreadable += collected.unreadable
        position = next
      }
    }
    return total
  }

  /// A few milliseconds of the writer's time, between which clients' writes get their turn.
  private static let collectedAtOnceMax = 256

  /// The secret lies in the database, so that the sums beside it never meet another one.
  private static func hash(
    of database: LocalDatabase, random: any RandomSource
  ) throws -> KeyedHash {
    let tree = try database.tree("table_settings")
    let name = Array("fingerprint_key".utf8)
    var key = try database.get(tree, name) ?? []
    if key.isEmpty {
      let made = random.bytes(KeyedHash.keyBytes)
      try database.writeBlocking { try $0.put(tree, name, made) }
      key = made
    }
    guard let hash = KeyedHash(key: key) else {
      throw TableError.malformed(
        table: tree.name, detail: "a fingerprint key of \(key.count) bytes")
    }
    return hash
  }
}

/// A local table, whatever its rows.
protocol TableEndpoint: Sendable {
  var name: String { get }

  nonisolated(nonsending) func perform(
    _ request: ReplicaRequest
  ) async throws -> ReplicaResponse.Body

  nonisolated(nonsending) func collectTombstones(
    olderThan horizon: Timestamp, from: [UInt8], limit: Int
  ) async throws -> (CollectedTombstones, next: [UInt8]?)
}
