// What the parts of the model share: the tables, the blocks, time.

import Base
package import Blocks
import LocalDB
package import Tables

/// The tables and services under a `Store`.
///
/// A class, as everything that handles a request holds it.
package final class StoreParts: Sendable {
  let options: Store.Options
  let objects: Table<ObjectSchema>
  let manifests: Table<ManifestSchema>
  package let buckets: Table<BucketSchema>
  package let aliases: Table<AliasSchema>
  let accessKeys: Table<AccessKeySchema>
  package let journal: ObjectJournal
  let guards: ObjectGuards
  let blocks: BlockService
  /// Memory of copies that cut an object into blocks anew: a block that is being filled, and one that was read.
  ///
  /// It comes on top of the node's block buffers: at most an eighth of those, unless a single copy takes more.
  package let copyBuffers: BlockBuffers
  let clock: HybridClock
  let runtime: any Runtime
  let logger: Logger

  /// The most copies that move bytes at a time; fewer where blocks are large.
  private static let copiesAtOnceMax = 4

  /// What `copyBuffers` may hold beside block buffers of `buffersBytes`.
  package static func copyBuffersBytes(blockBytes: Int, buffersBytes: Int) -> Int {
    let copyBytes = 2 * blockBytes
    return max(copyBytes, min(copyBytes * copiesAtOnceMax, buffersBytes / 8))
  }

  /// Opens the tables and makes their operations known.
  ///
  /// Blocks the thread; for start-up.
  init(
    _ options: Store.Options, replica: LocalTableReplica, coordinator: TableCoordinator,
    blocks: BlockService, runtime: any Runtime, logger: Logger
  ) throws {
    self.options = options
    self.blocks = blocks
    let blockBytes = blocks.buffers.bufferBytes
    copyBuffers = BlockBuffers(
      bufferBytes: 2 * blockBytes,
      totalBytes: Self.copyBuffersBytes(
        blockBytes: blockBytes, buffersBytes: blocks.buffers.totalBytes),
      idleMax: 0, runtime: runtime)
    self.runtime = runtime
    self.logger = logger
    clock = replica.clock
    journal = try ObjectJournal(database: replica.database, runtime: runtime)
    let tables = try ReplicaTables(replica, journal)
    guards = tables.guards
    objects = Table(local: tables.objects, coordinator: coordinator)
    buckets = Table(local: tables.buckets, coordinator: coordinator)
    manifests = Table(local: try replica.register(ManifestSchema()), coordinator: coordinator)
    aliases = Table(local: try replica.register(AliasSchema()), coordinator: coordinator)
    accessKeys = Table(local: try replica.register(AccessKeySchema()), coordinator: coordinator)
  }

  /// Checks that there is room for more metadata, so that a client is told before it sends what is bound to fail,
  /// and deletions find some.
  ///
  /// - Throws: `storageFull`.
  func requireRoom() async throws {
    let database = objects.local.database
    // Measured anew, as nothing is committed on a full disk.
    if database.hasRoom { return }
    if try await runtime.blocking({ database.measureRoom() }) { return }
    throw ModelError.storageFull(
      reason: "the disk of the metadata is full: free some space; reads and deletes go on")
  }

  /// Merges `rows` into a table where merging alone decides, above whatever floor there is.
  ///
  /// - Parameters:
  ///   - above: A time that is known to be held somewhere: one above it is no time too far ahead.
  ///   - rows: Makes the rows for a time.
  package func merge<Schema: TableSchema>(
    _ table: Table<Schema>, partitionKey: [UInt8] = [], above: Timestamp = .zero,
    _ rows: (Timestamp) -> [([UInt8], Schema.Row)]
  ) async throws {
    var tries = WriteTries()
    let outcome = try await table.retryingStale(&tries) { attempt in
      try await table.merge(
        partitionKey: partitionKey, rows(attempt.timestamp),
        above: max(attempt.above ?? .zero, above))
    }
    guard case .refused(let code, _, _) = outcome else { return }
    let error = ModelError(refusal: code)
    throw tries.mayExist ? ModelError.mayExist(reason: "\(error)") : error
  }
}

extension ModelError {
  /// What a refusal of replicas means to a caller.
  init(refusal code: UInt16, _ payload: [UInt8] = []) {
    switch code {
    case RefusalCode.clockAhead: self = .clockTooFar
    case ObjectRefusal.staleBucket: self = .bucketBusy
    case ObjectRefusal.noSuchUpload: self = .noSuchUpload
    case ObjectRefusal.quotaExceeded:
      self = QuotaExcess(payload).map { .quotaExceeded($0) } ?? .writeRefused
    default: self = .writeRefused
    }
  }

  /// Whether replicas refused a write, rather than failing to answer.
  var isRefusal: Bool {
    switch self {
    case .noSuchBucket, .bucketBusy, .clockTooFar, .writeRefused, .noSuchUpload, .quotaExceeded:
      true
    default: false
    }
  }

  /// What an error of the layers below means to a caller.
  static func translated(_ error: any Error) -> any Error {
    switch error {
    case BlockError.storageFull(let reason): ModelError.storageFull(reason: reason)
    case BlockError.directoryLost, BlockError.missing:
      ModelError.corrupt(reason: "\(error)")
    case BlockError.referenceReleased: ModelError.writeRefused
    case BlockError.clientStalled: ModelError.clientStalled
    case LocalDBError.overloaded: ModelError.overloaded
    case let error as FileError where error.isShortage: ModelError.overloaded
    case LocalDBError.diskFull: ModelError.storageFull(reason: "\(error)")
    case LocalDBError.readOnlyAfterFailure: ModelError.storageFailed(reason: "\(error)")
    case TableError.unavailable, TableError.contended:
      ModelError.quorumUnavailable(reason: "\(error)")
    case TableError.malformed: ModelError.corrupt(reason: "\(error)")
    default: error
    }
  }

  /// Runs `body` and translates what it throws.
  static func translating<Value>(_ body: () async throws -> Value) async throws -> Value {
    do {
      return try await body()
    } catch {
      throw translated(error)
    }
  }
}
