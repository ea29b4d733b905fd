// What a joiner says, once it has seen that the peer is who the token says.

package import Base
package import Codecs
private import Crypto

/// The range of protocols that a node speaks.
package struct ProtocolRange: Equatable, Sendable {
  package let lowest: UInt16
  package let highest: UInt16

  /// - Requires: `lowest` is not above `highest`.
  package init(_ lowest: UInt16, _ highest: UInt16) {
    precondition(lowest <= highest)
    self.lowest = lowest
    self.highest = highest
  }

  /// The highest that both speak; `nil` when there is none.
  package func common(with other: ProtocolRange) -> UInt16? {
    let common = min(highest, other.highest)
    return common >= max(lowest, other.lowest) ? common : nil
  }

  func write(to writer: inout BinaryWriter) {
    writer.u16(lowest)
    writer.u16(highest)
  }

  init(from reader: inout BinaryReader) throws(BinaryError) {
    let (lowest, highest) = (try reader.u16(), try reader.u16())
    guard lowest <= highest else { throw .invalidValue }
    self.init(lowest, highest)
  }
}

/// A joiner holds the secret of an invite, and wants to be let in; or a member is refused, and asks why.
package struct JoinRequest: Equatable, Sendable {
  /// All that a stranger can make a node read.
  package static let bytesMax = 2 << 10

  /// How many bytes of credentials fit in, whatever the rest is.
  package static let credentialsBytesMax = bytesMax - 512
  private static let credentialsMax = 32

  /// The cluster that the token names.
  package var cluster: ClusterID
  /// `none` for who has no token: a member that is refused.
  package var invite: InviteID
  /// See `JoinProof`.
  package var proof: [UInt8]
  /// For people: names decide nothing.
  package var hostName: String
  package var protocols: ProtocolRange
  /// The zone that the joiner is configured with.
  package var zone: String?
  /// Records of the joiner's own membership, which nobody may have heard of but itself.
  package var credentials: [[UInt8]]
  package var trailing: [UInt8] = []

  package init(
    cluster: ClusterID, invite: InviteID, proof: [UInt8], hostName: String,
    protocols: ProtocolRange, zone: String? = nil, credentials: [[UInt8]] = []
  ) {
    self.cluster = cluster
    self.invite = invite
    self.proof = proof
    self.hostName = hostName
    self.protocols = protocols
    self.zone = zone
    self.credentials = credentials
  }

  /// What a member asks that is refused.
  package static func inquiry(
    _ cluster: ClusterID, hostName: String, protocols: ProtocolRange, credentials: [[UInt8]]
  ) -> JoinRequest {
    JoinRequest(
      cluster: cluster, invite: .none,
      proof: [UInt8](repeating: 0, count: Ed25519PrivateKey.signatureBytes), hostName: hostName,
      protocols: protocols, credentials: credentials)
  }

  /// The record's bytes.
  package var encoded: [UInt8] {
    var writer = BinaryWriter(capacity: 256)
    writer.version(1)
    writer.id(cluster)
    writer.id(invite)
    writer.raw(proof)
    writer.string(hostName)
    protocols.write(to: &writer)
    writer.optional(zone) { $0.string($1) }
    writer.list(credentials) { $0.bytes($1) }
    writer.raw(trailing)
    return writer.bytes
  }

  /// Reads a record.
  package init(decoding bytes: [UInt8]) throws(BinaryError) {
    guard bytes.count <= Self.bytesMax else { throw .overLimit }
    self = try BinaryReader.read(bytes) { (reader: inout BinaryReader) throws(BinaryError) in
      try JoinRequest(from: &reader)
    }
  }

  private init(from reader: inout BinaryReader) throws(BinaryError) {
    _ = try reader.version(upTo: 1)
    cluster = try reader.id()
    invite = try reader.id()
    proof = try reader.raw(Ed25519PrivateKey.signatureBytes)
    hostName = try reader.label(max: RecordLimits.hostNameBytesMax)
    protocols = try ProtocolRange(from: &reader)
    zone = try reader.optional { (reader: inout BinaryReader) throws(BinaryError) in
      try reader.label(max: RecordLimits.zoneBytesMax)
    }
    credentials = try reader.list(max: Self.credentialsMax) {
      (reader: inout BinaryReader) throws(BinaryError) in
      try reader.bytes(max: Self.bytesMax)
    }
    trailing = reader.remaining()
  }
}
