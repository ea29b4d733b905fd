// The first frame of each side of a connection (docs/formats/wire.md, "Hello").

package import Base
package import Codecs

/// The tag of `StartID`.
package enum StartTag: Sendable {}

/// Names one run of a node's program: random, new with each start.
package typealias StartID = Identifier16<StartTag>

/// What a node says of itself before anything else.
package struct Hello: Equatable, Sendable {
  /// The most bytes of one: what a stranger can make us keep.
  package static let bytesMax = 1024

  /// The protocols that this program speaks.
  package static let protocols: ClosedRange<UInt16> = 1...1

  package var protocols: ClosedRange<UInt16>
  package var cluster: ClusterID
  package var start: StartID
  package var lane: MeshLane
  /// How many streams the other side may have open at a time.
  package var streamsMax: Int
  /// How many bytes each stream may carry before the first credit.
  package var windowBytes: Int
  /// The address from which the other side's connection comes; empty where there is none.
  package var observed: String
  /// What a newer program wrote behind.
  package var trailing: [UInt8] = []

  package init(
    protocols: ClosedRange<UInt16> = Hello.protocols, cluster: ClusterID, start: StartID,
    lane: MeshLane, observed: String
  ) {
    self.protocols = protocols
    self.cluster = cluster
    self.start = start
    self.lane = lane
    streamsMax = lane.streamsMax
    windowBytes = lane.windowBytes
    self.observed = observed
  }

  /// The newest protocol that both speak; `nil` for none.
  package static func common(
    _ one: ClosedRange<UInt16>, _ other: ClosedRange<UInt16>
  ) -> UInt16? {
    one.overlaps(other) ? min(one.upperBound, other.upperBound) : nil
  }

  /// The record.
  package func encoded() -> [UInt8] {
    var writer = BinaryWriter(capacity: 128)
    writer.version(1)
    writer.u16(protocols.lowerBound)
    writer.u16(protocols.upperBound)
    writer.id(cluster)
    writer.id(start)
    writer.u8(lane.rawValue)
    writer.count(streamsMax)
    writer.count(windowBytes)
    writer.string(observed)
    writer.raw(trailing)
    return writer.bytes
  }

  /// Reads a record.
  ///
  /// Limits beyond what any program grants are refused: a peer cannot make us keep more than we would.
  package init(_ reader: inout BinaryReader) throws(BinaryError) {
    _ = try reader.version(upTo: 1)
    let oldest = try reader.u16()
    let newest = try reader.u16()
    guard oldest <= newest else { throw .invalidValue }
    protocols = oldest...newest
    cluster = try reader.id()
    start = try reader.id()
    guard let lane = MeshLane(rawValue: try reader.u8()) else { throw .invalidValue }
    self.lane = lane
    streamsMax = try reader.count(max: 1 << 16)
    windowBytes = try reader.count(max: 1 << 30)
    guard streamsMax > 0, windowBytes > 0 else { throw .invalidValue }
    observed = try reader.string(max: 64)
    trailing = reader.remaining()
  }
}
