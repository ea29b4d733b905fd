// TLS between nodes: each side is its Ed25519 key, and knows the other by its key.
//
// Both show a certificate that nobody issued and of which only the key counts (`NodeCertificate`, `TLSPeerCheck`). A
// dialler expects one key; an acceptor asks who may come in. Which protocol (ALPN) is spoken is agreed on before that,
// so that a door for strangers can open under a name of its own.
//
// Invariants:
//   1. A dialler sends nothing but its hello before the other side has shown the expected key and taken the protocol:
//      whoever sits in the middle gets neither a certificate of ours nor a byte. (That he has the key is proven right
//      after, before ours is sent.)
//   2. An acceptor reads no application data from a peer that was not admitted.
//   3. Nothing is resumed: each connection proves both keys anew, and whoever was expelled stays out.

package import Base
private import COpenSSL

/// The settings of TLS connections between this node and others, of either side.
package final class NodeTLS: Sendable {
  /// The length of a key's seed and of a public key.
  package static let keyBytes = 32
  /// What members speak with each other.
  package static let memberProtocol = "grange/1"
  /// What a node that wants to become a member speaks with one.
  package static let joinerProtocol = "grange-join/1"
  /// The reason of the `StreamError.tls` that a node meets whose key the peer does not admit.
  package static let keyRefused = "the peer refuses this node's key"

  /// Whether the owner of `key` may speak `applicationProtocol` here.
  ///
  /// Asked in the middle of the handshake, so it must answer at once; the peer has not proven yet that the key is
  /// its own, so the answer is all that may come of it.
  package typealias Admission =
    @Sendable (_ key: [UInt8], _ applicationProtocol: String) -> Bool

  /// This node's public key: 32 bytes.
  package let publicKey: [UInt8]
  private let handle: TLSHandle

  /// What a peer's certificates may come to.
  ///
  /// A node's has some 250 bytes; OpenSSL would otherwise gather 100 KiB for a stranger.
  private static let certificateBytesMax = 2048

  /// For the node whose key is made from `seed`.
  ///
  /// - Parameter applicationProtocols: What it accepts.
  /// - Throws: `TLSContextError` when `seed` has not 32 bytes, or memory is short.
  package init(
    seed: [UInt8], applicationProtocols: [String] = [memberProtocol, joinerProtocol]
  ) throws {
    let certificate = try NodeCertificate(seed: seed)
    publicKey = certificate.publicKey
    handle = try TLSHandle(oldestVersion: TLS1_3_VERSION, protocols: applicationProtocols)
    try certificate.use(in: handle.pointer)
    TLSPeerCheck.install(in: handle.pointer)
    // A resumed connection would not ask for the peer's key again.
    SSL_CTX_set_num_tickets(handle.pointer, 0)
    SSL_CTX_set_options(handle.pointer, Self.noTicket)
    SSL_CTX_ctrl(handle.pointer, SSL_CTRL_SET_MAX_CERT_LIST, Self.certificateBytesMax, nil)
  }

  /// SSL_OP_NO_TICKET, which the header spells as a macro.
  private static let noTicket: UInt64 = 1 << 14

  /// The accepting side of a new connection.
  ///
  /// - Throws: what `stream` throws; `StreamError.tls` when the peer is not admitted, or we do not agree. `stream` is
  ///   closed then.
  package nonisolated(nonsending) func accept(
    _ stream: any ByteStream, admits: @escaping Admission, deadline: MonotonicInstant
  ) async throws -> TLSStream {
    try await TLSStream.shakeHands(stream, deadline: deadline) {
      try makeEngine(isServer: true) { key, applicationProtocol in
        admits(key, applicationProtocol) ? nil : "the peer's key is not admitted"
      }
    }
  }

  /// The dialling side of a new connection to the node whose public key is `key`.
  ///
  /// When it returns, that node has proven its key. Whether it admits us comes only with the first read (RFC 8446,
  /// section 4.4.2.4 lets it answer later): `StreamError.tls`, or `.disconnected` when a write went out before.
  ///
  /// - Throws: what `stream` throws; `StreamError.tls` when someone else answers, or does not speak
  ///   `applicationProtocol`. `stream` is closed then.
  package nonisolated(nonsending) func connect(
    _ stream: any ByteStream, expecting key: [UInt8], applicationProtocol: String,
    deadline: MonotonicInstant
  ) async throws -> TLSStream {
    try await TLSStream.shakeHands(stream, deadline: deadline) {
      let offer = TLSProtocols([applicationProtocol]).list
      return try makeEngine(isServer: false, offer: offer) { peerKey, chosen in
        if peerKey != key { return "the peer's key is not the one expected" }
        if chosen != applicationProtocol { return "the peer does not speak \(applicationProtocol)" }
        return nil
      }
    }
  }

  private func makeEngine(
    isServer: Bool, offer: [UInt8] = [], refusal: @escaping TLSPeerCheck.Refusal
  ) throws -> TLSEngine {
    let (ssl, engine) = try handle.makeEngine(peerCheck: TLSPeerCheck(refusal))
    if isServer {
      SSL_set_accept_state(ssl)
    } else {
      SSL_set_connect_state(ssl)
      // Returns 0 for success, unlike its siblings.
      guard SSL_set_alpn_protos(ssl, offer, UInt32(offer.count)) == 0 else {
        throw StreamError.tls(reason: TLSContextError.nextReason())
      }
    }
    return engine
  }
}
