// All versions of a cluster's layout, from the first one on.
//
// Invariants:
//   1. Version n is at place n - 1, is of this cluster, and names the hash of version n - 1.
//   2. The whole has at most `LayoutLimits.historyBytesMax` bytes.

package import Base
package import Codecs

/// The versions of a cluster's layout.
package struct LayoutHistory: Equatable, Sendable {
  package let cluster: ClusterID
  /// In the order of their numbers, which begin at 1.
  package private(set) var versions: [LayoutVersion]
  /// Fields of later versions of the format.
  private let trailing: [UInt8]

  /// The history of a cluster that has no layout yet.
  package init(cluster: ClusterID) {
    self.cluster = cluster
    versions = []
    trailing = []
  }

  /// The newest version; `nil` when there is none.
  package var current: LayoutVersion? { versions.last }

  /// Takes the next version.
  ///
  /// - Throws: `LayoutRefusal` when it is not the next one; then nothing has changed.
  package mutating func append(_ version: LayoutVersion) throws(LayoutRefusal) {
    if let refusal = refusal(of: version) { throw refusal }
    // Eight bytes are more than its length takes, and one more version in their count.
    guard encoded.count + version.encoded.count + 8 <= LayoutLimits.historyBytesMax else {
      throw .historyFull
    }
    versions.append(version)
  }

  private func refusal(of version: LayoutVersion) -> LayoutRefusal? {
    guard version.cluster == cluster else { return .otherCluster }
    let expected = UInt64(versions.count) + 1
    guard version.number == expected else {
      return .notNext(number: version.number, expected: expected)
    }
    guard version.predecessor == current?.hash else { return .otherPredecessor }
    return nil
  }

  // MARK: Coding

  private static let formatVersion: UInt8 = 1

  /// The history's bytes.
  package var encoded: [UInt8] {
    var writer = BinaryWriter(capacity: 1024)
    writer.version(Self.formatVersion)
    writer.id(cluster)
    writer.list(versions) { writer, version in writer.nested { version.write(to: &$0) } }
    writer.raw(trailing)
    return writer.bytes
  }

  /// Reads a history; throws for everything else, also when its versions are not linked.
  package init(decoding bytes: [UInt8]) throws(BinaryError) {
    guard bytes.count <= LayoutLimits.historyBytesMax else { throw .overLimit }
    self = try BinaryReader.read(bytes) { (reader: inout BinaryReader) throws(BinaryError) in
      _ = try reader.version(upTo: Self.formatVersion)
      return try Self(from: &reader)
    }
  }

  private init(from reader: inout BinaryReader) throws(BinaryError) {
    cluster = try reader.id()
    // The bytes are counted already: no further bound of the versions is needed.
    let linked = try reader.list(max: LayoutLimits.historyBytesMax) {
      (reader: inout BinaryReader) throws(BinaryError) in
      try reader.nested(max: LayoutLimits.versionBytesMax, LayoutVersion.init(from:))
    }
    trailing = reader.remaining()
    versions = []
    for version in linked {
      guard refusal(of: version) == nil else { throw .invalidValue }
      versions.append(version)
    }
  }
}
