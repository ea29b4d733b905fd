// Names of buckets that end, and of those that come back.
//
// A deletion that was taken back may have freed the bucket's names already, or may be about to. So whoever takes it back
// claims them again, with an epoch above: what frees the claim before loses against that (AliasRow.swift). Where another
// bucket has a name by then, that one keeps it, and the bucket that came back is called `name-<8 hex>`.

import Base
import Tables

extension StoreParts {
  /// The claims of the names that a bucket goes by.
  func claims(of id: BucketID, _ row: BucketRow) async throws -> [(AliasName, AliasRow)] {
    var claims: [(AliasName, AliasRow)] = []
    for entry in row.names.entries {
      let key = RowKey(partitionKey: [], sortKey: entry.key.sortKey)
      if let claim = try await aliases.current(key), !claim.isReleased, claim.bucket == id {
        claims.append((entry.key, claim))
      }
    }
    return claims
  }

  /// Frees a name as it was claimed.
  func free(_ name: AliasName, _ claim: AliasRow) async throws {
    try await merge(aliases) { now in
      var row = claim
      row.isReleased = true
      row.changed = max(now, claim.changed.next)
      return [(name.sortKey, row)]
    }
  }

  /// Claims the names of a bucket that is live again, unless another bucket has one.
  func claimNamesAgain(of id: BucketID, _ row: BucketRow) async throws {
    for entry in row.names.entries where entry.register.value {
      let key = RowKey(partitionKey: [], sortKey: entry.key.sortKey)
      let held = try await aliases.current(key)
      if let held, !held.isReleased, held.bucket != id { continue }
      try await merge(aliases) { now in
        let now = max(now, held?.changed.next ?? .zero)
        let epoch = held.map { $0.epoch == .max ? .max : $0.epoch + 1 } ?? 0
        return [
          (
            key.sortKey, AliasRow(changed: now, epoch: epoch, claimed: now, bucket: id)
          )
        ]
      }
    }
  }
}
