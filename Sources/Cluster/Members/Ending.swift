// Endings: a key stops being a member, for ever. Signed by another one it is a revocation, by itself a leave.

package import Base
package import Codecs

/// The signer says that the subject is no member any more.
package struct EndingBody: RecordBody {
  package static let kind = RecordKind.ending
  package static let recordBytesMax = RecordLimits.bytesMax

  package var cluster: ClusterID
  /// The key that goes.
  package var subject: NodeID
  /// Who says so; the subject itself when it leaves.
  package var signer: NodeID
  /// Which admissions and endings of the subject stay valid, in ascending order; all others are void.
  package var keeps: [RecordID]
  /// When, by the signer's clock: shown, and never decided by.
  package var signed: WallTime
  package var trailing: [UInt8] = []

  /// - Parameter keeps: In any order; see `Membership.signed(by:)`.
  package init(
    cluster: ClusterID, subject: NodeID, signer: NodeID, keeps: [RecordID], signed: WallTime
  ) {
    self.cluster = cluster
    self.subject = subject
    self.signer = signer
    self.keeps = sortedUnique(keeps)
    self.signed = signed
  }

  package func write(to writer: inout BinaryWriter) {
    writer.id(cluster)
    writer.id(subject)
    writer.id(signer)
    writer.list(keeps) { $0.id($1) }
    writer.signed(signed.milliseconds)
    writer.raw(trailing)
  }

  package init(from reader: inout BinaryReader) throws(BinaryError) {
    cluster = try reader.id()
    subject = try reader.id()
    signer = try reader.id()
    keeps = try reader.ascending(
      max: RecordLimits.keepsMax,
      { (reader: inout BinaryReader) throws(BinaryError) in try reader.id(RecordID.self) }, by: <)
    signed = WallTime(milliseconds: try reader.signed())
    trailing = reader.remaining()
  }
}

/// An ending with its signature.
package typealias Ending = Signed<EndingBody>

/// The elements in ascending order, each once.
func sortedUnique<Element: Comparable>(_ elements: some Sequence<Element>) -> [Element] {
  var result: [Element] = []
  for element in elements.sorted() where result.last != element { result.append(element) }
  return result
}
