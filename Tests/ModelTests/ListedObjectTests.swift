import Base
import Codecs
import Model
import SimulatedWorld
import Tables
import Testing

/// What a listing reads from the beginning of a row is what the whole row says.
@Suite struct ListedObjectTests {
  private let upload = UploadID(high: 0x0102_0304_0506_0708, low: 0x090A_0B0C_0D0E_0F10)

  private func listed(_ row: [UInt8]) throws -> ListedObject? {
    let key = try ObjectKey("k")
    return try row.withUnsafeBytes { try ListedObject(key: key, row: $0) }
  }

  private func object(_ random: Seeded) -> VersionRow.Object {
    let content = [UInt8](repeating: 7, count: random.below(40))
    let headers = (0..<random.below(4)).map { index in
      ObjectHeader(
        name: "x-amz-meta-\(index)", value: [UInt8](repeating: 9, count: random.below(200)))
    }
    let checksums = (0..<random.below(3)).map { _ in
      ObjectChecksum(
        algorithm: random.element(ChecksumAlgorithm.allCases),
        value: [UInt8](repeating: 1, count: random.below(33)))
    }
    return VersionRow.Object(
      lastModified: WallTime(milliseconds: Int64(random.below(1 << 42)) - 1 << 41),
      sizeBytes: UInt64(content.count),
      metadata: ObjectMetadata(
        etag: random.element(["", "0123456789abcdef0123456789abcdef-12", "é"]), headers: headers,
        checksums: checksums, checksumType: random.element([.fullObject, .composite])),
      content: .inline(content))
  }

  @Test func saysWhatTheRowSays() throws {
    let random = Seeded(seed: 31)
    for round in 0..<500 {
      let object = object(random)
      let row = ObjectRow.version(
        VersionRow(
          timestamp: Timestamp(rawValue: random.next()), uploadID: upload, object: object))
      let listed = try #require(try listed(row.encoded), "round \(round)")
      #expect(listed.sizeBytes == object.sizeBytes, "round \(round)")
      #expect(listed.etag == object.metadata.etag, "round \(round)")
      #expect(listed.lastModified == object.lastModified, "round \(round)")
      #expect(
        listed.checksumAlgorithms == object.metadata.checksums.map(\.algorithm), "round \(round)")
      #expect(listed.checksumType == object.metadata.checksumType, "round \(round)")
    }
  }

  @Test func deletedObjectsAndOtherRowsAreNotListed() throws {
    let deleted = VersionRow(timestamp: Timestamp(rawValue: 1), uploadID: upload, object: nil)
    #expect(try listed(ObjectRow.version(deleted).encoded) == nil)
    for content in [
      nil,
      StoredPart(
        lastModified: WallTime(milliseconds: 1), sizeBytes: 3, etag: "", checksums: [],
        blockBytes: 4, content: .manifest),
    ] {
      let part = PartRow(timestamp: Timestamp(rawValue: 1), uploadID: upload, part: content)
      #expect(try listed(ObjectRow.part(part).encoded) == nil)
    }
  }

  /// A damaged row is an error and never a trap.
  @Test func survivesRowsThatWereCutOrChanged() throws {
    let random = Seeded(seed: 32)
    for _ in 0..<200 {
      let row = ObjectRow.version(
        VersionRow(timestamp: Timestamp(rawValue: 1), uploadID: upload, object: object(random)))
      var bytes = row.encoded
      for count in 0..<27 {
        #expect(throws: BinaryError.self) { try listed(Array(bytes.prefix(count))) }
      }
      bytes[random.below(bytes.count)] = UInt8(random.below(256))
      _ = try? listed(Array(bytes.prefix(random.below(bytes.count + 1))))
    }
  }

  @Test func theKeyOfANullVersionIsThatOfItsSortKey() throws {
    let random = Seeded(seed: 33)
    for _ in 0..<5000 {
      let bytes: [UInt8]
      if random.below(2) == 0 {
        // Short, so that most are no sort keys, some by one byte.
        let kind = ObjectSortKey.version(try ObjectKey("k"), .null).bytes.prefix(1)
        bytes =
          kind.prefix(random.below(4))
          + (0..<random.below(8)).map { _ in
            random.element([0, 0, 0, 1, 0x61, 0xC3, 0xA9, 0xFF])
          }
      } else {
        let letters: [[UInt8]] = [[0], [1], [0x61], [0xC3, 0xA9]]
        let key = try ObjectKey(
          (0..<(1 + random.below(4))).flatMap { _ in random.element(letters) })
        bytes =
          random.below(4) == 0
          ? ObjectSortKey.version(key, .numbered(Timestamp(rawValue: 0), upload)).bytes
          : ObjectSortKey.version(key, .null).bytes
      }
      var expected: ObjectKey?
      if case .version(let key, .null) = ObjectSortKey(bytes) { expected = key }
      #expect(bytes.withUnsafeBytes { ObjectSortKey.keyOfNullVersion($0) } == expected, "\(bytes)")
    }
  }
}
