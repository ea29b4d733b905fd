// Which cluster a node belongs to: the first thing that it learns, and never changes.

package import Base
import Synchronization
package import Codecs

/// The names and the secret of a cluster.
package struct ClusterIdentity: Equatable, Sendable {
  package let cluster: ClusterID
  /// The key of row hashes: `JoinAnswer.clusterSecretBytes` bytes.
  package let secret: [UInt8]
  /// The founder's key, from which all admissions come.
  package let founder: NodeID

  package init(cluster: ClusterID, secret: [UInt8], founder: NodeID) {
    self.cluster = cluster
    self.secret = secret
    self.founder = founder
  }

  /// A new cluster's.
  init(founding founder: NodeID, random: any RandomSource) {
    cluster =
      ClusterID(Array(random.bytes(ClusterID.byteCount))) ?? ClusterID(random: SystemRandom.shared)
    secret = random.bytes(JoinAnswer.clusterSecretBytes)
    self.founder = founder
  }

  /// The record.
  package var encoded: [UInt8] {
    var writer = BinaryWriter(capacity: 98)
    writer.version(1)
    writer.id(cluster)
    writer.raw(secret)
    writer.id(founder)
    return writer.bytes
  }

  /// Reads a record.
  package init(decoding bytes: [UInt8]) throws(BinaryError) {
    self = try BinaryReader.read(bytes) { (reader: inout BinaryReader) throws(BinaryError) in
      _ = try reader.version(upTo: 1)
      let identity = ClusterIdentity(
        cluster: try reader.id(), secret: try reader.raw(JoinAnswer.clusterSecretBytes),
        founder: try reader.id())
      try reader.expectEnd()
      return identity
    }
  }
}
