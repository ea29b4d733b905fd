// Undoes uploads that nobody finishes: a client that went away with its coordinator, a node that stopped.
//
// Multipart uploads are not touched: they end by completion, abort, or a lifecycle rule.

import Base
import LocalDB
import Tables

/// Looks for open uploads without a recent renewal.
package final class UploadReaper: Sendable {
  /// Uploads looked at in one read.
  private static let batchMax = 256

  private let parts: StoreParts
  private let metrics: StoreMetrics

  init(_ parts: StoreParts, metrics: StoreMetrics) {
    self.parts = parts
    self.metrics = metrics
  }

  /// Undoes uploads whose last renewal is too long ago, and returns how many.
  ///
  /// How long ago is node time (NodeTime.swift) since this replica heard of the renewal: neither the clock of this
  /// machine nor that of the coordinator, both of which may step, is asked.
  @discardableResult
  package func reap() async throws -> Int {
    await saveTime()
    var count = 0
    var position: [UInt8]? = []
    while let from = position {
      let page = try deadUploads(from: from)
      for key in page.dead {
        try Task.checkCancellation()
        if try await reap(key) { count += 1 }
      }
      position = page.next
    }
    return count
  }

  /// Makes the time that passed in this run count after the next start.
  ///
  /// Otherwise a machine that is switched off every night would never be on for a day.
  func saveTime() async {
    do {
      try await parts.journal.time.save()
    } catch {
      parts.logger.warning(
        "How long the node has been running could not be saved; unfinished uploads stay for longer.",
        [("error", "\(error)")])
    }
  }

  /// Undoes the upload at `key`; `false` when it stays.
  private func reap(_ key: RowKey) async throws -> Bool {
    guard case .upload(let sortKey, let upload) = ObjectSortKey(key.sortKey),
      let bucket = ObjectPartition.bucket(of: key.partitionKey)
    else { return false }
    do {
      // The row as it is here: where another replica has finished the upload alone, the undoing finds it.
      guard case .upload(let row) = try parts.objects.local.entry(key), row.state == .open
      else { return false }
      try await parts.undo(
        key: sortKey, upload: upload, purpose: row.purpose, part: row.part, bucket: bucket,
        begun: row.begun)
      metrics.reaped.add()
      return true
    } catch let error where !(error is CancellationError) && error as? LocalDBError != .closed {
      // The entry stays for the next pass, and those behind it get their turn.
      parts.logger.log(
        error is TableError ? .debug : .warning,
        "An unfinished upload stays for now.", [("upload", upload.hex), ("error", "\(error)")])
      return false
    }
  }

  /// The dead among the next open uploads, and where to go on.
  private func deadUploads(from: [UInt8]) throws -> (dead: [RowKey], next: [UInt8]?) {
    guard let end = parts.journal.time.moment(before: parts.options.reapAfter) else {
      return ([], nil)
    }
    var dead: [RowKey] = []
    var count = 0
    var last: [UInt8] = []
    try parts.objects.local.database.scan(
      parts.journal.open, from: from, limit: Self.batchMax
    ) { key, renewed in
      count += 1
      last = Array(key)
      if NodeTime.decode(renewed) <= end, let key = parts.journal.openRow(key) { dead.append(key) }
      return true
    }
    return (dead, count < Self.batchMax ? nil : last + [0])
  }
}
