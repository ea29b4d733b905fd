// Undoing an upload: only when every replica says that it does not hold the upload's row.

import Base
import Tables

extension StoreParts {
  /// What came of undoing an upload.
  enum UndoOutcome: Equatable, Sendable {
    /// Every replica refuses the upload's row from now on: its references may go.
    case undone
    /// A replica held the row, so the upload was finished instead.
    case writtenForward
  }

  /// Makes every replica of the row refuse the upload, or finishes the upload where one holds its row.
  ///
  /// - Throws: `TableError.unavailable` unless every replica answered; the same call may be made again.
  @discardableResult
  func undo(
    key: ObjectKey, upload: UploadID, purpose: UploadRow.Purpose, part: UploadRow.PartOf?,
    bucket: BucketID, begun: WallTime
  ) async throws -> UndoOutcome {
    let partitionKey = ObjectPartition.key(bucket)
    let answers = try await objects.operateOnAll(
      EndUpload(guards: guards), partitionKey: partitionKey,
      input: .init(
        key: key, upload: upload, state: .refused, purpose: purpose, timestamp: clock.now(),
        begun: begun, part: part, requiresOpen: false))
    var held: ObjectRow?
    for answer in answers {
      if case .refused(ObjectRefusal.isHeld, let row) = answer {
        held = try row.withUnsafeBytes { try ObjectRow($0) }
      } else if case .accepted = answer {
        continue
      } else {
        throw TableError.contended(table: objects.schema.name)
      }
    }
    guard let held else { return .undone }
    let sortKey: ObjectSortKey =
      if let part {
        .part(key, part.multipart, number: part.number)
      } else {
        .version(key, .null)
      }
    // Where something newer is held this is stale, and the newer row is what will stay everywhere.
    _ = try await objects.merge(
      RowKey(partitionKey: partitionKey, sortKey: sortKey.bytes), held)
    // The finished state lifts the refusals.
    try await merge(objects, partitionKey: partitionKey) { now in
      let row = UploadRow(
        timestamp: now, state: .finished, purpose: purpose, begun: begun, part: part)
      return [(ObjectSortKey.upload(key, upload).bytes, .upload(row))]
    }
    return .writtenForward
  }
}
