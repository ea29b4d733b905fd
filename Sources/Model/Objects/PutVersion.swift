// The replica-side operation that writes a version of an object, or deletes it.
//
// Invariants:
//   1. A replica that holds something newer under the key, whichever version, answers `stale` and stores
//      nothing.
//   2. Repeating a write that this replica has stored is accepted again, as long as the bucket is live: a replica that
//      holds the mark of a deletion, and was listed, accepts nothing, not even what a feed has brought it since.
//   3. The row of a refused or retired upload is never stored.
//   4. A version that leads beyond the bucket's quota is refused, by the counts of this replica.
//   5. The upload that wrote the version, and the multipart upload that it completes, are closed in the
//      transaction that stores it.

import Base
import Codecs
import Tables

/// Writes a version row.
struct PutVersion: TableOperation {
  /// What is written.
  struct Input: Equatable, Sendable {
    var key: ObjectKey
    /// Its upload ID and multipart upload name the upload rows to close.
    var row: VersionRow
    var stamp: BucketStamp
  }

  let guards: ObjectGuards

  var name: String { "put_version" }

  func encode(_ input: Input) -> [UInt8] {
    KeyedInput.encode(input.key) { writer in
      writer.u64(input.stamp.rawValue)
      input.row.write(to: &writer)
    }
  }

  func decode(_ bytes: [UInt8]) throws -> Input {
    try KeyedInput.decode(bytes) { key, reader in
      let stamp = BucketStamp(rawValue: try reader.u64())
      return Input(key: key, row: try VersionRow(from: &reader), stamp: stamp)
    }
  }

  /// The payload of an acceptance: whether there was an object that this write hides.
  static func foundObject(_ outcome: WriteOutcome) -> Bool {
    guard case .accepted(let payloads) = outcome else { return false }
    return payloads.contains { $0.first == 1 }
  }

  func apply(
    _ input: Input, in context: OperationContext<ObjectSchema>
  ) throws -> ReplicaAnswer {
    let row = input.row
    // What has no references was written without an upload row, and nobody ends an upload that was never open.
    let ownUpload = ObjectSortKey.upload(input.key, row.uploadID).bytes
    let upload = row.hasReferences ? try guards.upload(ownUpload, in: context) : nil
    if upload?.isRefused ?? false { return ObjectRefusal.answer(ObjectRefusal.uploadRefused) }
    let sortKey = ObjectSortKey.version(input.key, .null).bytes
    let firstRows = try firstRows(of: input.key, in: context)
    let held = firstRows.first { $0.sortKey == sortKey }
    let newest = newest(of: firstRows)
    let mayReplace = newest.map { $0.uploadID == row.uploadID } ?? false
    // Before a repetition is accepted: the row may have come by a feed, behind a deletion's listing of this replica.
    let bucket: BucketRow
    switch try guards.bucket(input.stamp, in: context) {
    case .live(let row): bucket = row
    case .stale(let answer): return answer
    }
    if let newest, mayReplace, newest.timestamp >= row.timestamp { return .accepted }
    if let obstacle = context.obstacle(to: row.timestamp, held: newest?.timestamp) {
      return obstacle
    }
    var ending: [(sortKey: [UInt8], row: UploadRow)] = []
    if let upload, upload.state == .open { ending.append((ownUpload, upload)) }
    if let multipart = row.object?.multipart {
      let sortKey = ObjectSortKey.upload(input.key, multipart).bytes
      guard let upload = try guards.upload(sortKey, in: context), upload.purpose == .multipart,
        upload.state == .open
      else { return ObjectRefusal.answer(ObjectRefusal.noSuchUpload) }
      ending.append((sortKey, upload))
    }
    if let excess = try excess(over: bucket.quota.value, input, held: held?.row, in: context) {
      return ObjectRefusal.answer(excess)
    }
    for upload in ending {
      try context.put(
        upload.sortKey, .upload(upload.row.ended(.finished, at: row.timestamp)))
    }
    try context.put(sortKey, .version(row), replacing: held)
    return .accepted([newest?.object != nil && !mayReplace ? 1 : 0])
  }

  private typealias HeldRow = OperationContext<ObjectSchema>.HeldRow

  /// The null version, which comes first, and the newest of the others, deletions included.
  private func firstRows(
    of key: ObjectKey, in context: OperationContext<ObjectSchema>
  ) throws -> [HeldRow] {
    try context.heldRows(
      from: ObjectSortKey.keyBytes(.version, key), to: ObjectSortKey.endOfKey(.version, key.bytes),
      limit: 2)
  }

  /// The newest of a key's first rows.
  private func newest(of rows: [HeldRow]) -> VersionRow? {
    var newest: VersionRow?
    for case .version(let row) in rows.map({ $0.row }) {
      if let held = newest, (held.timestamp, held.uploadID) > (row.timestamp, row.uploadID) {
        continue
      }
      newest = row
    }
    return newest
  }

  /// The limit that the bucket would exceed.
  private func excess(
    over quota: BucketQuota, _ input: Input, held: ObjectRow?,
    in context: OperationContext<ObjectSchema>
  ) throws -> QuotaExcess? {
    guard quota != .none, let object = input.row.object else { return nil }
    var old = held?.weight ?? .zero
    // The bytes of the parts become those of the object, and parts that it leaves out go.
    if let multipart = object.multipart {
      old.unfinishedBytes =
        try guards.journal.partBytes(of: multipart, in: context.transaction) ?? 0
    }
    return try guards.excess(
      over: quota, replacing: old, by: .object(object.sizeBytes), in: context)
  }
}
