// Admissions: a member lets a key in. The founder's is signed by itself.

package import Base
package import Codecs

/// The signer admits the subject.
package struct AdmissionBody: RecordBody {
  package static let kind = RecordKind.admission
  package static let recordBytesMax = RecordLimits.bytesMax

  package var cluster: ClusterID
  /// The key that comes in.
  package var subject: NodeID
  /// The member that lets it in; the founder itself in the founder's own record.
  package var signer: NodeID
  /// The invite that the subject came by; `.none` in the founder's own record.
  package var invite: InviteID
  /// When, by the signer's clock: shown, and never decided by.
  package var signed: WallTime
  package var trailing: [UInt8] = []

  package init(
    cluster: ClusterID, subject: NodeID, signer: NodeID, invite: InviteID, signed: WallTime
  ) {
    self.cluster = cluster
    self.subject = subject
    self.signer = signer
    self.invite = invite
    self.signed = signed
  }

  package func write(to writer: inout BinaryWriter) {
    writer.id(cluster)
    writer.id(subject)
    writer.id(signer)
    writer.id(invite)
    writer.signed(signed.milliseconds)
    writer.raw(trailing)
  }

  package init(from reader: inout BinaryReader) throws(BinaryError) {
    cluster = try reader.id()
    subject = try reader.id()
    signer = try reader.id()
    invite = try reader.id()
    signed = WallTime(milliseconds: try reader.signed())
    trailing = reader.remaining()
  }
}

/// An admission with its signature.
package typealias Admission = Signed<AdmissionBody>
