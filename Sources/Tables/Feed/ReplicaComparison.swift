// The occasional look whether replicas are equal, and not only what their feeds say of each other.
//
// One partition at a time, a few a minute, this node's rows are summed up and the other's are asked for. What differs counts
// only if both have read each other to the end, and nothing changed meanwhile: then it is damage, of a disk or of the
// program, that no feed will mend.

import Base
import Synchronization

/// Compares this replica with others.
final class ReplicaComparison: Sendable {
  /// So that all partitions of a table that a home holds are looked at in some hours.
  static let pause: Duration = .seconds(30)

  private let replica: LocalTableReplica
  private let hasher: RowHasher
  private let runtime: any Runtime
  private let differences = Mutex<[NodeID: [UInt16: [ReplicaDifference]]]>([:])

  init(_ replica: LocalTableReplica, hasher: RowHasher, runtime: any Runtime) {
    self.replica = replica
    self.hasher = hasher
    self.runtime = runtime
  }

  /// What differed when it was looked at last, in order.
  var found: [ReplicaDifference] {
    differences.withLock { all in
      all.sorted { $0.key < $1.key }.flatMap { _, partitions in
        partitions.sorted { $0.key < $1.key }.flatMap(\.value)
      }
    }
  }

  /// Compares a partition with `node`.
  ///
  /// - Parameters:
  ///   - read: Up to which of its changes this node has read it.
  ///   - wasRead: Up to which of this node's changes it has read it, as it reported.
  /// - Returns: Whether it could be compared: both had read all.
  @discardableResult
  func compare(
    _ partition: UInt16, with node: NodeID, _ network: any FeedNetwork,
    read: () -> UInt64, wasRead: () -> UInt64
  ) async throws -> Bool {
    let theirs = try await network.fingerprints(
      FingerprintRequest(partition: partition), of: node)
    let own = try await runtime.blocking { [replica, hasher] in
      try replica.fingerprints(of: partition, hasher)
    }
    // The heads first: what comes after the sums were made is another story.
    guard read() >= theirs.head, wasRead() >= own.head,
      theirs.head == (try await network.fingerprints(.init(partition: partition), of: node)).head
    else { return false }
    let other = Dictionary(
      theirs.tables.map { ($0.table, $0.fingerprint) }, uniquingKeysWith: { first, _ in first })
    let found = own.tables.compactMap { table -> ReplicaDifference? in
      // A table that only one version of the program has is for the next comparison.
      guard let their = other[table.table], their != table.fingerprint else { return nil }
      return ReplicaDifference(
        node: node, partition: partition, table: table.table,
        ownRows: table.fingerprint.rowCount, otherRows: their.rowCount)
    }
    differences.withLock { $0[node, default: [:]][partition] = found.isEmpty ? nil : found }
    return true
  }
}
