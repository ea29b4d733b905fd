// Asking a bucket's replicas how much it holds.

import Base
import Codecs
import Tables

/// Changes nothing; the payload of an acceptance is what the replica counts.
struct CountUsage: TableOperation {
  struct Input: Equatable, Sendable {}

  let guards: ObjectGuards

  var name: String { "count_usage" }

  func encode(_ input: Input) -> [UInt8] {
    var writer = BinaryWriter(capacity: 1)
    writer.version(1)
    return writer.bytes
  }

  func decode(_ bytes: [UInt8]) throws -> Input {
    try BinaryReader.read(bytes) { (reader: inout BinaryReader) throws(BinaryError) in
      _ = try reader.version(upTo: 1)
      _ = reader.remaining()
      return Input()
    }
  }

  func apply(
    _ input: Input, in context: OperationContext<ObjectSchema>
  ) throws -> ReplicaAnswer {
    guard let bucket = ObjectPartition.bucket(of: context.partitionKey) else { return .accepted }
    return .accepted(try guards.journal.usage(of: bucket, in: context.transaction).encoded)
  }
}

extension StoreParts {
  /// How much the bucket holds, as a quorum counts it: where replicas differ, the larger count.
  ///
  /// - Throws: `quorumUnavailable`.
  func usageOfAll(_ bucket: BucketID) async throws -> BucketUsage {
    if objects.isSole { return try usage(bucket) }
    let outcome = try await ModelError.translating {
      try await objects.operate(
        CountUsage(guards: guards), partitionKey: ObjectPartition.key(bucket), input: .init())
    }
    guard case .accepted(let payloads) = outcome else { return .zero }
    let counts = try payloads.filter { !$0.isEmpty }.map { payload in
      try payload.withUnsafeBytes { try BucketUsage($0) }
    }
    return counts.max { ($0.objects, $0.bytes) < ($1.objects, $1.bytes) } ?? .zero
  }
}
