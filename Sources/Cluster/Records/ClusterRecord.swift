// A record of any kind, as gossip and the database hold them.

package import Base
package import Codecs

/// A record of any kind.
package enum ClusterRecord: Equatable, Sendable {
  case admission(Admission)
  case ending(Ending)
  case invite(Invite)
  case revocation(InviteRevocation)
  case announcement(Announcement)
  case setting(ClusterSetting)
  case layout(LayoutRecord)

  /// Reads a record of a kind that this program knows; it may be signed falsely.
  package init(decoding bytes: [UInt8]) throws(BinaryError) {
    guard bytes.count >= 2 else { throw .truncated }
    guard bytes[0] == 1 else { throw .unknownVersion(bytes[0]) }
    switch RecordKind(rawValue: bytes[1]) {
    case .admission: self = .admission(try Signed(decoding: bytes))
    case .ending: self = .ending(try Signed(decoding: bytes))
    case .invite: self = .invite(try Signed(decoding: bytes))
    case .revocation: self = .revocation(try Signed(decoding: bytes))
    case .announcement: self = .announcement(try Signed(decoding: bytes))
    case .setting: self = .setting(try Signed(decoding: bytes))
    case .layout: self = .layout(try Signed(decoding: bytes))
    case nil: throw .invalidValue
    }
  }

  /// What all kinds have.
  private var parts: (kind: RecordKind, id: RecordID, cluster: ClusterID, signer: NodeID) {
    func of<Body>(_ record: Signed<Body>) -> (RecordKind, RecordID, ClusterID, NodeID) {
      (Body.kind, record.id, record.body.cluster, record.body.signer)
    }
    return switch self {
    case .admission(let record): of(record)
    case .ending(let record): of(record)
    case .invite(let record): of(record)
    case .revocation(let record): of(record)
    case .announcement(let record): of(record)
    case .setting(let record): of(record)
    case .layout(let record): of(record)
    }
  }

  /// The kind.
  package var kind: RecordKind { parts.kind }
  /// The record's name.
  package var id: RecordID { parts.id }
  /// The cluster that the record is about.
  package var cluster: ClusterID { parts.cluster }
  /// Whose signature the record needs.
  package var signer: NodeID { parts.signer }

  /// The whole record.
  package var bytes: [UInt8] {
    switch self {
    case .admission(let record): record.bytes
    case .ending(let record): record.bytes
    case .invite(let record): record.bytes
    case .revocation(let record): record.bytes
    case .announcement(let record): record.bytes
    case .setting(let record): record.bytes
    case .layout(let record): record.bytes
    }
  }

  /// Whether the signer signed this.
  package var isSignatureValid: Bool {
    switch self {
    case .admission(let record): record.isSignatureValid
    case .ending(let record): record.isSignatureValid
    case .invite(let record): record.isSignatureValid
    case .revocation(let record): record.isSignatureValid
    case .announcement(let record): record.isSignatureValid
    case .setting(let record): record.isSignatureValid
    case .layout(let record): record.isSignatureValid
    }
  }
}
