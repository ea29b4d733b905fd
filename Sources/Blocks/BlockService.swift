// Blocks with their references: what a replica does for a block.
//
// A block and the reference that needs it are stored in one call, and removed only by this node's own count
// of references. Both take the lock of the block's hash, so that neither sees the other half done.
//
// Invariants:
//   1. When `put` has answered `stored`, reference and file are on stable storage, and the file is whole.
//   2. The file is durable before its reference is written. A crash in between leaves a file without reference, which
//      the next sweep finds; never a reference without a file.
//   3. A file is removed under the lock, after the rows themselves were counted in the database, and only when
//      the count has been zero for the whole deletion delay.
//   4. Whoever waits for a buffer holds none.

package import Base
import LocalDB
package import Tables
import Synchronization

/// The block layer of a node.
package final class BlockService: Sendable {
  package struct Options: Sendable {
    /// This node, for the markers of its directories.
    package var node: NodeID
    package var directories: [DataDirectoryOptions]
    /// The size of a block's buffer, and so of a block.
    package var blockBytes = 1 << 20
    /// zstd's level; `nil` stores blocks as they are.
    package var compressionLevel: Int32? = 1
    /// Whether an acknowledged block survives a power cut.
    package var fsync = true
    /// What all blocks in memory may take.
    package var ramBufferMaxBytes = 128 << 20
    /// See `BlockBuffers`; for tests.
    package var scrubsBuffers = false
    package var reserve = DiskReserve.automatic
    /// How long a block has been without reference before its file goes: longer than a reference that is on its
    /// way from another node can take.
    package var deletionDelay: Duration = .seconds(600)
    /// How often files without references are looked for although every stop was clean: what the sweep
    /// finds then are mistakes, so it may be seldom.
    package var sweepInterval: Duration = .seconds(7 * 86_400)

    package init(node: NodeID, directories: [DataDirectoryOptions]) {
      self.node = node
      self.directories = directories
    }
  }

  package let options: Options
  /// Memory for blocks on their way; uploads take theirs here before they read from the client.
  package let buffers: BlockBuffers
  /// The reference rows of this node.
  package let references: LocalTable<BlockReferenceTable>
  /// Counts and queues that follow from the references.
  package let counts: BlockCounts
  package let store: BlockStore

  let runtime: any Runtime
  let database: LocalDatabase
  let clock: HybridClock
  let source: any BlockSource
  let locks = KeyedLocks<BlockHash>()
  /// One check or sweep at a time: each reads every directory.
  let turns = KeyedLocks<Turn>()
  let syncs: DirectorySyncs
  /// Blocks with a file whose name may not be on stable storage.
  ///
  /// Who finds such a file whole must not take it for durable.
  /// Opening the directories synchronises what an earlier process left so.
  private let unsynced = Mutex<Set<BlockHash>>([])
  let metrics: BlockMetrics
  let logger: Logger
  let state: BlockState
  let workers = Mutex<[Task<Void, Never>]>([])

  /// Whether there may be files without reference.
  let sweeps: Mutex<SweepProgress>
  let rowTree: Tree

  enum Turn { case check }

  /// Opens the data directories and registers the table of references.
  ///
  /// Blocks the thread; for start-up. One a database.
  ///
  /// - Throws: `BlockError.unusable`, `.directoryLost`, `FileError` or `LocalDBError`.
  package init(
    _ options: Options, replica: LocalTableReplica, runtime: any Runtime,
    source: any BlockSource = NoOtherSource(), metrics: MetricsRegistry, logger: Logger,
    files: any FileSystem = SystemFiles()
  ) throws {
    self.options = options
    self.runtime = runtime
    self.source = source
    self.logger = logger
    database = replica.database
    clock = replica.clock
    state = try BlockState(database)
    sweeps = Mutex(SweepProgress(isDone: state.wasClean))
    let opened = try DataDirectories.open(
      options.directories, node: options.node, remembered: state.remembered,
      reserve: options.reserve, syncing: options.fsync, files: files, random: runtime.random,
      logger: logger)
    try state.remember(opened)
    store = BlockStore(
      directories: opened, files: files,
      compressor: BlockCompressor(level: options.compressionLevel), syncing: options.fsync,
      random: runtime.random, logger: logger)
    counts = try BlockCounts(database, runtime: runtime)
    references = try replica.register(BlockReferenceTable(counts: counts))
    rowTree = try database.tree(references.schema.name)
    buffers = BlockBuffers(
      bufferBytes: options.blockBytes, totalBytes: options.ramBufferMaxBytes,
      scrubbing: options.scrubsBuffers, runtime: runtime, metrics: metrics, logger: logger)
    syncs = DirectorySyncs(files: files, runtime: runtime, isEnabled: options.fsync)
    self.metrics = BlockMetrics(metrics, buffers: buffers, directories: opened)
  }

  // MARK: Storing

  /// What `put` did.
  package enum PutAnswer: Equatable, Sendable {
    /// Reference and file are on stable storage.
    case stored
    /// No bytes were given and this node has no whole file: nothing was stored; send the bytes.
    case absent
  }

  /// Stores the bytes of `block` for an upload, and returns their name.
  ///
  /// - Throws: As `put(_:owner:bytes:)`.
  package nonisolated(nonsending) func put(
    _ block: BlockBuffer, upload: UploadID, owner: BlockOwner
  ) async throws -> BlockHash {
    let hash = try await runtime.blocking { BlockHash(naming: block.bytes) }
    _ = try await put(BlockReferenceKey(hash: hash, upload: upload), owner: owner, bytes: block)
    return hash
  }

  /// Stores a reference together with its block.
  ///
  /// On an error the reference may or may not be stored; the upload's release covers both.
  ///
  /// - Parameter bytes: The block's bytes, whose name is `key.hash`; `nil` when this node may have them.
  /// - Throws: `BlockError.storageFull`, `.directoryLost`, `.referenceReleased`, `.tooLong`; `FileError`,
  ///   `LocalDBError`; `CancellationError`.
  package nonisolated(nonsending) func put(
    _ key: BlockReferenceKey, owner: BlockOwner, bytes: BlockBuffer?
  ) async throws -> PutAnswer {
    try await locks.withLock(key.hash) {
      let file = try await makeWhole(key.hash, bytes)
      if file == .absent { return .absent }
      do {
        try await insert(key, owner)
      } catch {
        if file == .written { await adopt(key.hash) }
        throw error
      }
      return .stored
    }
  }

  enum FileState: Equatable {
    case present, written, absent
  }

  /// Makes sure that a whole file is on stable storage; under the lock of `hash`.
  nonisolated(nonsending) func makeWhole(
    _ hash: BlockHash, _ bytes: BlockBuffer?
  ) async throws -> FileState {
    let file = try await runtime.blocking { [self] in try findOrWrite(hash, bytes) }
    guard let place = file.unsynced else { return file.state }
    do {
      try await syncs.sync(place.folderPath)
    } catch {
      if file.state == .present {
        if bytes == nil { return .absent }
        throw error
      }
      let isGone = try? await runtime.blocking { [store] in try !store.remove(hash).isEmpty }
      if isGone == true {
        unsynced.withLock { _ = $0.remove(hash) }
      } else {
        sweeps.withLock { $0.note() }
      }
      throw error
    }
    unsynced.withLock { _ = $0.remove(hash) }
    return file.state
  }

  /// Looks for a whole file, and writes one if there is none.
  ///
  /// Blocks the thread.
  ///
  /// - Returns: What is there, and where, if its name is not yet on stable storage.
  private func findOrWrite(
    _ hash: BlockHash, _ bytes: BlockBuffer?
  ) throws -> (state: FileState, unsynced: BlockPlace?) {
    switch store.examine(hash, thoroughly: true) {
    case .whole(let place):
      metrics.deduplicated.add()
      return (.present, unsynced.withLock { $0.contains(hash) } ? place : nil)
    case .corrupt(let place, let fault):
      metrics.corrupt.add()
      do {
        try store.setAside(place, fault)
      } catch let error as FileError {
        // Its disk may have become read-only; a whole file can still be written, there or to another.
        logger.error(
          "A damaged block file could not be set aside; look at its disk (smartctl, dmesg).",
          [("file", place.path), ("error", "\(error)")])
      }
    case .missing, .unreadable: break
    }
    guard let bytes else { return (.absent, nil) }
    let place = try store.write(bytes.bytes, hash: hash)
    unsynced.withLock { _ = $0.insert(hash) }
    metrics.written.add()
    metrics.writtenBytes.add(UInt64(bytes.contents.count))
    return (.written, place)
  }

  private nonisolated(nonsending) func insert(
    _ key: BlockReferenceKey, _ owner: BlockOwner
  ) async throws {
    var timestamp = clock.now()
    // A floor or a clock that stepped back can make the first one stale; the second lies above it.
    for _ in 0..<2 {
      let row = BlockReference(.live(owner), at: timestamp)
      switch try await references.merge([(key.rowKey, row)], origin: .client) {
      case .accepted: return
      case .stale(let held):
        if let row = try references.entry(key.rowKey), !row.isLive {
          throw BlockError.referenceReleased(key.hash)
        }
        timestamp = clock.now(above: held)
      case .refused:
        // The clock was set back after the timestamp was made.
        timestamp = clock.now()
      }
    }
    throw TableError.contended(table: references.schema.name)
  }

  /// Queues a file that got no reference; if that fails too, the next sweep finds it.
  private nonisolated(nonsending) func adopt(_ hash: BlockHash) async {
    let counts = counts
    do {
      try await database.write { try counts.adopt(hash, in: $0) }
    } catch {
      sweeps.withLock { $0.note() }
      logger.warning(
        "A block file has no reference; the next sweep will remove it.",
        [("block", hash.hex), ("error", "\(error)")])
    }
  }

  // MARK: Releasing

  /// References released in one transaction: a few milliseconds of the writer's time.
  private static let releasedAtOnceMax = 256

  /// Releases references on this node, for good.
  ///
  /// Those that this node does not have are released too: they may come late.
  package nonisolated(nonsending) func release(_ keys: [BlockReferenceKey]) async throws {
    var rest = keys[...]
    while !rest.isEmpty {
      let batch = rest.prefix(Self.releasedAtOnceMax)
      rest = rest.dropFirst(batch.count)
      let answer = try await references.write(batch.map(\.rowKey)) {
        BlockReference(.released, at: $0)
      }
      guard case .accepted = answer else {
        throw TableError.contended(table: references.schema.name)
      }
    }
  }

  /// Releases all references of an upload that this node has.
  package nonisolated(nonsending) func releaseAll(of upload: UploadID) async throws {
    while true {
      let hashes = try counts.blocks(of: upload, limit: Self.releasedAtOnceMax)
      if hashes.isEmpty { return }
      try await release(hashes.map { BlockReferenceKey(hash: $0, upload: upload) })
    }
  }
}
