// A node's block layer over a simulated runtime and a simulated disk.

import Base
import Blocks
import LocalDB
import SimulatedWorld
import Tables
import TestStorage

/// Everything that outlives a restart of the block layer, and the means to start it.
final class BlockWorld: Sendable {
  let runtime: SimulatedRuntime
  let files = MemoryFiles()
  let database: LocalDatabase
  private let folder = TemporaryFolder()

  static let node = NodeID(random: SeededRandom(seed: 7))
  static let owner = BlockOwner(partitionKey: [1, 2, 3], sortKey: Array("cat.jpg".utf8))

  init(seed: UInt64) throws {
    runtime = SimulatedRuntime(seed: seed)
    var options = LocalDatabase.Options(path: folder.path + "/meta")
    options.writing = .inline
    options.fsync = false
    database = try LocalDatabase.open(options, random: runtime.random)
  }

  /// Starts a block layer, as a new process would.
  func open(
    _ directories: [DataDirectoryOptions] = [DataDirectoryOptions(path: "/data/a")],
    source: any BlockSource = NoOtherSource(), logger: Logger = .disabled,
    adjust: (inout BlockService.Options) -> Void = { _ in }
  ) throws -> BlockService {
    let replica = try LocalTableReplica(
      node: Self.node, database: database, clock: HybridClock(runtime: runtime),
      random: runtime.random)
    var options = BlockService.Options(node: Self.node, directories: directories)
    options.blockBytes = 256 * 1024
    options.ramBufferMaxBytes = 4 << 20
    options.compressionLevel = nil
    options.scrubsBuffers = true
    adjust(&options)
    return try BlockService(
      options, replica: replica, runtime: runtime, source: source, metrics: MetricsRegistry(),
      logger: logger, files: files)
  }

  /// Runs `body` in the simulation.
  func run<Value: Sendable>(
    _ body: @escaping @Sendable () async throws -> Value
  ) throws -> Value { try runtime.run(body) }

  func upload() -> UploadID { UploadID(high: runtime.random.next(), low: runtime.random.next()) }
}

extension BlockService {
  /// Stores `bytes` for a new or given upload.
  nonisolated(nonsending) func put(
    _ bytes: [UInt8], _ upload: UploadID
  ) async throws -> BlockHash {
    let buffer = try await buffers.take()
    bytes.withUnsafeBytes { buffer.fill($0) }
    return try await put(buffer, upload: upload, owner: BlockWorld.owner)
  }

  nonisolated(nonsending) func bytes(
    _ hash: BlockHash, _ range: Range<Int> = 0..<(1 << 20)
  ) async throws -> [UInt8] {
    let buffer = try await read(hash, range)
    return Array(buffer.bytes)
  }
}

/// `count` bytes that do not compress.
func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] { SeededRandom(seed: seed).bytes(count) }

/// `count` bytes that compress well.
func prose(_ count: Int) -> [UInt8] {
  (0..<count).map { UInt8(ascii: "a") + UInt8(($0 / 7 + $0 / 50) % 13) }
}

func name(of bytes: [UInt8]) -> BlockHash { bytes.withUnsafeBytes { BlockHash(naming: $0) } }
