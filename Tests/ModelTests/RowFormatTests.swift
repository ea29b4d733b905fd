import Base
import Codecs
import Model
import Tables
import Testing

/// The bytes of docs/formats/objects.md.
@Suite struct RowFormatTests {
  private let upload = UploadID(high: 0x0102_0304_0506_0708, low: 0x090A_0B0C_0D0E_0F10)
  private let uploadBytes: [UInt8] = Array(1...16)
  private let time = Timestamp(rawValue: 0x1122)
  private let timeBytes: [UInt8] = [0, 0, 0, 0, 0, 0, 0x11, 0x22]
  private let hash =
    BlockHash([UInt8](repeating: 7, count: 32)) ?? .init(random: SystemRandom.shared)
  private let hashBytes = [UInt8](repeating: 7, count: 32)

  /// Encodes, compares, decodes, compares; then with a trailing field of a newer program.
  private func check(_ row: ObjectRow, _ golden: [UInt8]) throws {
    #expect(row.encoded == golden)
    #expect(try golden.withUnsafeBytes { try ObjectRow($0) } == row)
    let newer = golden + [0xAB, 0xCD]
    #expect(try newer.withUnsafeBytes { try ObjectRow($0) }.encoded == newer)
  }

  @Test func aDeletedVersion() throws {
    try check(
      .version(VersionRow(timestamp: time, uploadID: upload, object: nil)),
      [1, 1] + timeBytes + uploadBytes + [0])
  }

  @Test func anInlineVersionWithMetadata() throws {
    let metadata = ObjectMetadata(
      etag: "e1", headers: [ObjectHeader(name: "a", value: "bc")],
      checksums: [ObjectChecksum(algorithm: .crc32c, value: [1, 2, 3, 4])],
      checksumType: .composite)
    let object = VersionRow.Object(
      lastModified: WallTime(milliseconds: 3), sizeBytes: 2, metadata: metadata,
      content: .inline([8, 9]))
    try check(
      .version(VersionRow(timestamp: time, uploadID: upload, object: object)),
      [1, 1] + timeBytes + uploadBytes + [1, 6, 2]
        + [2, 0x65, 0x31, 1, 1, 0x61, 2, 0x62, 0x63, 1, 2, 4, 1, 2, 3, 4, 1]
        + [0, 0, 0, 0, 0, 0] + [0, 2, 8, 9])
  }

  @Test func aMultipartVersionWithAManifest() throws {
    var parts = PartLayout()
    parts.append(number: 1, sizeBytes: 10, blockBytes: 4)
    parts.append(number: 2, sizeBytes: 10, blockBytes: 4)
    parts.append(number: 9, sizeBytes: 1, blockBytes: 4)
    let object = VersionRow.Object(
      lastModified: WallTime(milliseconds: 0), sizeBytes: 21, metadata: ObjectMetadata(),
      multipart: upload, parts: parts, partChecksums: [1, 2, 3], content: .manifest)
    try check(
      .version(VersionRow(timestamp: time, uploadID: upload, object: object)),
      [1, 1] + timeBytes + uploadBytes + [1, 0, 21] + [0, 0, 0, 0] + [1] + uploadBytes
        + [2, 0, 1, 0, 2, 10, 0, 0, 0, 4, 0, 9, 0, 1, 1, 0, 0, 0, 4] + [3, 1, 2, 3]
        + [0, 0, 0] + [2])
  }

  @Test func uploads() throws {
    var metadata = ObjectMetadata()
    metadata.etag = "x"
    try check(
      .upload(
        UploadRow(
          timestamp: time, purpose: .multipart, begun: WallTime(milliseconds: 1),
          metadata: metadata)), [1, 2] + timeBytes + [0, 2, 2, 1, 0x78, 0, 0, 0])
    try check(
      .upload(
        UploadRow(
          timestamp: time, state: .refused, purpose: .part, begun: WallTime(milliseconds: 1),
          part: .init(multipart: upload, number: 5))),
      [1, 2] + timeBytes + [1, 1, 2] + uploadBytes + [0, 5])
  }

  @Test func aPart() throws {
    let part = PartRow.Part(
      lastModified: WallTime(milliseconds: 2), sizeBytes: 5, etag: "p", checksums: [],
      blockBytes: 16, content: .blocks([BlockEntry(hash: hash, sizeBytes: 5)]))
    try check(
      .part(PartRow(timestamp: time, uploadID: upload, part: part)),
      [1, 3] + timeBytes + uploadBytes + [1, 4, 5, 1, 0x70, 0, 0, 0, 0, 16, 1, 1] + hashBytes
        + [0, 0, 0, 5])
  }

  @Test func aManifestRow() throws {
    let row = ManifestRow(
      timestamp: time, owner: RowKey(partitionKey: [1], sortKey: [2, 3]),
      blocks: [BlockEntry(hash: hash, sizeBytes: 5)])
    let golden = [1] + timeBytes + [1, 1, 1, 2, 2, 3, 1] + hashBytes + [0, 0, 0, 5]
    #expect(row.encoded == golden)
    #expect(try golden.withUnsafeBytes { try ManifestRow($0) } == row)
    #expect(ManifestRow.deleted(at: time).encoded == [1] + timeBytes + [0])
    #expect(ManifestRow.sortKey(part: 0x0102, chunk: 3) == [1, 2, 0, 0, 0, 3])
  }

  @Test func aBucket() throws {
    var row = BucketRow(created: time, createdWall: WallTime(milliseconds: 1))
    row.grants.set("K", 7, now: time)
    row.names.set(.global("b"), true, now: time)
    let golden =
      [1] + timeBytes + timeBytes + [2] + timeBytes + [0, 1, 1, 0x4B] + timeBytes + [7]
      + [1, 2, 0, 0x62] + timeBytes + [1]
    #expect(row.encoded == golden + timeBytes + [0, 0])
    row.quota.value = BucketQuota(bytesMax: 300, objectsMax: 2)
    let limited = golden + timeBytes + [1, 0xAC, 0x02, 1, 2]
    #expect(row.encoded == limited)
    #expect(try limited.withUnsafeBytes { try BucketRow($0) } == row)
    let newer = limited + [0xAB]
    #expect(try newer.withUnsafeBytes { try BucketRow($0) }.encoded == newer)
  }

  @Test func aBucketsName() throws {
    let bucket = try #require(BucketID(hashBytes))
    let row = AliasRow(changed: time, epoch: 300, claimed: time, bucket: bucket, isReleased: true)
    let golden = [1] + timeBytes + [0xAC, 0x02] + timeBytes + hashBytes + [1]
    #expect(row.encoded == golden)
    #expect(try golden.withUnsafeBytes { try AliasRow($0) } == row)
    #expect(AliasName.global("ab").sortKey == [0, 0x61, 0x62])
    #expect(AliasName.local("ab", of: "K").sortKey == [1, 0x4B, 0, 0x61, 0x62])
    for name in [AliasName.global("ab"), .local("ab", of: "K")] {
      #expect(AliasName(sortKey: name.sortKey) == name)
    }
  }

  @Test func anAccessKey() throws {
    var row = AccessKeyRow(
      created: time, createdWall: WallTime(milliseconds: 1), secret: "s", name: "n")
    row.key?.expiration.value = WallTime(milliseconds: 2)
    let golden =
      [1] + timeBytes + timeBytes + [2, 0, 1, 0x73] + timeBytes + [1, 0x6E] + timeBytes + [0]
      + timeBytes + [1, 4]
    #expect(row.encoded == golden)
    #expect(try golden.withUnsafeBytes { try AccessKeyRow($0) } == row)
  }

  @Test func anEntryOfTheReleaseQueue() throws {
    let entry = ReleaseEntry(
      kind: .superseded(.blocks([BlockEntry(hash: hash, sizeBytes: 5)])),
      owner: RowKey(partitionKey: [1], sortKey: [2]), uploadID: upload)
    let golden = [1, 0, 1, 1, 1, 2] + uploadBytes + [1, 1] + hashBytes + [0, 0, 0, 5]
    #expect(entry.encoded == golden)
    #expect(try golden.withUnsafeBytes { try ReleaseEntry($0) } == entry)
    for (kind, tag) in [(ReleaseEntry.Kind.parts, UInt8(1)), (.refused, 2), (.bucket, 3)] {
      let entry = ReleaseEntry(kind: kind, owner: entry.owner, uploadID: upload)
      #expect(entry.encoded == [1, tag, 1, 1, 1, 2] + uploadBytes)
      #expect(try entry.encoded.withUnsafeBytes { try ReleaseEntry($0) } == entry)
    }
  }

  @Test func sizesThatDisagreeAreRefused() throws {
    func check(
      _ content: ObjectContent, sizeBytes: UInt64 = 3, _ runs: [PartRun] = [],
      _ expected: BinaryError = .invalidValue
    ) {
      let object = VersionRow.Object(
        lastModified: WallTime(milliseconds: 0), sizeBytes: sizeBytes, metadata: ObjectMetadata(),
        parts: PartLayout(runs), content: content)
      let row = ObjectRow.version(VersionRow(timestamp: time, uploadID: upload, object: object))
      #expect(throws: expected) { try row.encoded.withUnsafeBytes { try ObjectRow($0) } }
    }
    check(.inline([8, 9]))
    check(.blocks([BlockEntry(hash: hash, sizeBytes: 4)]))
    check(.manifest)
    check(.manifest, [PartRun(first: 1, count: 3, sizeBytes: 1, blockBytes: 0)])
    let tooMany = PartRun(first: 65_535, count: 3, sizeBytes: 1, blockBytes: 1)
    check(.manifest, sizeBytes: UInt64.max, [tooMany], .overLimit)
  }

  /// Whatever bytes come in, a decoder answers with a row or an error.
  @Test func damagedRowsNeverTrap() throws {
    var parts = PartLayout()
    parts.append(number: 1, sizeBytes: 10, blockBytes: 4)
    let object = VersionRow.Object(
      lastModified: WallTime(milliseconds: 0), sizeBytes: 10,
      metadata: ObjectMetadata(etag: "abc", headers: [ObjectHeader(name: "n", value: "v")]),
      multipart: upload, parts: parts, content: .manifest)
    let seeds: [[UInt8]] = [
      ObjectRow.version(VersionRow(timestamp: time, uploadID: upload, object: object)).encoded,
      BucketRow(created: time, createdWall: WallTime(milliseconds: 1)).encoded,
      AccessKeyRow(created: time, createdWall: WallTime(milliseconds: 1), secret: "s", name: "n")
        .encoded,
    ]
    let random = Seeded(seed: 5)
    for _ in 0..<20_000 {
      var bytes = seeds[random.below(seeds.count)]
      for _ in 0..<(1 + random.below(3)) {
        bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
      }
      if random.below(4) == 0 { bytes.removeLast(random.below(bytes.count)) }
      bytes.withUnsafeBytes { bytes in
        _ = try? ObjectRow(bytes)
        _ = try? ManifestRow(bytes)
        _ = try? BucketRow(bytes)
        _ = try? AliasRow(bytes)
        _ = try? AccessKeyRow(bytes)
        _ = try? ReleaseEntry(bytes)
      }
    }
  }
}
