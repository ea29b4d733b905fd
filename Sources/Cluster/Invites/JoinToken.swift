// The token: all that a new node needs to find a cluster, to know it, and to be let in.
//
// GRANGE1: and base 32 without padding of:
//
//   +--------+------------+-----------+----------+--------+-------------------+----------+----------+
//   | length | cluster ID | invite ID | secret   | expiry | peers: list of    | trailing | checksum |
//   | u16    | 32 bytes   | 16 bytes  | 16 bytes | signed | ID, list of       |          | 4 bytes  |
//   |        |            |           |          |        | addresses         |          |          |
//   +--------+------------+-----------+----------+--------+-------------------+----------+----------+
//
// The length is that of all, so that a token of which the end is missing is told from a mistyped one; the checksum is
// the first 4 bytes of the BLAKE2b-512 of all before it. A token has at most 619 characters, all of which a QR code
// has in its alphanumeric mode: version 13 at level L holds exactly so many.

package import Base
import Codecs
private import Crypto

/// What a token says.
package struct JoinToken: Sendable {
  /// A member that the joiner may ask.
  package struct Peer: Equatable, Sendable {
    /// Its key: the joiner says nothing to any other.
    package var node: NodeID
    /// Where it may be reached, the best first.
    package var addresses: [PeerAddress]

    package init(node: NodeID, addresses: [PeerAddress]) {
      self.node = node
      self.addresses = addresses
    }
  }

  /// What the first characters say.
  package static let prefix = "GRANGE1:"
  /// What a QR code of version 13 holds: the largest that phones read from a terminal of 80 columns.
  package static let charactersMax = 619
  /// One that is up is enough; four are up more often than one.
  package static let peersMax = 4
  /// More than fit beside one peer.
  package static let addressesMax = 32
  /// The bytes that so many characters stand for.
  static let bytesMax = (charactersMax - prefix.utf8.count) * 5 / 8
  static let checksumBytes = 4

  package var cluster: ClusterID
  package var invite: InviteID
  package var secret: InviteSecret
  /// For the joiner to show: the member's clock judges.
  package var expiry: WallTime
  package var peers: [Peer]
  /// What a later version added.
  package var trailing: [UInt8] = []

  package init(
    cluster: ClusterID, invite: InviteID, secret: InviteSecret, expiry: WallTime, peers: [Peer]
  ) {
    self.cluster = cluster
    self.invite = invite
    self.secret = secret
    self.expiry = expiry
    self.peers = peers
  }

  /// The token as people hand it on.
  ///
  /// What does not fit is left out: the last addresses of the longest lists, then the last peers.
  ///
  /// - Requires: `trailing` is empty, or came from a token.
  package var text: String {
    var token = self
    token.peers = peers.prefix(Self.peersMax).map {
      Peer(node: $0.node, addresses: Array($0.addresses.prefix(Self.addressesMax)))
    }
    while token.encodedBytes > Self.bytesMax, token.dropLeastUseful() {}
    return Self.prefix + Base32.encode(token.encoded)
  }

  /// Leaves out an address, or a peer; `false` when nothing is left to leave out.
  private mutating func dropLeastUseful() -> Bool {
    // The last of the longest lists, as the first peers are the best. A peer without any address is hard to find.
    let longest = peers.indices.max { left, right in
      peers[left].addresses.count <= peers[right].addresses.count
    }
    if let longest, peers[longest].addresses.count > 1 {
      peers[longest].addresses.removeLast()
    } else if peers.popLast() == nil {
      return false
    }
    return true
  }

  private var encodedBytes: Int { body.count + 2 + Self.checksumBytes }

  private var body: [UInt8] {
    var writer = BinaryWriter(capacity: Self.bytesMax)
    writer.id(cluster)
    writer.id(invite)
    writer.raw(secret.bytes)
    writer.signed(expiry.milliseconds)
    writer.list(peers) { writer, peer in
      writer.id(peer.node)
      writer.list(peer.addresses) { $1.write(to: &$0) }
    }
    writer.raw(trailing)
    return writer.bytes
  }

  private var encoded: [UInt8] {
    let body = body
    var writer = BinaryWriter(capacity: Self.bytesMax)
    writer.u16(UInt16(clamping: body.count + 2 + Self.checksumBytes))
    writer.raw(body)
    writer.raw(Self.checksum(writer.bytes))
    return writer.bytes
  }

  static func checksum(_ bytes: [UInt8]) -> [UInt8] {
    Array(Digests.digest(bytes, .blake2b512)[..<checksumBytes])
  }

  /// Reads what is between length and checksum.
  init(body: ArraySlice<UInt8>) throws(BinaryError) {
    self = try BinaryReader.read(body) { (reader: inout BinaryReader) throws(BinaryError) in
      try JoinToken(from: &reader)
    }
  }

  private init(from reader: inout BinaryReader) throws(BinaryError) {
    cluster = try reader.id()
    invite = try reader.id()
    guard let secret = InviteSecret(try reader.raw(InviteSecret.byteCount)) else {
      throw .truncated
    }
    self.secret = secret
    expiry = WallTime(milliseconds: try reader.signed())
    guard expiry.milliseconds > 0, invite != .none else { throw .invalidValue }
    peers = try reader.list(max: Self.peersMax) {
      (reader: inout BinaryReader) throws(BinaryError) in
      Peer(
        node: try reader.id(),
        addresses: try reader.list(max: Self.addressesMax, PeerAddress.init(from:)))
    }
    trailing = reader.remaining()
  }
}

extension JoinToken: Equatable {
  package static func == (left: Self, right: Self) -> Bool {
    constantTimeEquals(left.body, right.body)
  }
}

/// A token is never printed by accident: what names it is the invite.
extension JoinToken: CustomStringConvertible, CustomDebugStringConvertible {
  package var description: String { "token of invite \(invite)" }
  package var debugDescription: String { description }
}
