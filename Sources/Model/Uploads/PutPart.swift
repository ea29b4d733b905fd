// The replica-side operation that writes a part of a multipart upload.

import Base
import Codecs
import Tables

/// Writes a part row, as long as the multipart upload is open.
struct PutPart: TableOperation {
  struct Input: Equatable, Sendable {
    var key: ObjectKey
    var multipart: UploadID
    var number: UInt16
    var row: PartRow
    var stamp: BucketStamp
  }

  let guards: ObjectGuards

  var name: String { "put_part" }

  func encode(_ input: Input) -> [UInt8] {
    KeyedInput.encode(input.key) { writer in
      writer.id(input.multipart)
      writer.u16(input.number)
      writer.u64(input.stamp.rawValue)
      input.row.write(to: &writer)
    }
  }

  func decode(_ bytes: [UInt8]) throws -> Input {
    try KeyedInput.decode(bytes) { key, reader in
      let multipart = try reader.id(UploadID.self)
      let number = try reader.u16()
      let stamp = BucketStamp(rawValue: try reader.u64())
      return Input(
        key: key, multipart: multipart, number: number, row: try PartRow(from: &reader),
        stamp: stamp)
    }
  }

  func apply(
    _ input: Input, in context: OperationContext<ObjectSchema>
  ) throws -> ReplicaAnswer {
    let row = input.row
    let ownUpload = ObjectSortKey.upload(input.key, row.uploadID).bytes
    let upload = try guards.upload(ownUpload, in: context)
    if upload?.isRefused ?? false { return ObjectRefusal.answer(ObjectRefusal.uploadRefused) }
    let sortKey = ObjectSortKey.part(input.key, input.multipart, number: input.number).bytes
    var held: PartRow?
    if case .part(let row) = try context.row(sortKey) { held = row }
    let bucket: BucketRow
    switch try guards.bucket(input.stamp, in: context) {
    case .live(let row): bucket = row
    case .stale(let answer): return answer
    }
    if let held, held.uploadID == row.uploadID, held.timestamp >= row.timestamp {
      return .accepted
    }
    let multipart = ObjectSortKey.upload(input.key, input.multipart).bytes
    guard let open = try guards.upload(multipart, in: context), open.purpose == .multipart,
      open.state == .open
    else { return ObjectRefusal.answer(ObjectRefusal.noSuchUpload) }
    if let obstacle = context.obstacle(to: row.timestamp, held: held?.timestamp) {
      return obstacle
    }
    if let excess = try guards.excess(
      over: bucket.quota.value, replacing: held.map { ObjectRow.part($0).weight } ?? .zero,
      by: ObjectRow.part(row).weight, in: context)
    {
      return ObjectRefusal.answer(excess)
    }
    if let upload, upload.state == .open {
      try context.put(ownUpload, .upload(upload.ended(.finished, at: row.timestamp)))
    }
    try context.put(sortKey, .part(row))
    return .accepted
  }
}
