import Base
import Blocks
import Glibc
import Model
import SimulatedWorld
import TestStorage
import Testing

/// What stays on the disk once the delays of releasing and deleting are over, with the workers as a node runs them.
@Suite struct FreedBlocksTests {
  private static let kept = noise(10_000, 1)
  private static let old = noise(10_000, 2)
  private static let new = noise(10_000, 3)
  /// A minute until references are released, ten until files go, and the pauses of the workers.
  private static let delays: Duration = .seconds(60 + 600 + 300)

  /// A way to have no more need of `old`.
  enum Way: CaseIterable, Sendable {
    case overwriting, deleting, deletingMany, completing, completingWithoutAPart, aborting, copying,
      uploadingAPartAgain

    /// Stores `old`, lets go of it, and returns what is stored now.
    func letGo(_ node: Node, _ bucket: Bucket) async throws -> [[UInt8]] {
      let key = try ObjectKey("k")
      switch self {
      case .overwriting:
        try await node.put(bucket, "k", old)
        try await node.put(bucket, "k", new)
        return [new]
      case .deleting:
        try await node.put(bucket, "k", old)
        _ = try await node.delete(bucket, "k")
        return []
      case .deletingMany:
        try await node.put(bucket, "k", old)
        try await node.put(bucket, "k2", new)
        _ = await node.store.objects.delete(bucket: bucket, keys: [key, try ObjectKey("k2")])
        return []
      case .copying:
        try await node.put(bucket, "k", old)
        let source = try await node.put(bucket, "source", new)
        _ = try await node.store.objects.copy(
          source, to: bucket, key: key, metadata: source.metadata)
        return [new]
      case .completing:
        try await node.put(bucket, "k", old)
        try await upload(node, bucket, [new, noise(5000, 4)], completing: 2)
        return [new, noise(5000, 4)]
      case .completingWithoutAPart:
        try await upload(node, bucket, [new, old], completing: 1)
        return [new]
      case .uploadingAPartAgain:
        let id = try await upload(node, bucket, [old], completing: 0)
        try await node.putPart(bucket, "k", id, 1, new)
        return [new]
      case .aborting:
        let id = try await upload(node, bucket, [old, new], completing: 0)
        try await node.store.uploads.abort(bucket: bucket, key: key, id: id)
        return []
      }
    }

    /// Uploads `parts` and completes the upload with the first `count` of them, if any.
    @discardableResult
    private func upload(
      _ node: Node, _ bucket: Bucket, _ parts: [[UInt8]], completing count: Int
    ) async throws -> UploadID {
      let key = try ObjectKey("k")
      let id = try await node.store.uploads.create(
        bucket: bucket, key: key, metadata: ObjectMetadata())
      var completed: [CompletedPart] = []
      for (index, bytes) in parts.enumerated() {
        let part = try await node.putPart(bucket, "k", id, index + 1, bytes)
        completed.append(CompletedPart(number: part.number, etag: part.etag))
      }
      guard count > 0 else { return id }
      _ = try await node.store.uploads.complete(
        bucket: bucket, key: key, id: id, parts: Array(completed.prefix(count)))
      return id
    }
  }

  /// Runs `body` with the background workers of a node.
  private static func run(
    _ body: @escaping @Sendable (ModelWorld, Node, Bucket) async throws -> Void
  ) throws {
    let world = ModelWorld(seed: 1, adjust: { $0.partBytesMin = 1 })
    try world.run { node in
      node.blocks.start()
      node.store.start()
      try await body(world, node, node.store.buckets.create("bucket"))
      await node.store.stop()
      await node.blocks.stop()
    }
  }

  @Test(arguments: Way.allCases)
  func whatNothingNeedsLeavesTheDisk(way: Way) throws {
    try Self.run { world, node, bucket in
      try await node.put(bucket, "kept", Self.kept)
      let stored = try await way.letGo(node, bucket)
      let needed = Self.names(of: [Self.kept] + stored)
      #expect(Self.blockFiles(of: world).isStrictSuperset(of: needed))
      try await node.runtime.sleep(for: Self.delays)
      #expect(Self.blockFiles(of: world) == needed)
      #expect(try await node.get(bucket, "kept") == Self.kept)
    }
  }

  @Test func blocksOfACopyStayUntilItGoesToo() throws {
    try Self.run { world, node, bucket in
      let source = try await node.put(bucket, "source", Self.old)
      _ = try await node.store.objects.copy(
        source, to: bucket, key: ObjectKey("copy"), metadata: source.metadata)
      // The same bytes once more: they are stored once.
      try await node.put(bucket, "same", Self.old)
      #expect(Self.blockFiles(of: world) == Self.names(of: [Self.old]))
      for key in ["source", "same"] {
        _ = try await node.delete(bucket, key)
        try await node.runtime.sleep(for: Self.delays)
        #expect(Self.blockFiles(of: world) == Self.names(of: [Self.old]))
        #expect(try await node.get(bucket, "copy") == Self.old)
      }
      _ = try await node.delete(bucket, "copy")
      try await node.runtime.sleep(for: Self.delays)
      #expect(Self.blockFiles(of: world) == [])
    }
  }

  /// The names of the files of `contents`' blocks.
  private static func names(of contents: [[UInt8]]) -> Set<String> {
    var names: Set<String> = []
    for bytes in contents {
      for start in stride(from: 0, to: bytes.count, by: 4096) {
        let block = bytes[start..<min(start + 4096, bytes.count)]
        names.insert(block.withUnsafeBytes { BlockHash(naming: $0).hex })
      }
    }
    return names
  }

  /// The block files on the disk.
  private static func blockFiles(of world: ModelWorld) -> Set<String> {
    var names: Set<String> = []
    var folders = [world.folder.path + "/data"]
    while let path = folders.popLast() {
      guard let folder = opendir(path) else { continue }
      defer { closedir(folder) }
      while let entry = readdir(folder) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) {
          String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name.utf8.count == 64 {
          names.insert(name)
        } else if entry.pointee.d_type == UInt8(DT_DIR), !name.hasPrefix(".") {
          folders.append(path + "/" + name)
        }
      }
    }
    return names
  }
}
