// Invites: a member lets up to so many keys in, without knowing them yet.
//
// Whoever shows that it has the invite's secret (JoinProof.swift) is admitted by the member that it asks. Members hold
// only the public half of the key that the secret makes.

package import Base
package import Codecs
private import Crypto

/// The issuer invites up to so many keys.
package struct InviteBody: RecordBody {
  package static let kind = RecordKind.invite
  package static let recordBytesMax = RecordLimits.inviteBytesMax

  package var cluster: ClusterID
  package var invite: InviteID
  /// The public half of the key that the invite's secret makes.
  package var publicKey: [UInt8]
  package var issuer: NodeID
  /// How many keys it lets in: 1 to `RecordLimits.inviteUsesMax`.
  package var usesMax: Int
  /// From when on it lets nobody in any more; no invite is for ever.
  package var expiry: WallTime
  /// The zone that who comes is put into.
  package var zone: String?
  /// The lost node whose role who comes takes over.
  package var replaces: NodeID?
  package var trailing: [UInt8] = []

  package var signer: NodeID { issuer }

  package init(
    cluster: ClusterID, invite: InviteID, publicKey: [UInt8], issuer: NodeID, usesMax: Int,
    expiry: WallTime, zone: String? = nil, replaces: NodeID? = nil
  ) {
    self.cluster = cluster
    self.invite = invite
    self.publicKey = publicKey
    self.issuer = issuer
    self.usesMax = usesMax
    self.expiry = expiry
    self.zone = zone
    self.replaces = replaces
  }

  package func write(to writer: inout BinaryWriter) {
    writer.id(cluster)
    writer.id(invite)
    writer.raw(publicKey)
    writer.id(issuer)
    writer.count(usesMax)
    writer.signed(expiry.milliseconds)
    writer.optional(zone) { $0.string($1) }
    writer.optional(replaces) { $0.id($1) }
    writer.raw(trailing)
  }

  package init(from reader: inout BinaryReader) throws(BinaryError) {
    cluster = try reader.id()
    invite = try reader.id()
    publicKey = try reader.raw(Ed25519PrivateKey.keyBytes)
    issuer = try reader.id()
    usesMax = try reader.count(max: RecordLimits.inviteUsesMax)
    expiry = WallTime(milliseconds: try reader.signed())
    guard usesMax > 0, expiry.milliseconds > 0, invite != .none else { throw .invalidValue }
    zone = try reader.optional { (reader: inout BinaryReader) throws(BinaryError) in
      try reader.label(max: RecordLimits.zoneBytesMax)
    }
    replaces = try reader.optional { (reader: inout BinaryReader) throws(BinaryError) in
      try reader.id(NodeID.self)
    }
    trailing = reader.remaining()
  }
}

/// An invite with its signature.
package typealias Invite = Signed<InviteBody>

/// The signer takes an invite back.
package struct InviteRevocationBody: RecordBody {
  package static let kind = RecordKind.revocation
  package static let recordBytesMax = RecordLimits.revocationBytesMax

  package var cluster: ClusterID
  package var invite: InviteID
  package var signer: NodeID
  package var trailing: [UInt8] = []

  package init(cluster: ClusterID, invite: InviteID, signer: NodeID) {
    self.cluster = cluster
    self.invite = invite
    self.signer = signer
  }

  package func write(to writer: inout BinaryWriter) {
    writer.id(cluster)
    writer.id(invite)
    writer.id(signer)
    writer.raw(trailing)
  }

  package init(from reader: inout BinaryReader) throws(BinaryError) {
    cluster = try reader.id()
    invite = try reader.id()
    signer = try reader.id()
    trailing = reader.remaining()
  }
}

/// A revocation of an invite with its signature.
package typealias InviteRevocation = Signed<InviteRevocationBody>
