// What a member answers to a joiner.

package import Base
package import Codecs

/// Why a joiner is not let in.
///
/// The raw values are on the wire; one that this program does not know is kept, and its text shown.
package struct JoinRefusalCode: RawRepresentable, Hashable, Sendable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// No such invite is known here; it may be on its way.
  package static let unknownInvite = JoinRefusalCode(rawValue: 1)
  package static let expired = JoinRefusalCode(rawValue: 2)
  package static let usedUp = JoinRefusalCode(rawValue: 3)
  package static let revoked = JoinRefusalCode(rawValue: 4)
  /// The proof is not by the invite's key, or not for this session.
  package static let wrongProof = JoinRefusalCode(rawValue: 5)
  package static let wrongCluster = JoinRefusalCode(rawValue: 6)
  package static let alreadyMember = JoinRefusalCode(rawValue: 7)
  /// The joiner's key was ended: it joins under a new one.
  package static let endedKey = JoinRefusalCode(rawValue: 8)
  package static let tooManyTries = JoinRefusalCode(rawValue: 9)
  /// This member is starting, or is none itself.
  package static let notReady = JoinRefusalCode(rawValue: 10)
  /// The node that the invite replaces is not known here.
  package static let replaceTargetUnknown = JoinRefusalCode(rawValue: 11)
  /// Who issued the invite is no member any more.
  package static let issuerNotMember = JoinRefusalCode(rawValue: 12)
}

/// The cluster, for who is let in; or why not.
package enum JoinAnswer: Equatable, Sendable {
  /// The joiner adopts this.
  package struct Welcome: Equatable, Sendable {
    package var cluster: ClusterID
    /// The key of the fingerprints: `clusterSecretBytes` bytes.
    package var clusterSecret: [UInt8]
    /// The founder's key, from which all admissions come.
    package var founder: NodeID
    /// The cluster state, as `ClusterState.encoded` writes it; the joiner's admission is in it.
    package var state: [UInt8]
    package var trailing: [UInt8] = []

    package init(cluster: ClusterID, clusterSecret: [UInt8], founder: NodeID, state: [UInt8]) {
      self.cluster = cluster
      self.clusterSecret = clusterSecret
      self.founder = founder
      self.state = state
    }
  }

  /// The joiner shows this.
  package struct Refusal: Equatable, Sendable {
    package var code: JoinRefusalCode
    /// What happened and what to do.
    package var text: String
    /// Why one who was admitted before is no member any more: records of who is, for it to judge itself.
    package var grounds: [[UInt8]]
    package var trailing: [UInt8] = []

    package init(code: JoinRefusalCode, text: String, grounds: [[UInt8]] = []) {
      self.code = code
      self.text = text
      self.grounds = grounds
    }
  }

  case admitted(Welcome)
  case refused(Refusal)

  package static let clusterSecretBytes = 32
  /// More than a full state (`StateLimits`).
  package static let stateBytesMax = 4 << 20
  /// As many member records as a state has.
  package static let groundsMax = StateLimits().memberRecordsMax
  /// A sentence or three.
  package static let textBytesMax = 512
  /// The state, the rest, and room for later fields.
  package static let bytesMax = stateBytesMax + 4096

  /// The record's bytes.
  package var encoded: [UInt8] {
    var writer = BinaryWriter(capacity: 256)
    writer.version(1)
    switch self {
    case .admitted(let welcome):
      writer.u8(1)
      writer.id(welcome.cluster)
      writer.raw(welcome.clusterSecret)
      writer.id(welcome.founder)
      writer.bytes(welcome.state)
      writer.raw(welcome.trailing)
    case .refused(let refusal):
      writer.u8(2)
      writer.u8(refusal.code.rawValue)
      writer.string(refusal.text)
      writer.list(refusal.grounds) { $0.bytes($1) }
      writer.raw(refusal.trailing)
    }
    return writer.bytes
  }

  /// Reads a record.
  package init(decoding bytes: [UInt8]) throws(BinaryError) {
    guard bytes.count <= Self.bytesMax else { throw .overLimit }
    self = try BinaryReader.read(bytes) { (reader: inout BinaryReader) throws(BinaryError) in
      try JoinAnswer(from: &reader)
    }
  }

  private init(from reader: inout BinaryReader) throws(BinaryError) {
    _ = try reader.version(upTo: 1)
    switch try reader.u8() {
    case 1:
      var welcome = Welcome(
        cluster: try reader.id(), clusterSecret: try reader.raw(Self.clusterSecretBytes),
        founder: try reader.id(), state: try reader.bytes(max: Self.stateBytesMax))
      welcome.trailing = reader.remaining()
      self = .admitted(welcome)
    case 2:
      var refusal = Refusal(
        code: JoinRefusalCode(rawValue: try reader.u8()),
        text: try reader.label(max: Self.textBytesMax),
        grounds: try reader.list(max: Self.groundsMax) {
          (reader: inout BinaryReader) throws(BinaryError) in
          try reader.bytes(max: RecordLimits.bytesMax)
        })
      refusal.trailing = reader.remaining()
      self = .refused(refusal)
    default: throw .invalidValue
    }
  }
}
