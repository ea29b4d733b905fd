// The binary coding, and every row that is decoded from it.

import Base
import Blocks
import Codecs
import LocalDB
import Model
import SimulatedWorld
import Tables
import TestStorage

// MARK: Values

/// Reads one value as `operation` says and writes it again.
private func copy(
  _ operation: UInt8, _ reader: inout BinaryReader, to writer: inout BinaryWriter
) throws(BinaryError) {
  switch operation % 20 {
  case 0: writer.u8(try reader.u8())
  case 1: writer.u16(try reader.u16())
  case 2: writer.u32(try reader.u32())
  case 3: writer.u64(try reader.u64())
  case 4: writer.bool(try reader.bool())
  case 5: writer.varint(try reader.varint())
  case 6: writer.count(try reader.count(max: 1000))
  case 7: writer.signed(try reader.signed())
  case 8: writer.raw(try reader.raw(3))
  case 9: writer.bytes(try reader.bytes(max: 100))
  case 10: writer.string(try reader.string(max: 100))
  case 11: writer.id(try reader.id(UploadID.self))
  case 12: writer.id(try reader.id(BlockHash.self))
  case 13: writer.version(try reader.version(upTo: 3))
  case 14:
    let value = try reader.optional { (reader: inout BinaryReader) throws(BinaryError) in
      try reader.signed()
    }
    writer.optional(value) { $0.signed($1) }
  case 15:
    let list = try reader.list(max: 50) { (reader: inout BinaryReader) throws(BinaryError) in
      try reader.string(max: 10)
    }
    writer.list(list) { $0.string($1) }
  case 16:
    let nested = try reader.nested(max: 300) { (reader: inout BinaryReader) throws(BinaryError) in
      (try reader.varint(), operation & 128 == 0 ? reader.remaining() : [])
    }
    writer.nested {
      $0.varint(nested.0)
      $0.raw(nested.1)
    }
  case 17: writer.raw(try reader.view(Int(operation) - 50))
  case 18: writer.raw(reader.remaining())
  default: try reader.expectEnd()
  }
}

extension Fuzzer {
  /// The input is a count, so many operations, and what they read.
  static let binary = Fuzzer("binary", of: ["Codecs/BinaryReader", "Codecs/BinaryWriter"]) {
    input in
    guard let count = input.first, input.count > Int(count % 32) else { return }
    let operations = input[1..<1 + Int(count % 32)]
    let data = Array(input[(1 + operations.count)...])
    var writer = BinaryWriter()
    let consumed = try withExactBytes(data) { memory in
      var reader = BinaryReader(UnsafeRawBufferPointer(memory))
      for operation in operations {
        let before = (reader.remainingCount, writer.bytes.count)
        do throws(BinaryError) {
          try copy(operation, &reader, to: &writer)
        } catch {
          try require(reader.remainingCount <= before.0, "a failure gave bytes back")
          return before
        }
        try require(reader.isAtEnd == (reader.remainingCount == 0), "the end")
      }
      return (reader.remainingCount, writer.bytes.count)
    }
    try require(
      writer.bytes.prefix(consumed.1).elementsEqual(data.prefix(data.count - consumed.0)),
      "written again: \(hex(writer.bytes))")
  }

  // MARK: Rows

  /// The input is the kind of row and its bytes.
  static let rows = Fuzzer(
    "rows",
    of: [
      "Model/Keys/AccessKeyRow", "Model/Buckets/AliasRow", "Model/Objects/AttemptRow",
      "Model/Buckets/BucketRow",
      "Model/Objects/ManifestRow",
      "Model/Objects/MetadataCoding", "Model/Objects/ObjectRow", "Model/Objects/ListedObject",
      "Model/Uploads/PartRow",
      "Model/Releasing/ReleaseEntry",
      "Model/Uploads/UploadRow",
      "Model/Objects/VersionRow", "Blocks/References/BlockReference", "Tables/Local/StoredRow",
    ]
  ) { input in
    guard let kind = input.first else { return }
    let bytes = Array(input[1...])
    let random = choices(input)
    switch kind % 10 {
    case 0:
      try RowCheck(schemas.object, use: use).check(bytes, random, beside: ofOtherKinds)
      try checkListed(bytes)
      try checkPartition(bytes)
    case 1: try RowCheck(ManifestSchema()) { _ in }.check(bytes, random)
    case 2:
      try RowCheck(schemas.bucket) { _ = CivilTime($0.createdWall).iso8601 }.check(bytes, random)
    case 3:
      try RowCheck(AccessKeySchema()) { row in
        _ = CivilTime(row.createdWall).iso8601
        if let end = row.key?.expiration.value { _ = CivilTime(end).iso8601 }
      }.check(bytes, random)
    case 4: try RowCheck(AliasSchema()) { _ in }.check(bytes, random)
    case 5: try RowCheck(schemas.reference) { _ in }.check(bytes, random)
    case 6: try roundTrip(bytes, ReleaseEntry.init, \.encoded)
    case 7: try roundTrip(bytes, BucketUsage.init, \.encoded, isPrefix: true)
    case 8: try checkStored(bytes)
    default:
      if let excess = QuotaExcess(bytes) {
        try require(bytes.starts(with: excess.encoded), "another quota excess")
        try require(!excess.explanation.isEmpty, "no words")
      }
    }
  }

  /// The schemas that need a database for what they note when a row is stored, which no fuzzer does.
  private static let schemas:
    (object: ObjectSchema, bucket: BucketSchema, reference: BlockReferenceTable) = {
      let runtime = SimulatedRuntime(seed: 1)
      let folder = TemporaryFolder()
      // Its files are gone when this returns: nothing is stored.
      defer { withExtendedLifetime(folder) {} }
      guard let database = try? folder.open("meta", .inline, fsync: false),
        let journal = try? ObjectJournal(database: database, runtime: runtime),
        let counts = try? BlockCounts(database, runtime: runtime)
      else { fatalError("no database in /tmp") }
      return (
        ObjectSchema(journal: journal), BucketSchema(journal: journal),
        BlockReferenceTable(counts: counts)
      )
    }()

  /// Rows that only a faulty node puts where one of another kind is.
  private static let ofOtherKinds: [[UInt8]] = {
    let (time, upload) = (Timestamp(rawValue: 7), UploadID(high: 1, low: 2))
    let begun = WallTime(milliseconds: 3)
    return [
      ObjectRow.version(VersionRow(timestamp: time, uploadID: upload, object: nil)),
      .upload(UploadRow(timestamp: time, state: .finished, purpose: .object, begun: begun)),
      .part(PartRow(timestamp: time, uploadID: upload, part: nil)),
    ].map(\.encoded)
  }()

  /// What is read of the beginning of a row is what all of it says.
  private static func checkListed(_ bytes: [UInt8]) throws {
    try withExactBytes(bytes) { memory in
      let memory = UnsafeRawBufferPointer(memory)
      let listed = try? ListedObject(key: ObjectKey("k"), row: memory)
      let isWitness = try? schemas.object.isWitness(encoded: memory)
      guard let row = try? ObjectRow(memory) else { return }
      try require(isWitness == schemas.object.isWitness(row), "a witness by its beginning alone")
      guard case .version(let version) = row, let object = version.object else {
        return try require(listed == nil, "a row that is no object is listed")
      }
      let metadata = object.metadata
      try require(
        listed?.sizeBytes == object.sizeBytes && listed?.etag == metadata.etag
          && listed?.lastModified == object.lastModified
          && listed?.checksumType == metadata.checksumType
          && listed?.checksumAlgorithms == metadata.checksums.map(\.algorithm),
        "a listing says something else than the row")
    }
  }

  /// Rows that the program makes, of the input's bytes, are what it reads.
  private static func checkPartition(_ bytes: [UInt8]) throws {
    guard bytes.count >= 32, let bucket = BucketID(bytes.prefix(32)),
      let upload = UploadID(bytes.suffix(16))
    else {
      return
    }
    try require(ObjectPartition.key(bucket).starts(with: bucket.bytes), "a bucket's partition")
    let time = Timestamp(rawValue: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) })
    let wall = WallTime(milliseconds: Int64(truncatingIfNeeded: time.rawValue))
    var part = StoredPart(
      lastModified: wall, sizeBytes: 3, etag: hex(bytes.prefix(9)), checksums: [], blockBytes: 4,
      content: .manifest)
    part.checksums = [ObjectChecksum(algorithm: .sha1, value: Array(bytes.prefix(20)))]
    for row: ObjectRow in [
      .version(VersionRow(timestamp: time, uploadID: upload, object: nil)),
      .upload(
        UploadRow(
          timestamp: time, state: .refused, purpose: .part, begun: wall,
          part: .init(multipart: upload, number: 7))),
      .part(PartRow(timestamp: time, uploadID: upload, part: part)),
    ] {
      try RowCheck(schemas.object, use: use).check(row.encoded, choices(bytes))
    }
    var bucketRow = BucketRow(created: time, createdWall: wall)
    bucketRow.names.set(.local(hex(bytes.prefix(4)), of: "GK"), true, now: time)
    try RowCheck(schemas.bucket) { _ in }.check(bucketRow.encoded, choices(bytes))
    let key = AccessKeyRow(
      created: time, createdWall: wall, secret: hex(bytes.prefix(3)), name: "\(time)")
    try RowCheck(AccessKeySchema()) { _ in }.check(key.encoded, choices(bytes))
    let alias = AliasRow(changed: time, epoch: 1, claimed: time, bucket: bucket)
    try RowCheck(AliasSchema()) { _ in }.check(alias.encoded, choices(bytes))
    let owner = RowKey(partitionKey: bucket.bytes, sortKey: ManifestRow.sortKey(part: 1, chunk: 2))
    for row in [ManifestRow(timestamp: time, owner: owner, blocks: []), .deleted(at: time)] {
      try RowCheck(ManifestSchema()) { _ in }.check(row.encoded, choices(bytes))
    }
    guard let hash = BlockHash(bytes.prefix(32)) else { return }
    let reference = BlockReference(
      .live(BlockOwner(partitionKey: bucket.bytes, sortKey: upload.bytes)), at: time)
    try require(reference.isLive, "a live reference")
    try RowCheck(schemas.reference) { _ in }.check(reference.encode(), choices(bytes))
    try require(
      BlockReferenceKey(hash: hash, upload: upload).rowKey.sortKey == upload.bytes,
      "a reference's key")
  }

  /// What listings and answers do with a row.
  private static func use(_ row: ObjectRow) {
    switch row {
    case .version(let row):
      guard let object = row.object else { return }
      let time = CivilTime(object.lastModified)
      _ = (time.iso8601, time.httpDate, time.weekday)
      let metadata = object.metadata
      _ = metadata.header("content-type")
    case .upload(let row): _ = CivilTime(row.begun).iso8601
    case .part(let row): if let part = row.part { _ = CivilTime(part.lastModified).iso8601 }
    }
  }

  private static func roundTrip<Row>(
    _ bytes: [UInt8], _ decode: (UnsafeRawBufferPointer) throws -> Row, _ encode: (Row) -> [UInt8],
    isPrefix: Bool = false
  ) throws {
    guard let row = try? withExactBytes(bytes, { try decode(UnsafeRawBufferPointer($0)) }) else {
      return
    }
    let again = encode(row)
    try require(
      isPrefix ? bytes.starts(with: again) : bytes == again, "written again: \(hex(again))")
  }

  /// What lies around rows in the database.
  private static func checkStored(_ bytes: [UInt8]) throws {
    try withExactBytes(bytes) { memory in
      let memory = UnsafeRawBufferPointer(memory)
      if let stored = try? StoredRow(memory) {
        let again = StoredRow.bytes(
          sequence: stored.sequence, local: Array(stored.local.dropFirst(8)),
          row: Array(stored.row))
        try require(again == bytes, "a stored row written again")
      }
    }
    if let text = String(validating: bytes, as: UTF8.self),
      let marker = DataDirectoryMarker(text: text)
    {
      try require(DataDirectoryMarker(text: marker.text) == marker, "a marker written again")
    }
  }
}

/// One kind of row: its bytes, and the laws of its merge (`TableSchema`).
private struct RowCheck<Row: Equatable> {
  let decode: (UnsafeRawBufferPointer) throws -> Row
  let encode: (Row) -> [UInt8]
  let merge: (Row, Row) -> Row
  let timestamp: (Row) -> Timestamp
  let use: (Row) -> Void

  init<Schema: TableSchema>(_ schema: Schema, use: @escaping (Row) -> Void)
  where Schema.Row == Row {
    decode = { try schema.decode($0) }
    encode = { schema.encode($0) }
    merge = { schema.merge($0, $1) }
    timestamp = { schema.timestamp(of: $0) }
    self.use = { row in
      use(row)
      let isHidden = schema.tombstoneTimestamp(row) != nil
      _ = (schema.isWitness(row), isHidden, schema.newerTimestamp(held: row, incoming: row))
      _ = (
        schema.timestamp(of: row).description, schema.name, schema.partitionKeyBytes,
        schema.isFullyReplicated
      )
    }
  }

  private func row(_ bytes: [UInt8]) -> Row? {
    try? withExactBytes(bytes) { try decode(UnsafeRawBufferPointer($0)) }
  }

  /// - Parameter strangers: rows of other kinds, which are merged with this one too.
  func check(
    _ bytes: [UInt8], _ random: SeededRandom, beside strangers: [[UInt8]] = []
  ) throws {
    guard let row = row(bytes) else { return }
    let again = encode(row)
    try require(again == bytes, "written again: \(hex(again))")
    use(row)
    for stranger in strangers.compactMap(self.row) { try checkStranger(row, stranger) }
    let others = relatives(of: bytes, random)
    for (index, a) in ([row] + others).enumerated() {
      try require(encode(merge(a, a)) == encode(a), "merging a row with itself changes it")
      for b in others.dropFirst(index) {
        let both = encode(merge(a, b))
        try require(
          both == encode(merge(b, a)),
          "the order of a merge matters: \(hex(encode(a))) \(hex(encode(b)))")
        try require(
          timestamp(merge(a, b)) == max(timestamp(a), timestamp(b)),
          "the timestamp of a merge is not the newer one")
        try require(self.row(both) != nil, "what a merge gives cannot be read: \(hex(both))")
      }
    }
    if others.count > 1 {
      let left = encode(merge(merge(row, others[0]), others[1]))
      let right = encode(merge(row, merge(others[0], others[1])))
      try require(
        left == right, "a merge of three: \(hex(encode(others[0]))) \(hex(encode(others[1])))")
    }
  }

  /// Replicas that were told of rows of two kinds agree; which times they keep then does not matter.
  private func checkStranger(_ row: Row, _ stranger: Row) throws {
    let both = encode(merge(row, stranger))
    try require(both == encode(merge(stranger, row)), "the order of a merge of two kinds matters")
    try require(
      [row, stranger].map(encode).contains(both) || self.row(both) != nil,
      "what a merge of two kinds gives cannot be read: \(hex(both))")
  }

  /// The same with the first `·` in its other spelling: to Swift's String the two are equal.
  private func twin(of bytes: [UInt8]) -> [UInt8]? {
    guard
      let place = bytes.indices.dropLast().first(where: {
        bytes[$0] == 0xC2 && bytes[$0 + 1] == 0xB7
      })
    else { return nil }
    return bytes[..<place] + [0xCE, 0x87] + bytes[(place + 2)...]
  }

  /// Up to three rows of one kind that differ in a few bytes: those where ties and states matter.
  private func relatives(of bytes: [UInt8], _ random: SeededRandom) -> [Row] {
    var found: [Row] = []
    if let twin = twin(of: bytes).flatMap(row) { found.append(twin) }
    for _ in 0..<8 where found.count < 3 && bytes.count > 2 {
      var changed = bytes
      for _ in 0...random.below(3) {
        // Behind the format's version and the kind.
        let place = 2 + random.below(changed.count - 2)
        switch random.below(3) {
        case 0: changed[place] ^= UInt8(1 << random.below(8))
        case 1: changed[place] = UInt8(random.below(4))
        default: changed.append(UInt8(random.below(256)))
        }
      }
      if let row = row(changed) { found.append(row) }
    }
    return found
  }
}
