// Layout versions as the cluster state has them: who decided, and what.
//
// Version 1 is decided by the founder alone, in a transaction of its database, so that there is one
// (docs/decisions/0024-let-the-founder-make-version-1.md). Nothing decides later ones yet, and none is taken.

package import Base
package import Codecs
package import Layout

/// The signer says that a version of the layout was decided.
package struct LayoutRecordBody: RecordBody {
  package static let kind = RecordKind.layout
  package static let recordBytesMax = RecordLimits.layoutBytesMax

  package var cluster: ClusterID
  package var version: LayoutVersion
  package var signer: NodeID
  package var trailing: [UInt8] = []

  package init(_ version: LayoutVersion, signer: NodeID) {
    cluster = version.cluster
    self.version = version
    self.signer = signer
  }

  package func write(to writer: inout BinaryWriter) {
    writer.id(cluster)
    writer.bytes(version.encoded)
    writer.id(signer)
    writer.raw(trailing)
  }

  package init(from reader: inout BinaryReader) throws(BinaryError) {
    cluster = try reader.id()
    version = try LayoutVersion(decoding: try reader.bytes(max: LayoutLimits.versionBytesMax))
    guard version.cluster == cluster else { throw .invalidValue }
    signer = try reader.id()
    trailing = reader.remaining()
  }
}

/// A layout version with the signature of who decided it.
package typealias LayoutRecord = Signed<LayoutRecordBody>
