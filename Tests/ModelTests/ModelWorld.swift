// A node's store over a simulated runtime, with a database and block files in a folder of the test.

import Base
import Blocks
import LocalDB
import Model
import SimulatedWorld
import Tables
import TestStorage
import Testing

/// What outlives a restart of the store.
final class ModelWorld: Sendable {
  let runtime: SimulatedRuntime
  let folder = TemporaryFolder()
  let options: Store.Options
  let blockBytes: Int
  let node = NodeID(random: SeededRandom(seed: 11))

  init(
    seed: UInt64, blockBytes: Int = 4096, adjust: (inout Store.Options) -> Void = { _ in }
  ) {
    runtime = SimulatedRuntime(seed: seed)
    self.blockBytes = blockBytes
    var options = Store.Options()
    options.inlineThresholdBytes = 64
    adjust(&options)
    self.options = options
  }

  /// Starts a store, as a new process would.
  func open() throws -> Node {
    let database = try folder.open("meta", .inline, fsync: false, random: runtime.random)
    let clock = HybridClock(runtime: runtime)
    let replica = try LocalTableReplica(
      node: node, database: database, clock: clock, random: runtime.random)
    return try Node(
      self.options, replica: replica, placement: SoleNodePlacement(replica), runtime: runtime,
      data: folder.path + "/data", blockBytes: blockBytes)
  }

  /// Runs `body` over a fresh store in the simulation.
  func run<Value: Sendable>(
    _ body: @escaping @Sendable (Node) async throws -> Value
  ) throws -> Value {
    let node = try open()
    defer { node.close() }
    return try runtime.run { try await body(node) }
  }
}

/// A running store.
final class Node: Sendable {
  let store: Store
  let blocks: BlockService
  let replica: LocalTableReplica
  let runtime: any Runtime

  /// How many transactions the database has committed.
  var commitCount: UInt64 { replica.database.commitNumber }

  init(
    _ options: Store.Options, replica: LocalTableReplica, placement: any Placement,
    runtime: any Runtime, data: String, blockBytes: Int
  ) throws {
    self.replica = replica
    self.runtime = runtime
    var blockOptions = BlockService.Options(
      node: replica.node, directories: [DataDirectoryOptions(path: data)])
    blockOptions.blockBytes = blockBytes
    blockOptions.ramBufferMaxBytes = 64 * blockBytes
    blockOptions.fsync = false
    blockOptions.scrubsBuffers = true
    blocks = try BlockService(
      blockOptions, replica: replica, runtime: runtime, metrics: MetricsRegistry(),
      logger: .disabled)
    let coordinator = TableCoordinator(
      placement: placement, clock: replica.clock, runtime: runtime)
    store = try Store(
      options, replica: replica, coordinator: coordinator, blocks: blocks, runtime: runtime,
      metrics: MetricsRegistry(), logger: .disabled)
  }

  /// Ends at once: nothing that is not durable is saved.
  func close() { replica.database.close() }

  // MARK: Shorthand

  /// Writes an object, its bytes arriving in pieces of `pieceBytes`.
  @discardableResult
  func put(
    _ bucket: Bucket, _ key: String, _ bytes: [UInt8], pieceBytes: Int = 1000
  ) async throws -> ObjectVersion {
    let writer = store.objects.writer(bucket: bucket, key: try ObjectKey(key))
    let body = Body(bytes, pieceBytes: pieceBytes)
    do {
      try await writer.append(from: { body.read(into: $0) }, observe: { _ in })
    } catch {
      await writer.abandon()
      throw error
    }
    return try await writer.commit(ObjectMetadata(etag: "e\(bytes.count)"))
  }

  /// The bytes of an object; `nil` when there is none.
  func get(
    _ bucket: Bucket, _ key: String, _ range: Range<Int>? = nil
  ) async throws -> [UInt8]? {
    guard let version = try await store.objects.head(bucket: bucket, key: ObjectKey(key)) else {
      return nil
    }
    return try await read(version, range)
  }

  func read(_ version: ObjectVersion, _ range: Range<Int>? = nil) async throws -> [UInt8] {
    let range = range.map { UInt64($0.lowerBound)..<UInt64($0.upperBound) }
    let collected = Collector()
    try await store.objects.read(version, range: range ?? 0..<version.sizeBytes) {
      collected.append($0)
    }
    return collected.bytes
  }

  func delete(_ bucket: Bucket, _ key: String) async throws -> DeleteOutcome {
    try await store.objects.delete(bucket: bucket, key: ObjectKey(key))
  }

  /// Uploads a part.
  @discardableResult
  func putPart(
    _ bucket: Bucket, _ key: String, _ id: UploadID, _ number: Int, _ bytes: [UInt8]
  ) async throws -> UploadedPart {
    let writer = try await store.uploads.partWriter(
      bucket: bucket, key: ObjectKey(key), id: id, number: number)
    let body = Body(bytes, pieceBytes: 3000)
    do {
      try await writer.append(from: { body.read(into: $0) }, observe: { _ in })
    } catch {
      await writer.abandon()
      throw error
    }
    return try await writer.commit(etag: Self.etag(bytes), checksums: [])
  }

  /// Something like an MD5: 32 digits that follow from the bytes.
  static func etag(_ bytes: [UInt8]) -> String {
    bytes.withUnsafeBytes { String(BlockHash(naming: $0).hex.prefix(32)) }
  }

  /// Lets the release queue run dry.
  func settle() async throws {
    for _ in 0..<4 {
      try await runtime.sleep(for: .seconds(120))
      try await store.releaser.releaseDue()
    }
  }

  /// Every live reference on this node: upload and block.
  func liveReferences() throws -> Set<[UInt8]> {
    try keys(of: "block_by_upload")
  }

  /// The keys of a local tree.
  func keys(of tree: String) throws -> Set<[UInt8]> {
    var keys: Set<[UInt8]> = []
    try replica.database.scan(try replica.database.tree(tree)) { key, _ in
      keys.insert(Array(key))
      return true
    }
    return keys
  }
}

/// A request body.
final class Body {
  private var rest: ArraySlice<UInt8>
  private let pieceBytes: Int

  init(_ bytes: [UInt8], pieceBytes: Int) {
    rest = bytes[...]
    self.pieceBytes = pieceBytes
  }

  /// How much was not read.
  var remaining: Int { rest.count }

  func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    let piece = rest.prefix(min(pieceBytes, buffer.count))
    buffer.copyBytes(from: piece)
    rest = rest.dropFirst(piece.count)
    return piece.count
  }
}

/// Gathers what is handed over.
final class Collector {
  private(set) var bytes: [UInt8] = []

  func append(_ piece: UnsafeRawBufferPointer) { bytes += piece }
}

/// `count` bytes that follow from `seed`.
func noise(_ count: Int, _ seed: UInt64 = 1) -> [UInt8] { SeededRandom(seed: seed).bytes(count) }
