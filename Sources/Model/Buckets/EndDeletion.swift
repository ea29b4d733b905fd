// The replica-side operation that confirms the deletion of a bucket, or takes it back.
//
// A deletion begins with a mark: the state `deleting` and the time at which it was set. Whoever ends it names that
// mark. A merge could not tell: a writer that took the mark back because it looked forgotten, and a deleter that
// was only slow, would both succeed, and the later time would delete what the writer was told is stored.
//
// Invariants:
//   1. On a replica a mark ends once, in one way; the other way is refused from then on.
//   2. Repeating what this replica has done is accepted again.
//
// Limits. On one replica this is complete. Before a bucket may have several, two things have to come:
//   a. An end is a majority's, but its halves merge, and `deleted` wins every merge. A deleter that reached one
//      replica and lost the majority to a writer deletes the bucket all the same once that replica syncs, and
//      with it what the writer was told is stored. The end has to be a vote, kept as a local promise that does not
//      merge; the row may say `deleted` only after a majority voted so.
//   b. The mark is held by a majority of all nodes, while a write asks the replicas of the bucket's objects. With
//      more nodes than those, a quorum of them may not know the mark; the deleter has to ask them before it lists.

import Base
import Codecs
import Tables

/// Ends a deletion that is still marked as its caller knows it.
struct EndDeletion: TableOperation {
  struct Input: Equatable, Sendable {
    var bucket: BucketID
    /// When the state `deleting` was set.
    var mark: Timestamp
    /// Whether the bucket is gone; otherwise it is live again.
    var isConfirmed: Bool
    var timestamp: Timestamp
  }

  var name: String { "end_deletion" }

  func encode(_ input: Input) -> [UInt8] {
    var writer = BinaryWriter(capacity: 64)
    writer.version(1)
    writer.id(input.bucket)
    writer.timestamp(input.mark)
    writer.bool(input.isConfirmed)
    writer.timestamp(input.timestamp)
    return writer.bytes
  }

  func decode(_ bytes: [UInt8]) throws -> Input {
    try BinaryReader.read(bytes) { (reader: inout BinaryReader) throws -> Input in
      _ = try reader.version(upTo: 1)
      return Input(
        bucket: try reader.id(), mark: try reader.timestamp(),
        isConfirmed: try reader.bool(), timestamp: try reader.timestamp())
    }
  }

  func apply(
    _ input: Input, in context: OperationContext<BucketSchema>
  ) throws -> ReplicaAnswer {
    guard var row = try context.row(input.bucket.bytes) else {
      return ObjectRefusal.answer(ObjectRefusal.staleBucket)
    }
    // The time follows from the mark, so that a repetition finds what the first try left.
    let ended = Register<BucketRow.State>(
      input.isConfirmed ? .deleted : .live, at: input.mark.next)
    if row.state == ended { return .accepted }
    guard row.state == Register(.deleting, at: input.mark) else {
      return ObjectRefusal.answer(ObjectRefusal.staleBucket)
    }
    if let obstacle = context.obstacle(to: input.timestamp, held: nil) { return obstacle }
    row.state = ended
    row.changed = max(row.changed.next, input.timestamp)
    try context.put(input.bucket.bytes, row)
    return .accepted
  }
}
