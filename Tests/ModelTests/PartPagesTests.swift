import Base
import Model
import SimulatedWorld
import Testing

/// The parts of an object, page by page.
@Suite struct PartPagesTests {
  /// Runs of one part, of two, and gaps.
  private static let sizes = [1: 1000, 2: 1001, 3: 1000, 4: 1000, 7: 1000, 8: 1002, 20: 1]

  private static func sum(_ number: Int) -> ObjectChecksum {
    ObjectChecksum(algorithm: .crc32c, value: [0, 0, 0, UInt8(number)])
  }

  @Test func aPageHasTheNextPartsWithTheirChecksums() throws {
    try ModelWorld(seed: 1, blockBytes: 512, adjust: { $0.partBytesMin = 1 }).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let key = try ObjectKey("k")
      let id = try await node.store.uploads.create(
        bucket: bucket, key: key,
        metadata: ObjectMetadata(checksums: [ObjectChecksum(algorithm: .crc32c, value: [])]))
      let numbers = Self.sizes.keys.sorted()
      for number in numbers {
        let writer = try await node.store.uploads.partWriter(
          bucket: bucket, key: key, id: id, number: number)
        let body = Body(noise(Self.sizes[number] ?? 0), pieceBytes: 500)
        try await writer.append(from: { body.read(into: $0) }, observe: { _ in })
        _ = try await writer.commit(etag: "e", checksums: [Self.sum(number)])
      }
      let version = try await node.store.uploads.complete(
        bucket: bucket, key: key, id: id,
        parts: numbers.map { CompletedPart(number: $0, etag: "e") }
      ) { _, _ in ObjectMetadata(etag: "e", checksums: [Self.sum(0)]) }
      for after in 0...21 {
        for limit in 0...8 {
          let expected = numbers.filter { $0 > after }.prefix(limit)
          let page = version.parts(after: after, limit: limit)
          #expect(page.map(\.number) == Array(expected))
          #expect(page.map(\.sizeBytes) == expected.map { UInt64(Self.sizes[$0] ?? 0) })
          #expect(page.map(\.checksum) == expected.map(Self.sum))
        }
      }
      #expect(version.parts(after: .max, limit: .max).isEmpty)
    }
  }
}
