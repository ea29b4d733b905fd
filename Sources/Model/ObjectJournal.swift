// What a replica notes when a row of the table `object` changes: in the same transaction, for itself.
//
//   model_release   references to release: the durable release queue
//   model_renewed   open uploads by their last renewal, for the reaper
//   model_usage     counts of each bucket
//
// Invariants:
//   1. A version or part that loses its row to another upload's is queued in the transaction in which it does,
//      whichever way the other came: a write, a sync between replicas, a repair.
//   2. A row that replaces another of the same upload queues nothing: it describes the same blocks.

package import Base
import Codecs
package import LocalDB
import Tables

/// The replica's own notes about the rows of `object`.
package struct ObjectJournal: Sendable {
  /// The release queue: what is due when, as `releaseKey` says.
  package let releases: Tree
  let renewals: Tree
  let usage: Tree
  let runtime: any Runtime
  let releaseDelay: Duration

  /// Opens the trees of the notes.
  ///
  /// - Throws: `LocalDBError`.
  package init(database: LocalDatabase, runtime: any Runtime, releaseDelay: Duration) throws {
    releases = try database.tree("model_release")
    renewals = try database.tree("model_renewed")
    usage = try database.tree("model_usage")
    self.runtime = runtime
    self.releaseDelay = releaseDelay
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

  private func uploadChanged(
    _ key: RowKey, old: UploadRow?, new: UploadRow?, in transaction: WriteTransaction
  ) throws {
    if let old, old.isReaped { try transaction.delete(renewals, renewalKey(old, key)) }
    if let new, new.isReaped { try transaction.put(renewals, renewalKey(new, key), []) }
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
    try transaction.put(releases, releaseKey(upload, after: releaseDelay), entry.encoded)
  }

  /// The key of an entry that is due `delay` from now.
  package func releaseKey(_ upload: UploadID, after delay: Duration) -> [UInt8] {
    var writer = BinaryWriter(capacity: 24)
    let due = runtime.wallNow.milliseconds + delay.wholeNanoseconds / 1_000_000
    writer.u64(UInt64(max(0, due)))
    writer.id(upload)
    return writer.bytes
  }

  // MARK: The reaper's index

  private func renewalKey(_ row: UploadRow, _ key: RowKey) -> [UInt8] {
    var writer = BinaryWriter(capacity: 128)
    writer.u64(UInt64(row.timestamp.milliseconds))
    writer.raw(key.partitionKey)
    writer.raw(key.sortKey)
    return writer.bytes
  }

  /// The row that an entry of the index names.
  func renewedRow(_ entry: [UInt8]) -> RowKey? {
    guard entry.count > 8 + ObjectPartition.bytes else { return nil }
    let rest = entry.dropFirst(8)
    return RowKey(
      partitionKey: Array(rest.prefix(ObjectPartition.bytes)),
      sortKey: Array(rest.dropFirst(ObjectPartition.bytes)))
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
