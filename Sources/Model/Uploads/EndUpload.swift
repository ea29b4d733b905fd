// The replica-side operation that ends an upload for good, so that what it left can be released.
//
// Three callers: a client aborts a multipart upload; a coordinator gives an attempt up, or the reaper one
// that nobody renews (both before its row was ever sent, or with the word of every replica); the release
// worker retires an attempt whose row was superseded.
//
// Invariant: A replica that holds the row of the upload answers `isHeld` with the row, and nothing of it is
// released.

import Base
import Codecs
import Tables

/// Ends an upload, unless its row is held here.
struct EndUpload: TableOperation {
  struct Input: Equatable, Sendable {
    var key: ObjectKey
    var upload: UploadID
    /// `refused` or `retired`.
    var state: UploadRow.State
    var purpose: UploadRow.Purpose
    var timestamp: Timestamp
    var begun: WallTime
    /// Of a part: what it belongs to.
    var part: UploadRow.PartOf?
    /// Whether only an upload that is open here may be ended, as an abort wants it.
    var requiresOpen: Bool
  }

  let guards: ObjectGuards

  var name: String { "end_upload" }

  func encode(_ input: Input) -> [UInt8] {
    KeyedInput.encode(input.key) { writer in
      writer.id(input.upload)
      writer.bool(input.requiresOpen)
      input.row.write(to: &writer)
    }
  }

  func decode(_ bytes: [UInt8]) throws -> Input {
    try KeyedInput.decode(bytes) { key, reader in
      let upload = try reader.id(UploadID.self)
      let requiresOpen = try reader.bool()
      let row = try UploadRow(from: &reader)
      guard row.isRefused else { throw BinaryError.invalidValue }
      return Input(
        key: key, upload: upload, state: row.state, purpose: row.purpose,
        timestamp: row.timestamp, begun: row.begun, part: row.part, requiresOpen: requiresOpen)
    }
  }

  func apply(
    _ input: Input, in context: OperationContext<ObjectSchema>
  ) throws -> ReplicaAnswer {
    let sortKey = ObjectSortKey.upload(input.key, input.upload).bytes
    let held = try guards.upload(sortKey, in: context)
    if input.requiresOpen, held?.state ?? .finished != .open {
      return ObjectRefusal.answer(ObjectRefusal.noSuchUpload)
    }
    if let row = try heldRow(of: input, in: context) {
      return .refused(code: ObjectRefusal.isHeld, payload: row.encoded)
    }
    var row = input.row
    if let held { row.timestamp = max(row.timestamp, held.timestamp) }
    try context.put(sortKey, .upload(row))
    return .accepted
  }

  /// The row of the version or the part that the upload wrote, if it is what this replica holds.
  private func heldRow(
    of input: Input, in context: OperationContext<ObjectSchema>
  ) throws -> ObjectRow? {
    switch input.purpose {
    case .multipart: return nil
    case .part:
      guard let part = input.part else { return nil }
      let sortKey = ObjectSortKey.part(input.key, part.multipart, number: part.number)
      guard let row = try context.row(sortKey.bytes), case .part(let part) = row,
        part.part != nil, part.uploadID == input.upload
      else { return nil }
      return row
    case .object:
      var held: ObjectRow?
      try context.rows(
        from: ObjectSortKey.keyBytes(.version, input.key),
        to: ObjectSortKey.endOfKey(.version, input.key.bytes)
      ) { _, row in
        if case .version(let version) = row, version.object != nil,
          version.uploadID == input.upload
        {
          held = row
        }
        return held == nil
      }
      return held
    }
  }
}

extension EndUpload.Input {
  /// The row that ends the upload.
  var row: UploadRow {
    UploadRow(timestamp: timestamp, state: state, purpose: purpose, begun: begun, part: part)
  }
}
