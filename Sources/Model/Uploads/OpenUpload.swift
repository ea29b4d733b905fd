// The replica-side operation that begins an upload, or says that it is still alive.

import Base
import Codecs
import Tables

/// Writes an open upload row, unless the upload has ended here.
struct OpenUpload: TableOperation {
  struct Input: Equatable, Sendable {
    var key: ObjectKey
    var upload: UploadID
    var row: UploadRow
    var stamp: BucketStamp
  }

  let guards: ObjectGuards

  var name: String { "open_upload" }

  func encode(_ input: Input) -> [UInt8] {
    KeyedInput.encode(input.key) { writer in
      writer.id(input.upload)
      writer.u64(input.stamp.rawValue)
      input.row.write(to: &writer)
    }
  }

  func decode(_ bytes: [UInt8]) throws -> Input {
    try KeyedInput.decode(bytes) { key, reader in
      let upload = try reader.id(UploadID.self)
      let stamp = BucketStamp(rawValue: try reader.u64())
      let row = try UploadRow(from: &reader)
      guard row.state == .open else { throw BinaryError.invalidValue }
      return Input(key: key, upload: upload, row: row, stamp: stamp)
    }
  }

  func apply(
    _ input: Input, in context: OperationContext<ObjectSchema>
  ) throws -> ReplicaAnswer {
    if case .stale(let answer) = try guards.bucket(input.stamp, in: context) { return answer }
    let sortKey = ObjectSortKey.upload(input.key, input.upload).bytes
    let held = try guards.upload(sortKey, in: context)
    if let held, held.state != .open {
      return ObjectRefusal.answer(ObjectRefusal.uploadRefused)
    }
    // Repeated. What is older is another renewal, of a clock that was set back: it goes above, for a row that stays as
    // it is would tell the reaper that nobody renews it.
    if held?.timestamp == input.row.timestamp { return .accepted }
    if let obstacle = context.obstacle(to: input.row.timestamp, held: held?.timestamp) {
      return obstacle
    }
    try context.put(sortKey, .upload(input.row))
    return .accepted
  }
}
