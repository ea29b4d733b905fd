// Asking a bucket's replicas whether an object would lead beyond the quota, before its row is sent.
//
// Each replica counts for itself, and refuses a row by its own count (PutVersion.swift). But where one has accepted a row and
// another refuses it, nobody can say that it was not done. So the replicas are asked first: what all of a quorum say is too
// much is refused, and its client told so.

import Base
import Codecs
import Tables

/// Changes nothing; the payload of an acceptance is the excess, or nothing when there is none.
struct CheckQuota: TableOperation {
  struct Input: Equatable, Sendable {
    var key: ObjectKey
    var quota: BucketQuota
    /// Of the object that is to be written.
    var sizeBytes: UInt64
  }

  let guards: ObjectGuards

  var name: String { "check_quota" }

  func encode(_ input: Input) -> [UInt8] {
    KeyedInput.encode(input.key) { writer in
      input.quota.write(to: &writer)
      writer.varint(input.sizeBytes)
    }
  }

  func decode(_ bytes: [UInt8]) throws -> Input {
    try KeyedInput.decode(bytes) { key, reader in
      let quota = try BucketQuota(from: &reader)
      return Input(key: key, quota: quota, sizeBytes: try reader.varint())
    }
  }

  func apply(
    _ input: Input, in context: OperationContext<ObjectSchema>
  ) throws -> ReplicaAnswer {
    let held = try context.row(ObjectSortKey.version(input.key, .null).bytes)
    let excess = try guards.excess(
      over: input.quota, replacing: held?.weight ?? .zero, by: .object(input.sizeBytes),
      in: context)
    return .accepted(excess?.encoded ?? [])
  }
}

extension StoreParts {
  /// Checks at a quorum that an object does not lead beyond the bucket's quota.
  ///
  /// On a sole node there is nothing to ask: it refuses the row itself, or stores it.
  ///
  /// - Throws: `quotaExceeded`, `quorumUnavailable`.
  func checkQuota(of bucket: Bucket, _ key: ObjectKey, sizeBytes: UInt64) async throws {
    guard bucket.quota != .none, !objects.isSole else { return }
    let outcome = try await ModelError.translating {
      try await objects.operate(
        CheckQuota(guards: guards), partitionKey: ObjectPartition.key(bucket.id),
        input: .init(key: key, quota: bucket.quota, sizeBytes: sizeBytes))
    }
    guard case .accepted(let payloads) = outcome else { return }
    let excesses = payloads.compactMap { QuotaExcess($0) }
    if let excess = excesses.first, excesses.count == payloads.count {
      throw ModelError.quotaExceeded(excess)
    }
  }

  /// Checks that this node holds everything alone, for what needs blocks.
  ///
  /// - Throws: `onlyInline`: blocks are not stored on several nodes yet.
  func requireBlocks() throws(ModelError) {
    guard objects.isSole || options.hasDistantBlocks else {
      throw .onlyInline(maxBytes: options.inlineThresholdBytes)
    }
  }
}
