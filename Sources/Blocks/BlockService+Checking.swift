// Comparing files with references.
//
// Both are walked in the order of names, one folder at a time, so memory is bounded by its names: a 256th of all. The
// files and counts of one second byte are one step, so that no thread is held for long. What looks wrong while clients
// write may only be half done: each suspect is looked at again under the lock of its hash before it is reported.

import Base
import LocalDB

extension BlockService {
  /// What a check does beside looking.
  package struct CheckOptions: Sendable {
    /// Counts the reference rows of every block anew.
    package var recounting = true
    /// Reads every file and verifies its checksums, not only headers and lengths.
    package var thorough = false
    /// Queues files without references for deletion, corrects counts, sets corrupt files aside.
    package var repairing = false

    package init(recounting: Bool = true, thorough: Bool = false, repairing: Bool = false) {
      self.recounting = recounting
      self.thorough = thorough
      self.repairing = repairing
    }
  }

  /// Compares all block files with all references, while the node works.
  ///
  /// A check that begins while another runs waits for it.
  package nonisolated(nonsending) func check(
    _ options: CheckOptions = CheckOptions()
  ) async throws -> BlockCheckReport {
    try await turns.withLock(.check) {
      var report = BlockCheckReport()
      if options.recounting { try await recount(options, &report) }
      try await walk(options, isSweep: false, &report)
      return report
    }
  }

  /// Queues files without references for deletion; less than `check`, for every unclean start.
  ///
  /// Directories that had blocks before the database knew them are left to the operator.
  nonisolated(nonsending) func sweep() async throws -> BlockCheckReport {
    try await turns.withLock(.check) {
      var report = BlockCheckReport()
      try await walk(CheckOptions(recounting: false, repairing: true), isSweep: true, &report)
      return report
    }
  }

  // MARK: Files and counts

  /// One block as a folder's listing and the counts show it.
  private enum Suspect: Sendable {
    case fileWithoutReference(BlockHash)
    case referenceWithoutFile(BlockHash)
    case corrupt(BlockPlace, BlockFileError)

    var hash: BlockHash {
      switch self {
      case .fileWithoutReference(let hash), .referenceWithoutFile(let hash): hash
      case .corrupt(let place, _): place.hash
      }
    }
  }

  private nonisolated(nonsending) func walk(
    _ options: CheckOptions, isSweep: Bool, _ report: inout BlockCheckReport
  ) async throws {
    var sizes = [Int](repeating: 0, count: store.directories.all.count)
    for first in UInt8.min...UInt8.max {
      let (listings, counted) = try await runtime.blocking { [store, counts] in
        (
          try store.directories.all.map { try store.listing(of: first, in: $0) },
          try counts.secondBytes(first: first)
        )
      }
      for listing in listings {
        report.setAside += listing.setAside
        if !isSweep { for path in listing.strays { report.add(.strayFile, path) } }
      }
      for second in Set(listings.flatMap(\.hashes.keys) + counted).sorted() {
        try Task.checkCancellation()
        let step = try await runtime.blocking { [self] in
          let files = listings.map { $0.hashes[second] ?? [] }
          return try look(at: [first, second], files, options, isSweep: isSweep)
        }
        report.add(step.found)
        for (index, size) in step.sizes.enumerated() { sizes[index] += size }
        for suspect in step.suspects { try await examine(suspect, options, &report) }
      }
    }
    _ = try await runtime.blocking { [store] in store.directories.checkMarkers(store.logger) }
    // Writes of the meantime may be missing: a capacity is not exact to the block. Of a disk that has gone away nothing
    // was seen.
    for (directory, size) in zip(store.directories.all, sizes) where !directory.isLost {
      directory.setUsed(size)
    }
  }

  /// What one step of a walk found.
  private struct Step: Sendable {
    var found = BlockCheckReport()
    var suspects: [Suspect] = []
    /// The bytes of the files, by directory.
    var sizes: [Int]
  }

  /// Compares the files whose names begin with `prefix` with the counts.
  ///
  /// Blocks the thread.
  ///
  /// - Parameter files: By data directory, as they were listed; some may be gone since, and others have come.
  private func look(
    at prefix: [UInt8], _ files: [[BlockHash]], _ options: CheckOptions, isSweep: Bool
  ) throws -> Step {
    var step = Step(sizes: [Int](repeating: 0, count: store.directories.all.count))
    // Counts after files: a file that is deleted in between would look like a reference without file, and
    // is looked at again.
    var hashes: Set<BlockHash> = []
    for (index, directory) in store.directories.all.enumerated() {
      for hash in files[index] {
        let place = BlockPlace(directory: directory, hash: hash)
        guard let length = try store.fileLength(place) else { continue }
        hashes.insert(hash)
        step.found.files += 1
        step.sizes[index] += length
        step.found.fileBytes += length
        if isSweep {
          if directory.keepsUnknown { hashes.remove(hash) }
        } else if case .corrupt(let place, let fault) = store.examine(
          place, thoroughly: options.thorough)
        {
          step.suspects.append(.corrupt(place, fault))
        }
      }
    }
    for (hash, count) in try counts.counts(prefix: prefix) {
      let hasFile = hashes.remove(hash) != nil
      if count.live > 0 { step.found.referencedBlocks += 1 }
      if count.live == 0 {
        step.found.waitingForDeletion += hasFile ? 1 : 0
      } else if !hasFile, !isSweep {
        step.suspects.append(.referenceWithoutFile(hash))
      }
    }
    step.suspects += hashes.sorted().map { .fileWithoutReference($0) }
    return step
  }

  /// Looks at a suspect again, under its lock, and repairs it if that is wanted.
  private nonisolated(nonsending) func examine(
    _ suspect: Suspect, _ options: CheckOptions, _ report: inout BlockCheckReport
  ) async throws {
    let store = store
    let finding = try await locks.withLock(suspect.hash) {
      () -> (BlockCheckReport.Finding.Kind, String)? in
      let hash = suspect.hash
      let count = try counts.count(hash)
      switch suspect {
      case .corrupt(let place, _):
        let state = try await runtime.blocking {
          store.examine(place, thoroughly: options.thorough)
        }
        guard case .corrupt(_, let fault) = state else { return nil }
        if options.repairing { try await runtime.blocking { try store.setAside(place, fault) } }
        return (.corruptFile, "\(place.path): \(fault)")
      case .fileWithoutReference:
        let exists = try await runtime.blocking { try store.exists(hash) }
        guard count == nil, exists else { return nil }
        if options.repairing {
          try await database.write { [counts] in try counts.adopt(hash, in: $0) }
        }
        return (.fileWithoutReference, "")
      case .referenceWithoutFile:
        let exists = try await runtime.blocking { try store.exists(hash) }
        guard let count, count.live > 0, !exists else { return nil }
        return (.referenceWithoutFile, "\(count.live) references")
      }
    }
    if let (kind, detail) = finding { report.add(kind, suspect.hash.hex, detail) }
  }

  // MARK: Counts and rows

  /// Reference rows looked at between two turns of others.
  private static let recountedAtOnceMax = 512

  /// Compares each block's count with its rows.
  private nonisolated(nonsending) func recount(
    _ options: CheckOptions, _ report: inout BlockCheckReport
  ) async throws {
    var from: [UInt8]? = []
    while let position = from {
      try Task.checkCancellation()
      let page = try await runtime.blocking { [self] in try recountPage(from: position) }
      report.references += page.references
      from = page.next
      for hash in page.suspects {
        // A release takes no lock: only one transaction sees rows and count of the same moment.
        let actual = try await database.write { [self] transaction -> Int? in
          let (live, isRight) = try recount(hash, in: transaction)
          if isRight { return nil }
          if options.repairing {
            try counts.correct(hash, live: UInt64(live), in: transaction)
          }
          return live
        }
        if let actual { report.add(.wrongCount, hash.hex, "\(actual) live references") }
      }
    }
  }

  private struct RecountPage: Sendable {
    var references = 0
    var suspects: [BlockHash] = []
    var next: [UInt8]?
  }

  private func recountPage(from: [UInt8]) throws -> RecountPage {
    var page = RecountPage()
    var hashes: [BlockHash] = []
    var seen = 0
    // A disk key is the partition, the partition key, the sort key (docs/formats/tables.md).
    try database.scan(rowTree, from: from, limit: Self.recountedAtOnceMax) { key, _ in
      seen += 1
      if let hash = BlockHash(key.dropFirst(1).prefix(BlockHash.byteCount)), hash != hashes.last {
        hashes.append(hash)
      }
      page.next = Array(key) + [0]
      return true
    }
    if seen < Self.recountedAtOnceMax {
      page.next = nil
    } else if let last = hashes.last, hashes.count > 1 {
      // The last block's rows may go on: it belongs to the next page.
      hashes.removeLast()
      page.next = RowKeyPrefix.of(last)
    } else if let last = hashes.last {
      page.next = RowKeyPrefix.end(of: last)
    }
    for hash in hashes {
      let (live, isRight) = try database.read { try recount(hash, in: $0) }
      page.references += live
      if !isRight { page.suspects.append(hash) }
    }
    return page
  }

  /// Counts the live reference rows of a block, and compares its count.
  private func recount(
    _ hash: BlockHash, in transaction: ReadTransaction
  ) throws -> (live: Int, isRight: Bool) {
    let live = try liveReferences(of: hash, atMost: .max, in: transaction)
    return (live, try counts.count(hash, in: transaction)?.live ?? 0 == UInt64(live))
  }
}
