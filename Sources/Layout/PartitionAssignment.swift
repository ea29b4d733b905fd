// Which nodes hold which partition.
//
// Many partitions have the same holders: each set of holders is there once, and a partition has its number.
//
// Invariants, of which the first three make the bytes of an assignment the only ones:
//   1. The holders of a set are in ascending order.
//   2. No set is there twice, and each is used.
//   3. The sets are in the order of the first partitions that use them.
//   4. Every partition has as many holders as there are copies, or all storage nodes while these are fewer.

import Base
import Codecs

/// The holders of all 256 partitions.
struct PartitionAssignment: Sendable {
  private let holderSets: [[NodeID]]
  /// Of each partition the place of its holders in `holderSets`.
  private let places: [UInt8]

  /// - Parameter holders: The holders of each of the 256 partitions, in any order.
  init(_ holders: [[NodeID]]) {
    precondition(holders.count == LayoutVersion.partitionCount, "every partition has holders")
    var sets: [[NodeID]] = []
    var placeOf: [[NodeID]: UInt8] = [:]
    places = holders.map { holders in
      let set = holders.sorted()
      if let place = placeOf[set] { return place }
      let place = UInt8(sets.count)
      placeOf[set] = place
      sets.append(set)
      return place
    }
    holderSets = sets
  }

  func holders(of partition: Int) -> [NodeID] { holderSets[Int(places[partition])] }

  /// Holders are written by their places among the storage nodes; one that is none of these gets a place that no
  /// reader takes.
  func write(to writer: inout BinaryWriter, storageNodes: [NodeID]) {
    let placeOf = Dictionary(
      storageNodes.enumerated().map { ($0.element, $0.offset) }, uniquingKeysWith: min)
    writer.list(holderSets) { writer, set in
      writer.list(set) { $0.count(placeOf[$1] ?? storageNodes.count) }
    }
    writer.raw(places)
  }

  /// - Parameter copies: How many holders each partition has.
  init(
    from reader: inout BinaryReader, storageNodes: [NodeID], copies: Int
  ) throws(BinaryError) {
    let sets = try reader.list(max: LayoutVersion.partitionCount) {
      (reader: inout BinaryReader) throws(BinaryError) in
      let set = try reader.ascending(
        max: copies,
        { (reader: inout BinaryReader) throws(BinaryError) in
          try reader.count(max: storageNodes.count - 1)
        }, by: <)
      guard set.count == copies else { throw .invalidValue }
      return set
    }
    places = try reader.raw(LayoutVersion.partitionCount)
    guard Set(sets).count == sets.count else { throw .notCanonical }
    var used = 0
    for place in places {
      guard place < sets.count else { throw .invalidValue }
      guard place <= used else { throw .notCanonical }
      if place == used { used += 1 }
    }
    guard used == sets.count else { throw .notCanonical }
    holderSets = sets.map { $0.map { storageNodes[$0] } }
  }
}
