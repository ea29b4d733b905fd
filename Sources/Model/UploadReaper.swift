// Undoes uploads that nobody finishes: a client that went away with its coordinator, a node that stopped.
//
// Multipart uploads are not touched: they end by completion, abort, or a lifecycle rule.

import Base
import LocalDB
import Tables

/// Looks for open uploads without a recent renewal.
package final class UploadReaper: Sendable {
  /// Uploads looked at in one pass; the next pass goes on.
  private static let batchMax = 256

  private let parts: StoreParts
  private let metrics: StoreMetrics

  init(_ parts: StoreParts, metrics: StoreMetrics) {
    self.parts = parts
    self.metrics = metrics
  }

  /// Works until the task is cancelled.
  func run() async {
    while !Task.isCancelled {
      do {
        _ = try await reap()
        try await parts.runtime.sleep(for: parts.options.reapInterval)
      } catch is CancellationError {
        return
      } catch {
        parts.logger.warning(
          "Unfinished uploads could not be cleaned up; it is tried again.", [("error", "\(error)")])
        try? await parts.runtime.sleep(for: parts.options.reapInterval)
      }
    }
  }

  /// Undoes uploads whose last renewal is too long ago, and returns how many.
  @discardableResult
  package func reap() async throws -> Int {
    var count = 0
    for key in try deadUploads() {
      // The row as it is here: where another replica has finished the upload alone, the undoing finds it.
      try Task.checkCancellation()
      guard case .upload(let sortKey, let upload) = ObjectSortKey(key.sortKey),
        let bucket = ObjectPartition.bucket(of: key.partitionKey)
      else { continue }
      do {
        guard case .upload(let row) = try parts.objects.local.entry(key), row.state == .open
        else { continue }
        try await parts.undo(
          key: sortKey, upload: upload, purpose: row.purpose, part: row.part, bucket: bucket,
          begun: row.begun)
        metrics.reaped.add()
        count += 1
      } catch let error where !(error is CancellationError) && error as? LocalDBError != .closed {
        // The entry stays for the next pass, and those behind it get their turn.
        parts.logger.log(
          error is TableError ? .debug : .warning,
          "An unfinished upload stays for now.", [("upload", upload.hex), ("error", "\(error)")])
      }
    }
    return count
  }

  private func deadUploads() throws -> [RowKey] {
    let age = parts.options.reapAfter.wholeNanoseconds / 1_000_000
    let before = UInt64(max(0, parts.runtime.wallNow.milliseconds - age))
    let end = withUnsafeBytes(of: before.bigEndian) { Array($0) }
    var keys: [RowKey] = []
    try parts.objects.local.database.scan(
      parts.journal.renewals, to: end, limit: Self.batchMax
    ) { key, _ in
      if let key = parts.journal.renewedRow(Array(key)) { keys.append(key) }
      return true
    }
    return keys
  }
}
