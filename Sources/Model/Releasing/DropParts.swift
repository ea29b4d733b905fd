// The replica-side operation that deletes part rows of a multipart upload that has ended.

import Base
import Codecs
import Tables

/// Deletes the first part rows that are left, a bounded number at a time.
///
/// The payload of an acceptance is 1 when there may be more.
struct DropParts: TableOperation {
  struct Input: Equatable, Sendable {
    var key: ObjectKey
    var multipart: UploadID
    var timestamp: Timestamp
  }

  /// How many rows go at a time: some milliseconds of the writer's time, between which clients' writes get
  /// their turn.
  static let rowsMax = 128

  let guards: ObjectGuards

  var name: String { "drop_parts" }

  func encode(_ input: Input) -> [UInt8] {
    KeyedInput.encode(input.key) { writer in
      writer.id(input.multipart)
      writer.timestamp(input.timestamp)
    }
  }

  func decode(_ bytes: [UInt8]) throws -> Input {
    try KeyedInput.decode(bytes) { key, reader in
      Input(
        key: key, multipart: try reader.id(), timestamp: try reader.timestamp())
    }
  }

  func apply(
    _ input: Input, in context: OperationContext<ObjectSchema>
  ) throws -> ReplicaAnswer {
    let upload = ObjectSortKey.upload(input.key, input.multipart).bytes
    if try guards.upload(upload, in: context)?.state == .open {
      return ObjectRefusal.answer(ObjectRefusal.isHeld)
    }
    var parts: [([UInt8], PartRow)] = []
    let first = ObjectSortKey.part(input.key, input.multipart, number: 0).bytes
    let end = ObjectSortKey.part(input.key, input.multipart, number: .max).bytes
    try context.rows(from: first, to: end) { sortKey, row in
      if case .part(let row) = row, row.part != nil { parts.append((sortKey, row)) }
      return parts.count < Self.rowsMax
    }
    for (sortKey, row) in parts {
      let timestamp = max(input.timestamp, row.timestamp.next)
      try context.put(
        sortKey, .part(PartRow(timestamp: timestamp, uploadID: input.multipart, part: nil)))
    }
    return .accepted([parts.count < Self.rowsMax ? 0 : 1])
  }
}
