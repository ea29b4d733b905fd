import Base
import Crypto
import Model
import SimulatedWorld
import Testing

@Suite struct MultipartTests {
  private func world(_ seed: UInt64 = 1) -> ModelWorld {
    ModelWorld(seed: seed, blockBytes: 512) { $0.partBytesMin = 1000 }
  }

  private func begin(_ node: Node) async throws -> (Bucket, ObjectKey, UploadID) {
    let bucket = try await node.store.buckets.create("bucket")
    let key = try ObjectKey("k")
    let metadata = ObjectMetadata(headers: [ObjectHeader(name: "content-type", value: "text/x")])
    let id = try await node.store.uploads.create(bucket: bucket, key: key, metadata: metadata)
    return (bucket, key, id)
  }

  private func named(_ parts: [UploadedPart]) -> [CompletedPart] {
    parts.map { CompletedPart(number: $0.number, etag: $0.etag) }
  }

  /// A commit each would take minutes for 10,000 parts on a disk whose syncs take 10 ms.
  @Test func manySmallPartsAreCompletedInFewCommits() throws {
    try world().run { node in
      let (bucket, key, id) = try await begin(node)
      let bytes = (0..<60).map { noise(1000, UInt64($0)) }
      var parts: [UploadedPart] = []
      for index in bytes.indices {
        parts.append(try await node.putPart(bucket, "k", id, index + 1, bytes[index]))
      }
      let before = node.commitCount
      let version = try await node.store.uploads.complete(
        bucket: bucket, key: key, id: id, parts: named(parts))
      #expect(node.commitCount - before < 15)
      #expect(try await node.read(version) == bytes.flatMap { $0 })
    }
  }

  @Test func partsBecomeOneObject() throws {
    // Few blocks in the row; many with a manifest; parts with manifests of their own.
    for sizes in [[1000, 1], [5000, 5000, 4999], [20_000, 20_000, 3]] {
      try world().run { node in
        let (bucket, key, id) = try await begin(node)
        let bytes = sizes.enumerated().map { noise($1, UInt64($0)) }
        var parts: [UploadedPart] = []
        // In any order, with gaps in the numbers.
        for index in sizes.indices.reversed() {
          parts.insert(try await node.putPart(bucket, "k", id, index * 3 + 1, bytes[index]), at: 0)
        }
        let version = try await node.store.uploads.complete(
          bucket: bucket, key: key, id: id, parts: named(parts))
        #expect(try await node.read(version) == bytes.flatMap { $0 })
        #expect(version.partCount == sizes.count)
        #expect(version.metadata.header("content-type") == Array("text/x".utf8))
        #expect(version.metadata.etag == MultipartUploads.etag(of: parts))
        var start: UInt64 = 0
        for (index, size) in sizes.enumerated() {
          #expect(version.range(ofPart: index * 3 + 1) == start..<(start + UInt64(size)))
          start += UInt64(size)
        }
        #expect(version.range(ofPart: 2) == nil)
        let random = Seeded(seed: 4)
        let whole = bytes.flatMap { $0 }
        for _ in 0..<30 {
          let lower = random.below(whole.count)
          let upper = lower + random.below(whole.count - lower)
          #expect(try await node.read(version, lower..<upper) == Array(whole[lower..<upper]))
        }
        #expect(try await node.store.uploads.get(bucket: bucket, key: key, id: id) == nil)
        try await node.settle()
        #expect(try await node.get(bucket, "k") == whole)
        #expect(try node.liveReferences().allSatisfy { $0.starts(with: version.uploadID.bytes) })
      }
    }
  }

  @Test func theETagIsTheMD5OfTheMD5s() {
    let digests = [Digests.md5([1]), Digests.md5([2])]
    let parts = digests.enumerated().map { index, digest in
      UploadedPart(
        number: index + 1, sizeBytes: 1, etag: Hex.encode(digest), checksums: [],
        lastModified: WallTime(milliseconds: 0))
    }
    #expect(
      MultipartUploads.etag(of: parts) == Hex.encode(Digests.md5(digests.flatMap { $0 })) + "-2")
  }

  /// The part is replaced after the completion has looked at the parts: `metadata` is called then.
  @Test func aPartReplacedDuringACompletionIsNotPartOfIt() throws {
    var refused = 0
    for seed in UInt64(1)...20 {
      refused += try world(seed).run { node in
        let (bucket, key, id) = try await begin(node)
        let early = try await node.putPart(bucket, "k", id, 1, noise(20_000, 1))
        let (looked, signal) = AsyncStream.makeStream(of: Void.self)
        let again = Pending(node.runtime) {
          let bytes = noise(1500, 2)
          let writer = try await node.store.uploads.partWriter(
            bucket: bucket, key: key, id: id, number: 1)
          let body = Body(bytes, pieceBytes: 3000)
          try await writer.append(from: { body.read(into: $0) }, observe: { _ in })
          for await _ in looked { break }
          return try await writer.commit(etag: Node.etag(bytes), checksums: [])
        }
        try await node.runtime.sleep(for: .seconds(1))
        do {
          let version = try await node.store.uploads.complete(
            bucket: bucket, key: key, id: id, parts: named([early])
          ) { upload, parts in
            signal.yield()
            return upload.metadata
          }
          #expect(try await node.read(version) == noise(20_000, 1), "seed \(seed)")
          // The part came after the object: there was no upload any more.
          await #expect(throws: ModelError.noSuchUpload, "seed \(seed)") {
            _ = try await again.value
          }
          return 0
        } catch ModelError.invalidPart(number: 1, etag: _) {
          // The attempt left nothing, and the new part can be completed.
          let version = try await node.store.uploads.complete(
            bucket: bucket, key: key, id: id, parts: named([try await again.value]))
          try await node.settle()
          #expect(
            try node.liveReferences().allSatisfy { $0.starts(with: version.uploadID.bytes) })
          #expect(try await node.get(bucket, "k") == noise(1500, 2), "seed \(seed)")
          return 1
        }
      }
    }
    #expect(refused > 0)
  }

  @Test func aPartUploadedAgainReplacesTheEarlierOne() throws {
    try world().run { node in
      let (bucket, key, id) = try await begin(node)
      let early = try await node.putPart(bucket, "k", id, 1, noise(2000, 1))
      let late = try await node.putPart(bucket, "k", id, 1, noise(1500, 2))
      await #expect(throws: ModelError.invalidPart(number: 1, etag: early.etag)) {
        _ = try await node.store.uploads.complete(
          bucket: bucket, key: key, id: id, parts: named([early]))
      }
      try await node.settle()
      #expect(try node.liveReferences().count == 3)
      _ = try await node.store.uploads.complete(
        bucket: bucket, key: key, id: id, parts: named([late]))
      #expect(try await node.get(bucket, "k") == noise(1500, 2))
    }
  }

  @Test func aCompletionIsChecked() throws {
    try world().run { node in
      let (bucket, key, id) = try await begin(node)
      var parts: [UploadedPart] = []
      for number in 1...3 {
        parts.append(
          try await node.putPart(bucket, "k", id, number, noise(number == 2 ? 999 : 1000)))
      }
      func complete(_ parts: [CompletedPart]) async throws {
        _ = try await node.store.uploads.complete(bucket: bucket, key: key, id: id, parts: parts)
      }
      let all = named(parts)
      await #expect(throws: ModelError.invalidPartOrder) {
        try await complete([all[1], all[0]])
      }
      await #expect(throws: ModelError.invalidPartOrder) {
        try await complete([all[0], all[0]])
      }
      await #expect(throws: ModelError.invalidPart(number: 4, etag: "x")) {
        try await complete([all[0], CompletedPart(number: 4, etag: "x")])
      }
      await #expect(throws: ModelError.invalidPart(number: 1, etag: "x")) {
        try await complete([CompletedPart(number: 1, etag: "x")])
      }
      await #expect(throws: ModelError.invalidPart(number: 1)) { try await complete([]) }
      for number in [0, -5] {
        await #expect(throws: ModelError.self) {
          try await complete([CompletedPart(number: number, etag: "x")])
        }
      }
      await #expect(throws: ModelError.invalidPart(number: 99_999)) {
        try await complete([all[0], CompletedPart(number: 99_999, etag: "x")])
      }
      await #expect(throws: ModelError.entityTooSmall(number: 2, sizeBytes: 999)) {
        try await complete(all)
      }
      // The last part may be small.
      try await complete([all[0], all[1]])
      for number in [0, 10_001, -1, Int.max] {
        await #expect(throws: ModelError.invalidPartNumber) {
          _ = try await node.store.uploads.partWriter(
            bucket: bucket, key: key, id: id, number: number)
        }
      }
    }
  }

  @Test func completingAgainIsAnsweredWithTheObject() throws {
    try world().run { node in
      let (bucket, key, id) = try await begin(node)
      let part = try await node.putPart(bucket, "k", id, 1, noise(3000))
      let first = try await node.store.uploads.complete(
        bucket: bucket, key: key, id: id, parts: named([part]))
      let second = try await node.store.uploads.complete(
        bucket: bucket, key: key, id: id, parts: named([part]))
      #expect(first.uploadID == second.uploadID)
      try await node.put(bucket, "k", [1])
      await #expect(throws: ModelError.noSuchUpload) {
        _ = try await node.store.uploads.complete(
          bucket: bucket, key: key, id: id, parts: named([part]))
      }
    }
  }

  @Test func twoCompletionsAtOnceMakeOneObject() throws {
    for seed in UInt64(1)...20 {
      let world = world(seed)
      world.runtime.blockingDelay = .zero ... .milliseconds(3)
      try world.run { node in
        let (bucket, key, id) = try await begin(node)
        var parts: [UploadedPart] = []
        for number in 1...3 {
          parts.append(try await node.putPart(bucket, "k", id, number, noise(9000, UInt64(number))))
        }
        let requests = [named(parts), named(Array(parts.prefix(2)))].map { named in
          Pending(node.runtime) {
            try await node.store.uploads.complete(bucket: bucket, key: key, id: id, parts: named)
          }
        }
        var found: Set<UploadID> = []
        for request in requests { found.insert(try await request.value.uploadID) }
        #expect(found.count == 1, "seed \(seed)")
        let before = try await node.get(bucket, "k")
        try await node.settle()
        #expect(try await node.get(bucket, "k") == before, "seed \(seed)")
        #expect(
          try node.liveReferences().allSatisfy { reference in
            found.contains { reference.starts(with: $0.bytes) }
          }, "seed \(seed)")
      }
    }
  }

  @Test func anAbortReleasesAllParts() throws {
    try world().run { node in
      let (bucket, key, id) = try await begin(node)
      for number in 1...300 {
        try await node.putPart(bucket, "k", id, number, noise(600, UInt64(number)))
      }
      let late = try await node.store.uploads.partWriter(
        bucket: bucket, key: key, id: id, number: 5)
      let body = Body(noise(5000), pieceBytes: 500)
      try await late.append(from: { body.read(into: $0) }, observe: { _ in })
      try await node.store.uploads.abort(bucket: bucket, key: key, id: id)
      await #expect(throws: ModelError.noSuchUpload) {
        _ = try await late.commit(etag: "x", checksums: [])
      }
      await #expect(throws: ModelError.noSuchUpload) {
        try await node.store.uploads.abort(bucket: bucket, key: key, id: id)
      }
      await #expect(throws: ModelError.noSuchUpload) {
        _ = try await node.store.uploads.parts(bucket: bucket, key: key, id: id)
      }
      try await node.settle()
      #expect(try node.liveReferences().isEmpty)
      #expect(try node.keys(of: "model_release").isEmpty)
      #expect(try await node.store.buckets.usage(bucket.id) == .zero)
    }
  }

  @Test func uploadsAndPartsAreListedPageByPage() throws {
    try world().run { node in
      let bucket = try await node.store.buckets.create("bucket")
      var expected: [(String, UploadID)] = []
      for name in ["a/1", "a/2", "b", "b", "b", "c/1"] {
        let id = try await node.store.uploads.create(
          bucket: bucket, key: ObjectKey(name), metadata: ObjectMetadata())
        expected.append((name, id))
      }
      // An attempt to write an object is no multipart upload.
      let writer = node.store.objects.writer(bucket: bucket, key: try ObjectKey("b"))
      let body = Body(noise(3000), pieceBytes: 3000)
      try await writer.append(from: { body.read(into: $0) }, observe: { _ in })

      expected.sort { ($0.0, $0.1) < ($1.0, $1.1) }
      for limit in 1...7 {
        var found: [(String, UploadID)] = []
        var position: UploadPosition? = UploadPosition(.start)
        while let after = position {
          let page = try await node.store.uploads.list(
            bucket: bucket, ListQuery(limit: limit), after: after)
          found += page.uploads.map { ($0.key.string, $0.id) }
          position = page.next
        }
        #expect(found.map(\.0) == expected.map(\.0) && found.map(\.1) == expected.map(\.1))
      }
      let folded = try await node.store.uploads.list(
        bucket: bucket, ListQuery(delimiter: Array("/".utf8)))
      #expect(folded.commonPrefixes == [Array("a/".utf8), Array("c/".utf8)])
      #expect(folded.uploads.count == 3)

      let id = expected[0].1
      for number in 1...7 { try await node.putPart(bucket, "a/1", id, number * 2, [1]) }
      let page = try await node.store.uploads.parts(
        bucket: bucket, key: ObjectKey("a/1"), id: id, after: 4, limit: 3)
      #expect(page.parts.map(\.number) == [6, 8, 10] && page.isTruncated)
      let last = try await node.store.uploads.parts(
        bucket: bucket, key: ObjectKey("a/1"), id: id, after: 10, limit: 3)
      #expect(last.parts.map(\.number) == [12, 14] && !last.isTruncated)
      await writer.abandon()
    }
  }
}
