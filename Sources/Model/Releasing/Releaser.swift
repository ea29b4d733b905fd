// The release queue's worker: gives back the blocks of what was superseded or refused.
//
// Entries are queued by the journal in the transaction that makes them necessary, so none is lost in a crash, and
// are taken off only after all of their references are gone. Everything done for an entry may be done again. An
// entry waits for the release delay of node time (NodeTime.swift) after it was queued, and again after a
// try in which replicas did not answer.
//
// Who reads an object while it is replaced goes on reading: the files of blocks stay for ten minutes after their last
// reference (Blocks), and manifest rows for as long, in a queue of their own.
//
// Invariants:
//   1. References of a superseded row go only after a write quorum said that it does not hold the row, and
//      recorded that the row may not come back.
//   2. References of a refused upload go only after every replica said so.
//   3. Manifest rows go after the references that they list, and those of what was ever readable after the files of
//      the blocks too.

import Base
import Blocks
import LocalDB
import Tables

/// Works the release queue off.
package final class Releaser: Sendable {
  /// Entries read at a time.
  private static let batchMax = 64

  private let parts: StoreParts
  private let metrics: StoreMetrics

  init(_ parts: StoreParts, metrics: StoreMetrics) {
    self.parts = parts
    self.metrics = metrics
  }

  /// Works off all entries that are due, and returns how many are done.
  @discardableResult
  package func releaseDue() async throws -> Int {
    var done = 0
    for step in Step.allCases {
      while true {
        try Task.checkCancellation()
        let entries = try due(step)
        if entries.isEmpty { break }
        for (key, value) in entries {
          try Task.checkCancellation()
          if try await work(key, value, step) { done += 1 }
        }
      }
    }
    return done
  }

  /// What is done for an entry, each from a queue of its own.
  private enum Step: CaseIterable {
    case references, manifest
  }

  private func queue(_ step: Step) -> Tree {
    switch step {
    case .references: parts.journal.releases
    case .manifest: parts.journal.manifestReleases
    }
  }

  private func delay(_ step: Step) -> Duration {
    switch step {
    case .references: parts.options.releaseDelay
    // Files go up to a minute after they may: the rows that list them must not go first.
    case .manifest: parts.blocks.options.deletionDelay + parts.options.releaseDelay
    }
  }

  private func due(_ step: Step) throws -> [([UInt8], [UInt8])] {
    var entries: [([UInt8], [UInt8])] = []
    guard let end = parts.journal.releasesEnd(queuedFor: delay(step)) else { return entries }
    try parts.objects.local.database.scan(queue(step), to: end, limit: Self.batchMax) {
      key, value in
      entries.append((Array(key), Array(value)))
      return true
    }
    return entries
  }

  /// Works one entry off; `false` when it was put off.
  private func work(_ key: [UInt8], _ value: [UInt8], _ step: Step) async throws -> Bool {
    let queue = queue(step)
    guard let entry = try? value.withUnsafeBytes({ try ReleaseEntry($0) }) else {
      parts.logger.error(
        "An entry of the release queue cannot be read and is dropped; what it would have released stays.",
        [("entry", Hex.encode(key))])
      try await parts.objects.local.database.write { try $0.delete(queue, key) }
      return true
    }
    var leavesManifest = false
    do {
      switch step {
      case .references: leavesManifest = try await release(entry)
      case .manifest: try await dropManifest(of: entry.uploadID)
      }
    } catch let error where !(error is CancellationError) && error as? LocalDBError != .closed {
      // Whatever it is: the entries behind this one must get their turn.
      metrics.releasesPostponed.add()
      parts.logger.log(
        error is TableError ? .debug : .warning,
        "A release is put off.", [("upload", entry.uploadID.hex), ("error", "\(error)")])
      let later = parts.journal.releaseKey(entry.uploadID)
      try await parts.objects.local.database.write { transaction in
        try transaction.delete(queue, key)
        try transaction.put(queue, later, value)
      }
      return false
    }
    if step == .references { metrics.released.add() }
    let next = leavesManifest ? self.queue(.manifest) : nil
    let now = parts.journal.releaseKey(entry.uploadID)
    try await parts.objects.local.database.write { transaction in
      try transaction.delete(queue, key)
      if let next { try transaction.put(next, now, value) }
    }
    return true
  }

  /// Releases the references of an entry; `true` when manifest rows are left to drop.
  private func release(_ entry: ReleaseEntry) async throws -> Bool {
    switch (entry.kind, ObjectSortKey(entry.owner.sortKey)) {
    case (.bucket, _): try await abortUploads(entry)
    case (_, nil): break
    case (.superseded(let content), let owner?):
      guard try await retire(entry, owner) else { return false }
      if case .blocks(let blocks) = content { try await releaseBlocks(blocks, of: entry.uploadID) }
      return try await releaseManifest(of: entry.uploadID)
    case (.parts, let owner?): try await dropParts(entry, owner.key)
    case (.refused, let owner?): try await releaseRefused(entry, owner.key)
    }
    return false
  }

  // MARK: Superseded rows

  /// Makes a write quorum record that the row may not come back; `false` when a replica still holds it.
  private func retire(_ entry: ReleaseEntry, _ owner: ObjectSortKey) async throws -> Bool {
    var part: UploadRow.PartOf?
    if case .part(_, let multipart, let number) = owner {
      part = .init(multipart: multipart, number: number)
    }
    let input = EndUpload.Input(
      key: owner.key, upload: entry.uploadID, state: .retired,
      purpose: part == nil ? .object : .part, timestamp: parts.clock.now(),
      begun: parts.runtime.wallNow, part: part, requiresOpen: false)
    let outcome = try await parts.objects.operate(
      EndUpload(guards: parts.guards), partitionKey: entry.owner.partitionKey, input: input)
    return outcome.isAccepted
  }

  private func releaseBlocks(_ blocks: [BlockEntry], of upload: UploadID) async throws {
    try await parts.blocks.release(
      blocks.map { BlockReferenceKey(hash: $0.hash, upload: upload) })
  }

  /// Releases what the manifest rows of an upload list; `true` when there are rows.
  private func releaseManifest(of upload: UploadID) async throws -> Bool {
    var found = false
    try await forEachManifestRow(of: upload) { _, row in
      found = true
      try await releaseBlocks(row.blocks, of: upload)
    }
    return found
  }

  private func dropManifest(of upload: UploadID) async throws {
    try await forEachManifestRow(of: upload) { sortKey, row in
      try await parts.merge(parts.manifests, partitionKey: upload.bytes) { now in
        [(sortKey, .deleted(at: max(now, row.timestamp.next)))]
      }
    }
  }

  private func forEachManifestRow(
    of upload: UploadID, _ body: ([UInt8], ManifestRow) async throws -> Void
  ) async throws {
    var from: [UInt8]? = []
    while let position = from {
      try Task.checkCancellation()
      let page = try await parts.manifests.range(
        RangeQuery(partitionKey: upload.bytes, from: position, limit: 8))
      for case .row(let sortKey, let row) in page.items { try await body(sortKey, row) }
      from = page.next
    }
  }

  // MARK: Ended uploads

  /// Aborts the multipart uploads of a bucket that is gone; each queues the release of its parts.
  private func abortUploads(_ entry: ReleaseEntry) async throws {
    guard let id = ObjectPartition.bucket(of: entry.owner.partitionKey) else { return }
    // A writer that took the deletion for forgotten may have made the bucket live again.
    let row = try await parts.buckets.current(RowKey(partitionKey: [], sortKey: id.bytes))
    if let row, row.state.value != .deleted { return }
    while true {
      try Task.checkCancellation()
      let page = try await KeyListing(parts, .upload, bucket: id, ListQuery()).page(
        read: MultipartUploads.openUpload)
      for case .entry(let upload) in page.items {
        let input = EndUpload.Input(
          key: upload.key, upload: upload.id, state: .refused, purpose: .multipart,
          timestamp: parts.clock.now(), begun: upload.initiated, part: nil, requiresOpen: false)
        let outcome = try await parts.objects.operate(
          EndUpload(guards: parts.guards), partitionKey: entry.owner.partitionKey, input: input)
        guard outcome.isAccepted else {
          throw TableError.contended(table: parts.objects.schema.name)
        }
      }
      if !page.isTruncated { return }
    }
  }

  /// Deletes the part rows of an ended multipart upload; each queues its own release.
  private func dropParts(_ entry: ReleaseEntry, _ key: ObjectKey) async throws {
    while true {
      try Task.checkCancellation()
      let outcome = try await parts.objects.operate(
        DropParts(guards: parts.guards), partitionKey: entry.owner.partitionKey,
        input: .init(key: key, multipart: entry.uploadID, timestamp: parts.clock.now()))
      guard case .accepted(let payloads) = outcome else {
        throw TableError.contended(table: parts.objects.schema.name)
      }
      guard payloads.contains(where: { $0.first == 1 }) else { return }
    }
  }

  /// Releases all that a refused upload left, unless a replica turns out to hold its row.
  private func releaseRefused(_ entry: ReleaseEntry, _ key: ObjectKey) async throws {
    guard let bucket = ObjectPartition.bucket(of: entry.owner.partitionKey) else { return }
    var begun = parts.runtime.wallNow
    var purpose = UploadRow.Purpose.object
    var part: UploadRow.PartOf?
    if case .upload(let row) = try await parts.objects.entry(entry.owner) {
      if row.state == .finished { return }
      (begun, purpose, part) = (row.begun, row.purpose, row.part)
    }
    let outcome = try await parts.undo(
      key: key, upload: entry.uploadID, purpose: purpose, part: part, bucket: bucket, begun: begun)
    guard outcome == .undone else { return }
    try await parts.blocks.releaseAll(of: entry.uploadID)
    _ = try await releaseManifest(of: entry.uploadID)
    // Nobody reads what never had a row.
    try await dropManifest(of: entry.uploadID)
  }
}
