// What a coordinator knows of the replicas' floors.
//
// A replica that dropped a tombstone would take a row back that the tombstone had deleted, if a reader that did not see the
// tombstone wrote it back. So a repair names the floor that the reader knew of this replica before it began to read: if
// the replica's is higher by then, it may have dropped something that the reader did not see, and it refuses
// (naming the floors of the answers, which may be newer, is not enough: the model `feed_gc` shows the steps).

import Base
import Synchronization

/// The newest floor that each replica told.
final class KnownFloors: Sendable {
  private struct Place: Hashable {
    var node: NodeID
    var table: String
    var partition: UInt16
  }

  /// Only floors above zero: at most one for each node, table and partition.
  private let floors = Mutex<[Place: Timestamp]>([:])

  /// Notes what `node` told.
  func note(_ floor: Timestamp, of node: NodeID, _ table: String, _ partition: UInt16) {
    guard floor > .zero else { return }
    let place = Place(node: node, table: table, partition: partition)
    floors.withLock { $0[place] = max($0[place] ?? .zero, floor) }
  }

  /// What is known of `nodes`; of one that told nothing, nothing.
  func known(_ nodes: [NodeID], _ table: String, _ partition: UInt16) -> [NodeID: Timestamp] {
    floors.withLock { floors in
      guard !floors.isEmpty else { return [:] }
      var known: [NodeID: Timestamp] = [:]
      for node in nodes {
        known[node] = floors[Place(node: node, table: table, partition: partition)]
      }
      return known
    }
  }
}
