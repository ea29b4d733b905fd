// What a whole cluster's layout is computed with.

import Codecs

/// Over how many zones the copies of a partition are spread.
package enum ZoneRedundancy: Equatable, Sendable {
  /// Over at least so many, 1 to the replication factor.
  case atLeast(Int)
  /// Over as many as there are, up to the replication factor.
  case maximum
}

/// What reads and writes promise.
///
/// The raw values are on disk and on the wire.
package enum ConsistencyMode: UInt8, Sendable {
  /// What was acknowledged is read.
  case consistent = 1

  /// Reads an operator's word; throws `LayoutRefusal.consistency` for every other one.
  package init(word: String) throws(LayoutRefusal) {
    guard word == "consistent" else { throw .consistency }
    self = .consistent
  }

  /// The operator's word.
  package var word: String { "consistent" }
}

/// The parameters of a layout.
package struct LayoutParameters: Equatable, Sendable {
  /// How many copies of each partition there are once there are as many storage nodes, 1 to 16.
  package var replicationFactor: Int
  package var zoneRedundancy: ZoneRedundancy
  package var consistency: ConsistencyMode

  /// `LayoutDraft.apply` looks whether the numbers can be.
  package init(
    replicationFactor: Int = 3, zoneRedundancy: ZoneRedundancy = .maximum,
    consistency: ConsistencyMode = .consistent
  ) {
    self.replicationFactor = replicationFactor
    self.zoneRedundancy = zoneRedundancy
    self.consistency = consistency
  }

  /// Throws `LayoutRefusal` when the numbers cannot be.
  package func check() throws(LayoutRefusal) {
    guard (1...LayoutLimits.replicationFactorMax) ~= replicationFactor else {
      throw .replicationFactor
    }
    if case .atLeast(let zones) = zoneRedundancy, !((1...replicationFactor) ~= zones) {
      throw .zoneRedundancy(replicationFactor: replicationFactor)
    }
  }

  func write(to writer: inout BinaryWriter) {
    writer.u8(UInt8(clamping: replicationFactor))
    switch zoneRedundancy {
    case .maximum: writer.u8(0)
    case .atLeast(let zones): writer.u8(UInt8(clamping: max(zones, 1)))
    }
    writer.u8(consistency.rawValue)
  }

  init(from reader: inout BinaryReader) throws(BinaryError) {
    replicationFactor = Int(try reader.u8())
    let zones = Int(try reader.u8())
    zoneRedundancy = zones == 0 ? .maximum : .atLeast(zones)
    guard (1...LayoutLimits.replicationFactorMax) ~= replicationFactor,
      zones <= replicationFactor, let mode = ConsistencyMode(rawValue: try reader.u8())
    else { throw .invalidValue }
    consistency = mode
  }
}
