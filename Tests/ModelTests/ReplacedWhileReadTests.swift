import Base
import Blocks
import Model
import SimulatedWorld
import Testing

/// Slow readers of what is replaced or deleted meanwhile, with the workers as a node runs them.
@Suite struct ReplacedWhileReadTests {
  /// Two manifest rows, and blocks in the version row.
  private static let sizes = [1100 * 512, 5000]

  enum Change: CaseIterable, Sendable { case replaced, deleted, unchanged }

  private static func run(
    _ size: Int, _ change: Change,
    _ body:
      @escaping @Sendable (Node, Bucket, ObjectVersion, @Sendable () async throws -> Void)
      async throws -> Void
  ) throws {
    try ModelWorld(seed: 1, blockBytes: 512).run { node in
      node.blocks.start()
      node.store.start()
      let bucket = try await node.store.buckets.create("bucket")
      let version = try await node.put(bucket, "k", noise(size))
      try await body(node, bucket, version) {
        switch change {
        case .replaced: _ = try await node.put(bucket, "k", noise(100, 2))
        case .deleted: _ = try await node.delete(bucket, "k")
        case .unchanged: break
        }
      }
      await node.store.stop()
      await node.blocks.stop()
    }
  }

  /// Reads `version`, with `pause` after the first bytes.
  private static func read(
    _ version: ObjectVersion, _ node: Node, pause: () async throws -> Void
  ) async throws -> [UInt8] {
    let collected = Collector()
    try await node.store.objects.read(version, range: 0..<version.sizeBytes) { piece in
      let isFirst = collected.bytes.isEmpty
      collected.append(piece)
      if isFirst { try await pause() }
    }
    return collected.bytes
  }

  @Test(arguments: sizes, Change.allCases)
  func aReaderWhoPausesForFiveMinutesGetsAllBytes(size: Int, change: Change) throws {
    try Self.run(size, change) { node, _, version, change in
      let bytes = try await Self.read(version, node) {
        try await change()
        try await node.runtime.sleep(for: .seconds(300))
      }
      #expect(bytes == noise(size))
    }
  }

  @Test(arguments: sizes, [Change.replaced, .deleted])
  func aReaderWhoPausesForAnHourIsToldWhy(size: Int, change: Change) throws {
    try Self.run(size, change) { node, _, version, change in
      await #expect(throws: ModelError.sourceChanged) {
        _ = try await Self.read(version, node) {
          try await change()
          try await node.runtime.sleep(for: .seconds(3600))
        }
      }
    }
  }

  @Test(arguments: sizes, [Change.replaced, .deleted])
  func aPartIsNotCopiedFromWhatIsGone(size: Int, change: Change) throws {
    try Self.run(size, change) { node, bucket, version, change in
      let key = try ObjectKey("parts")
      let id = try await node.store.uploads.create(
        bucket: bucket, key: key, metadata: ObjectMetadata())
      try await change()
      try await node.runtime.sleep(for: .seconds(3600))
      let writer = try await node.store.uploads.partWriter(
        bucket: bucket, key: key, id: id, number: 1)
      await #expect(throws: ModelError.sourceChanged) {
        try await writer.append(copying: version, 0..<version.sizeBytes) { _ in }
      }
      await writer.abandon()
    }
  }
}
