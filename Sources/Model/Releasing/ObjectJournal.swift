// What a replica notes when a row of the table `object` changes, or a bucket is deleted: in the same transaction,
// for itself.
//
//   model_release   references to release: the durable release queue
//   model_manifest_release   manifest rows to drop, once nobody can read the blocks that they list
//   model_open      open uploads with the moment of their last renewal, for the reaper
//   model_usage     counts of each bucket
//   model_upload_bytes   counts of each open multipart upload
//
// Invariants:
//   1. A version or part that loses its row to another upload's is queued in the transaction in which it does,
//      whichever way the other came: a write, a sync between replicas, a repair.
//   2. A row that replaces another of the same upload queues nothing: it describes the same blocks.
//   3. A bucket is queued when its deletion is final here, so that its uploads end however that was learned.

package import Base
package import LocalDB
import Tables

/// The replica's own notes about the rows of `object`.
package final class ObjectJournal: Sendable {
  /// The release queue, in the order in which entries came in: `releaseKey`.
  package let releases: Tree
  /// Entries whose references are released and whose manifest rows are still there, in the order in which the
  /// references went.
  let manifestReleases: Tree
  /// Open uploads.
  let open: Tree
  let usage: Tree
  let uploadBytes: Tree
  /// The clock of both.
  let time: NodeTime

  /// Opens the trees of the notes.
  ///
  /// - Throws: `LocalDBError`.
  package init(database: LocalDatabase, runtime: any Runtime) throws {
    releases = try database.tree("model_release")
    open = try database.tree("model_open")
    usage = try database.tree("model_usage", gathering: true)
    uploadBytes = try database.tree("model_upload_bytes")
    manifestReleases = try database.tree("model_manifest_release")
    var newest: UInt64 = 0
    for queue in [releases, manifestReleases] {
      try database.scan(queue, limit: 1, reversed: true) { key, _ in
        newest = max(newest, NodeTime.decode(key))
        return false
      }
    }
    time = try NodeTime(database: database, runtime: runtime, newest: newest)
  }

  func rowChanged(
    _ key: RowKey, old: ObjectRow?, new: ObjectRow?, in transaction: WriteTransaction
  ) throws {
    try noteUsage(key, old: old, new: new, in: transaction)
    try uploadChanged(key, old: old?.upload, new: new?.upload, in: transaction)
    switch old {
    case .version(let row):
      guard let object = row.object, row.uploadID != new?.writer else { return }
      try queue(.superseded(object.content), key, row.uploadID, transaction)
    case .part(let row):
      guard let part = row.part, row.uploadID != new?.writer else { return }
      try queue(.superseded(part.content), key, row.uploadID, transaction)
    case .upload, nil: return
    }
  }

  func bucketChanged(
    _ key: RowKey, old: BucketRow?, new: BucketRow?, in transaction: WriteTransaction
  ) throws {
    guard new?.state.value == .deleted, old?.state.value != .deleted,
      let bucket = BucketID(key.sortKey),
      // Of a random ID of 32 bytes: nothing else that is queued is called so.
      let name = UploadID(key.sortKey.prefix(UploadID.byteCount))
    else { return }
    let partition = RowKey(partitionKey: ObjectPartition.key(bucket), sortKey: [])
    try queue(.bucket, partition, name, transaction)
  }

  private func uploadChanged(
    _ key: RowKey, old: UploadRow?, new: UploadRow?, in transaction: WriteTransaction
  ) throws {
    if new?.isReaped ?? false {
      try transaction.put(open, openKey(key), NodeTime.encode(time.now))
    } else if old?.isReaped ?? false {
      try transaction.delete(open, openKey(key))
    }
    guard let new, old?.state ?? .open == .open, new.state != .open,
      case .upload(_, let upload) = ObjectSortKey(key.sortKey)
    else { return }
    if new.purpose == .multipart {
      try queue(.parts, key, upload, transaction)
    } else if new.state == .refused {
      try queue(.refused, key, upload, transaction)
    }
  }

  // MARK: The release queue

  private func queue(
    _ kind: ReleaseEntry.Kind, _ owner: RowKey, _ upload: UploadID, _ transaction: WriteTransaction
  ) throws {
    if case .superseded(.inline) = kind { return }
    if case .superseded(.blocks([])) = kind { return }
    let entry = ReleaseEntry(kind: kind, owner: owner, uploadID: upload)
    try transaction.put(releases, releaseKey(upload), entry.encoded)
  }

  /// The key of an entry that is put into a queue now.
  package func releaseKey(_ upload: UploadID) -> [UInt8] {
    NodeTime.encode(time.now) + upload.bytes
  }

  /// Where in a queue the entries end that have been there for `delay`; `nil` when none can have been.
  func releasesEnd(queuedFor delay: Duration) -> [UInt8]? {
    time.moment(before: delay).map { NodeTime.encode($0 + 1) }
  }

  // MARK: The reaper's index

  private func openKey(_ key: RowKey) -> [UInt8] { key.partitionKey + key.sortKey }

  /// The row that a key of the index names.
  func openRow(_ key: UnsafeRawBufferPointer) -> RowKey? {
    guard key.count > ObjectPartition.bytes else { return nil }
    return RowKey(
      partitionKey: Array(key.prefix(ObjectPartition.bytes)),
      sortKey: Array(key.dropFirst(ObjectPartition.bytes)))
  }
}

extension ObjectRow {
  fileprivate var upload: UploadRow? {
    if case .upload(let row) = self { row } else { nil }
  }

  /// The upload that wrote the row, of versions and parts.
  fileprivate var writer: UploadID? {
    switch self {
    case .version(let row): row.uploadID
    case .part(let row): row.uploadID
    case .upload: nil
    }
  }
}

extension UploadRow {
  /// Whether the reaper watches the upload: multipart uploads end by completion or abort alone.
  fileprivate var isReaped: Bool { state == .open && purpose != .multipart }
}
