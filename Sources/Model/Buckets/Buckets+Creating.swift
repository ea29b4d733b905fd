// Creating buckets, and giving and taking their names.
//
// A name is claimed first, then the bucket's row is written; a crash in between leaves a claim without a
// bucket, which the next one who wants the name takes over after a minute.

package import Base
import Tables

extension Buckets {
  /// How long a name without a bucket is taken to belong to a creation under way.
  private static let claimForgottenAfterMilliseconds: Int64 = 60_000

  /// Creates a bucket with a global alias and gives `owner`, when there is one, all rights.
  ///
  /// - Throws: `invalidBucketName`, `bucketAlreadyExists`, `bucketAlreadyOwnedByYou`.
  package func create(_ name: String, owner: String? = nil) async throws -> Bucket {
    try await create(.global(name), owner: owner)
  }

  /// Creates a bucket that only `accessKeyID` sees, under its own alias, with all rights.
  ///
  /// - Throws: As `create(_:owner:)`.
  package func create(localAlias name: String, of accessKeyID: String) async throws -> Bucket {
    try await create(.local(name, of: accessKeyID), owner: accessKeyID)
  }

  private func create(_ name: AliasName, owner: String?) async throws -> Bucket {
    try BucketName.check(name.name)
    try await parts.requireRoom()
    return try await ModelError.translating {
      let id = BucketID(random: parts.runtime.random)
      try await claim(name, for: id, owner: owner)
      let wall = parts.runtime.wallNow
      try await parts.merge(parts.buckets) { now in
        var row = BucketRow(created: now, createdWall: wall)
        if let owner { row.grants.set(owner, Permissions.all.rawValue, now: now) }
        row.names.set(name, true, now: now)
        return [(id.bytes, row)]
      }
      try await checkClaim(name, of: id, owner: owner)
      guard let bucket = try await get(id) else {
        throw ModelError.mayExist(
          reason: "the bucket was made, and somebody has deleted it already")
      }
      return bucket
    }
  }

  /// How often a creator looks whether somebody who took its claim for forgotten goes on, and how long it waits each time.
  private static let claimLooksMax = 20
  private static let claimPause: Duration = .milliseconds(100)

  /// Makes sure that the claim stands now that the bucket's row is there; else the bucket is withdrawn.
  ///
  /// Somebody with a clock that is ahead may have taken it for forgotten: either they find this row and give the name back,
  /// or their bucket's row comes, or they have stopped.
  ///
  /// - Throws: `bucketAlreadyExists`, `bucketAlreadyOwnedByYou`.
  private func checkClaim(_ name: AliasName, of id: BucketID, owner: String?) async throws {
    let key = RowKey(partitionKey: [], sortKey: name.sortKey)
    for _ in 0..<Self.claimLooksMax {
      guard let claim = try await parts.aliases.current(key), claim.bucket != id else { return }
      if let other = try await row(claim.bucket) {
        try await withdraw(id)
        let permissions = other.grants[owner ?? ""]?.value ?? 0
        throw Permissions(rawValue: permissions).contains(.owner)
          ? ModelError.bucketAlreadyOwnedByYou : ModelError.bucketAlreadyExists
      }
      try await parts.runtime.sleep(for: Self.claimPause)
    }
    try await claim(name, for: id, owner: owner)
  }

  /// Deletes a bucket that lost its name while it was made.
  ///
  /// It could be written to as long as the name meant it. With an object in it, it stays, under its displaced name.
  private func withdraw(_ id: BucketID) async throws {
    do {
      try await delete(id)
    } catch ModelError.bucketNotEmpty, ModelError.bucketBusy, ModelError.noSuchBucket {
      return
    }
  }

  /// Makes `name` mean the bucket `id`.
  ///
  /// - Throws: `bucketAlreadyExists`, `bucketAlreadyOwnedByYou` when `owner` owns the bucket that has it.
  private func claim(_ name: AliasName, for id: BucketID, owner: String?) async throws {
    let key = RowKey(partitionKey: [], sortKey: name.sortKey)
    let held = try await parts.aliases.current(key)
    if let held, !held.isReleased {
      if held.bucket == id { return }
      try await checkForgotten(held, owner: owner)
    }
    let epoch = held.map { $0.epoch == .max ? .max : $0.epoch + 1 } ?? 0
    try await parts.merge(parts.aliases) { now in
      let now = max(now, held?.changed.next ?? .zero)
      return [(key.sortKey, AliasRow(changed: now, epoch: epoch, claimed: now, bucket: id))]
    }
    // Of two claims at once the merge keeps one.
    guard try await parts.aliases.current(key)?.bucket == id else {
      throw ModelError.bucketAlreadyExists
    }
    // A creation that was only slow may have ended between the look and the claim.
    guard let held, !held.isReleased, held.bucket != id, try await row(held.bucket) != nil else {
      return
    }
    try await parts.merge(parts.aliases) { now in
      let now = max(now, held.changed.next)
      return [
        (
          key.sortKey,
          AliasRow(changed: now, epoch: epoch &+ 1, claimed: held.claimed, bucket: held.bucket)
        )
      ]
    }
    throw ModelError.bucketAlreadyExists
  }

  /// Throws unless `alias` names a bucket that does not exist, nor is being created.
  private func checkForgotten(_ alias: AliasRow, owner: String?) async throws {
    if let row = try await row(alias.bucket) {
      let permissions = Permissions(rawValue: owner.flatMap { row.grants[$0]?.value } ?? 0)
      throw permissions.contains(.owner)
        ? ModelError.bucketAlreadyOwnedByYou : ModelError.bucketAlreadyExists
    }
    let age = parts.clock.now().milliseconds - alias.claimed.milliseconds
    if age < Self.claimForgottenAfterMilliseconds { throw ModelError.bucketAlreadyExists }
  }

  // MARK: Names

  /// Gives the bucket one more name that every key sees.
  ///
  /// - Throws: `noSuchBucket`, `invalidBucketName`, `bucketAlreadyExists` when another bucket has it.
  package func addGlobalAlias(_ name: String, to id: BucketID) async throws {
    try await add(.global(name), to: id)
  }

  /// Takes a name away.
  ///
  /// - Throws: `noSuchBucket` also when the bucket does not have the name; `lastAlias` when it has no other.
  package func removeGlobalAlias(_ name: String, from id: BucketID) async throws {
    try await remove(.global(name), from: id)
  }

  /// Gives the bucket a name that only `accessKeyID` sees.
  ///
  /// - Throws: As `addGlobalAlias`.
  package func addLocalAlias(
    _ name: String, of accessKeyID: String, to id: BucketID
  ) async throws {
    try await add(.local(name, of: accessKeyID), to: id)
  }

  /// Takes a name away that only `accessKeyID` sees.
  ///
  /// - Throws: As `removeGlobalAlias`.
  package func removeLocalAlias(
    _ name: String, of accessKeyID: String, from id: BucketID
  ) async throws {
    try await remove(.local(name, of: accessKeyID), from: id)
  }

  private func add(_ name: AliasName, to id: BucketID) async throws {
    try BucketName.check(name.name)
    try await ModelError.translating {
      guard try await row(id) != nil else { throw ModelError.noSuchBucket }
      try await claim(name, for: id, owner: nil)
      _ = try await parts.changeBucket(id) { row, now in row.names.set(name, true, now: now) }
    }
  }

  private func remove(_ name: AliasName, from id: BucketID) async throws {
    try await ModelError.translating {
      guard let row = try await row(id), row.names[name]?.value ?? false else {
        throw ModelError.noSuchBucket
      }
      let names = row.names.entries.filter(\.register.value)
      guard names.count > 1 else { throw ModelError.lastAlias }
      // In this order it can be repeated when it broke off in between.
      try await release(name, of: id)
      _ = try await parts.changeBucket(id) { row, now in row.names.set(name, false, now: now) }
    }
  }

  /// Frees a name, if it is the bucket's.
  func release(_ name: AliasName, of id: BucketID) async throws {
    let key = RowKey(partitionKey: [], sortKey: name.sortKey)
    guard let held = try await parts.aliases.current(key), !held.isReleased, held.bucket == id
    else { return }
    try await parts.merge(parts.aliases) { now in
      var row = held
      row.isReleased = true
      row.changed = max(now, held.changed.next)
      return [(name.sortKey, row)]
    }
  }
}
