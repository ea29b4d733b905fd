// The life of one attempt to write an object or a part: its upload row.
//
// Invariants:
//   1. The row is durable before the first block reference of the attempt is sent.
//   2. While bytes flow it is renewed, so that the reaper leaves it alone. An attempt that was silent for as long as the
//      reaper waits is over, whether or not it was reaped: where its tombstone is forgotten too, a replica would take
//      it for a new one, whose first blocks are gone.
//   3. After the entry was sent to any replica, the attempt is undone only with every replica's word.

import Base
import Blocks
import Tables

/// An attempt to write, from its first block to its entry.
///
/// It belongs to the task of its writer.
final class UploadSession {
  let id: UploadID
  let key: ObjectKey
  let purpose: UploadRow.Purpose
  let part: UploadRow.PartOf?
  /// The row that the blocks are for.
  let owner: BlockOwner
  private let parts: StoreParts
  private let bucket: Bucket
  private let begun: WallTime
  private var opening: Pending<Void>?
  private var renewed: MonotonicInstant

  init(
    _ parts: StoreParts, bucket: Bucket, key: ObjectKey, purpose: UploadRow.Purpose,
    part: UploadRow.PartOf? = nil
  ) {
    self.parts = parts
    self.bucket = bucket
    self.key = key
    self.purpose = purpose
    self.part = part
    id = UploadID(random: parts.runtime.random)
    begun = parts.runtime.wallNow
    renewed = parts.runtime.now
    let sortKey: ObjectSortKey =
      if let part {
        .part(key, part.multipart, number: part.number)
      } else {
        .version(key, .null)
      }
    owner = BlockOwner(partitionKey: ObjectPartition.key(bucket.id), sortKey: sortKey.bytes)
  }

  /// Whether there may be an upload row.
  var isOpen: Bool { opening != nil }

  /// Begins to write the upload row, if that was not begun.
  @discardableResult
  func open() -> Pending<Void> {
    if let opening { return opening }
    let opening = Pending(parts.runtime) { [parts, write = openUpload] in
      try await Self.write(write, parts)
    }
    self.opening = opening
    return opening
  }

  /// Makes sure that the reaper cannot have undone the attempt.
  ///
  /// - Throws: `writeRefused` when nobody has heard of it for as long as the reaper waits.
  func requireAlive() throws(ModelError) {
    guard isOpen, parts.runtime.now - renewed >= parts.options.reapAfter else { return }
    throw ModelError.writeRefused
  }

  /// Says that the upload is alive, when the last word is some time ago.
  ///
  /// - Throws: as `requireAlive`.
  func renewIfDue() async throws {
    try requireAlive()
    guard let opening, parts.runtime.now - renewed >= parts.options.renewInterval else { return }
    try await opening.value
    renewed = parts.runtime.now
    try await Self.write(openUpload, parts)
  }

  private struct Writing: Sendable {
    var bucket: Bucket
    var key: ObjectKey
    var id: UploadID
    var purpose: UploadRow.Purpose
    var begun: WallTime
    var part: UploadRow.PartOf?
  }

  private var openUpload: Writing {
    Writing(bucket: bucket, key: key, id: id, purpose: purpose, begun: begun, part: part)
  }

  private static func write(_ writing: Writing, _ parts: StoreParts) async throws {
    _ = try await parts.write(to: writing.bucket) { bucket, attempt in
      try await parts.objects.operate(
        OpenUpload(guards: parts.guards), partitionKey: ObjectPartition.key(bucket.id),
        input: .init(
          key: writing.key, upload: writing.id,
          row: UploadRow(
            timestamp: attempt.timestamp, purpose: writing.purpose, begun: writing.begun,
            part: writing.part),
          stamp: bucket.stamp),
        above: attempt.above, companion: { bucket.companion })
    }
  }

  /// Undoes the attempt: every replica refuses its row from now on, and its references are queued for release.
  ///
  /// When not every replica answers, the reaper will try again.
  func undo() async {
    guard let opening else { return }
    await opening.settle()
    // In a task of its own: a client that is cut off leaves the caller cancelled, and no undoing to the reaper.
    let undoing = Pending(parts.runtime) {
      [parts, key, id, purpose, part, bucket = bucket.id, begun] in
      _ = try await parts.undo(
        key: key, upload: id, purpose: purpose, part: part, bucket: bucket, begun: begun)
    }
    do {
      try await undoing.value
    } catch {
      parts.logger.info(
        "An upload that was given up will be cleaned up later.",
        [("upload", id.hex), ("reason", "\(error)")])
    }
  }
}
