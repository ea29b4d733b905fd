import Base
import Model
import SimulatedWorld
import Testing

/// Random programs against a dictionary, with the store stopped and opened again between steps.
@Suite struct StoreProgramTests {
  /// What the store should hold.
  final class Reference: @unchecked Sendable {
    // Safe because the simulated runtime has one thread.
    var objects: [String: [UInt8]] = [:]
    var uploads: [String: (key: String, id: UploadID, parts: [Int: [UInt8]])] = [:]
  }

  private static let keys = ["a", "b", "a/b", "a/c", "z\0"]

  @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6])
  func theStoreIsADictionary(seed: UInt64) throws {
    let world = ModelWorld(seed: seed, blockBytes: 512) { $0.partBytesMin = 700 }
    let random = Seeded(seed: seed)
    let reference = Reference()
    let bucketID = try world.run { try await $0.store.buckets.create("bucket").id }
    for life in 0..<8 {
      try world.run { node in
        let bucket = try #require(await node.store.buckets.get(bucketID))
        for step in 0..<40 {
          try await Self.step(node, bucket, reference, random)
          if step % 8 == 0 {
            try await Self.check(node, bucket, reference, "seed \(seed), life \(life)")
          }
        }
        // A write that is under way when the process ends.
        let writer = node.store.objects.writer(bucket: bucket, key: try ObjectKey("a"))
        let body = Body(noise(3000, seed + UInt64(life)), pieceBytes: 512)
        try await writer.append(from: { body.read(into: $0) }, observe: { _ in })
      }
    }
    try world.run { node in
      let bucket = try #require(await node.store.buckets.get(bucketID))
      try await Self.check(node, bucket, reference, "seed \(seed)")
      try await Self.checkQuiet(node, bucket, reference, "seed \(seed)")
    }
  }

  private static func step(
    _ node: Node, _ bucket: Bucket, _ reference: Reference, _ random: Seeded
  ) async throws {
    let key = random.element(keys)
    switch random.below(12) {
    case 0...4:
      let bytes = noise(random.element([0, 10, 64, 65, 511, 512, 513, 5000, 9000]), random.next())
      try await node.put(bucket, key, bytes)
      reference.objects[key] = bytes
    case 5...6:
      let outcome = try await node.delete(bucket, key)
      #expect((outcome == .deleted) == (reference.objects.removeValue(forKey: key) != nil))
    case 7:
      let id = try await node.store.uploads.create(
        bucket: bucket, key: ObjectKey(key), metadata: ObjectMetadata())
      reference.uploads[id.hex] = (key, id, [:])
    case 8...9:
      guard let upload = pick(reference, random) else { return }
      let number = 1 + random.below(5)
      let bytes = noise(700 + random.below(3000), random.next())
      try await node.putPart(bucket, upload.key, upload.id, number, bytes)
      reference.uploads[upload.id.hex]?.parts[number] = bytes
    case 10:
      guard let upload = pick(reference, random), !upload.parts.isEmpty else { return }
      let numbers = upload.parts.keys.sorted().filter { _ in random.below(4) > 0 }
      guard !numbers.isEmpty else { return }
      let completed = numbers.map {
        CompletedPart(number: $0, etag: Node.etag(upload.parts[$0] ?? []))
      }
      _ = try await node.store.uploads.complete(
        bucket: bucket, key: ObjectKey(upload.key), id: upload.id, parts: completed)
      reference.objects[upload.key] = numbers.flatMap { upload.parts[$0] ?? [] }
      reference.uploads[upload.id.hex] = nil
    default:
      guard random.below(2) == 0 else {
        try await node.runtime.sleep(for: .seconds(random.below(100)))
        try await node.store.releaser.releaseDue()
        return
      }
      guard let upload = pick(reference, random) else { return }
      try await node.store.uploads.abort(
        bucket: bucket, key: ObjectKey(upload.key), id: upload.id)
      reference.uploads[upload.id.hex] = nil
    }
  }

  private static func pick(
    _ reference: Reference, _ random: Seeded
  ) -> (key: String, id: UploadID, parts: [Int: [UInt8]])? {
    let names = reference.uploads.keys.sorted()
    return names.isEmpty ? nil : reference.uploads[random.element(names)]
  }

  private static func check(
    _ node: Node, _ bucket: Bucket, _ reference: Reference, _ note: String
  ) async throws {
    for key in keys {
      #expect(try await node.get(bucket, key) == reference.objects[key], "\(note): \(key)")
    }
    let page = try await node.store.objects.list(bucket: bucket, ListQuery())
    #expect(
      page.objects.map(\.key.string)
        == reference.objects.keys.sorted {
          Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8))
        },
      "\(note)")
    let usage = try await node.store.buckets.usage(bucket.id)
    #expect(usage.objects == UInt64(reference.objects.count), "\(note)")
    #expect(usage.bytes == reference.objects.values.reduce(0) { $0 + UInt64($1.count) }, "\(note)")
    #expect(usage.unfinishedUploads == UInt64(reference.uploads.count), "\(note)")
    let partBytes = reference.uploads.values.flatMap(\.parts.values).reduce(0) { $0 + $1.count }
    #expect(usage.unfinishedBytes == UInt64(partBytes), "\(note)")
    for upload in reference.uploads.values {
      let page = try await node.store.uploads.parts(
        bucket: bucket, key: ObjectKey(upload.key), id: upload.id)
      #expect(page.parts.map(\.number) == upload.parts.keys.sorted(), "\(note)")
    }
  }

  /// Once quiet, references are exactly those of the objects and parts that are there.
  private static func checkQuiet(
    _ node: Node, _ bucket: Bucket, _ reference: Reference, _ note: String
  ) async throws {
    try await node.runtime.sleep(for: .seconds(90_000))
    try await node.store.reaper.reap()
    try await node.settle()
    var expected: Set<[UInt8]> = []
    for key in reference.objects.keys {
      let version = try #require(
        await node.store.objects.head(bucket: bucket, key: ObjectKey(key)))
      for hash in try await blocks(node, version) {
        expected.insert(version.uploadID.bytes + hash.bytes)
      }
    }
    for upload in reference.uploads.values {
      let rows = try await node.store.uploads.partRows(
        bucket: bucket.id, key: ObjectKey(upload.key), id: upload.id, after: 0, limit: 1000)
      for row in rows {
        guard case .blocks(let blocks) = row.part.content else { continue }
        for block in blocks { expected.insert(row.uploadID.bytes + block.hash.bytes) }
      }
    }
    #expect(try node.liveReferences() == expected, "\(note)")
    #expect(try node.keys(of: "model_release").isEmpty, "\(note)")
    #expect(try node.keys(of: "model_open").isEmpty, "\(note)")
    #expect(
      try node.keys(of: "model_upload_bytes") == Set(reference.uploads.values.map(\.id.bytes)),
      "\(note)")
  }

  private static func blocks(_ node: Node, _ version: ObjectVersion) async throws -> [BlockHash] {
    var walk = BlockWalk(node.store.objects.parts, version, 0..<version.sizeBytes)
    var hashes: [BlockHash] = []
    if case .inline = version.content { return hashes }
    while let piece = try await walk.next() { hashes.append(piece.hash) }
    return hashes
  }
}
