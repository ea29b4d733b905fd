// A joiner at the door (docs/formats/cluster-state.md, "Joining").
//
// The joiner has proved its own key in the TLS handshake. What it signs with the invite's key covers that session and its
// own ID, so that what somebody recorded or passes on is worth nothing. This node's clock judges, never the joiner's.

package import Base
import Synchronization
import Codecs
import Crypto
import LocalDB
import Mesh
package import Reactor

extension ClusterService {
  /// How long a joiner may take for its question, and for taking the answer.
  private static let requestMax: Duration = .seconds(10)
  private static let answerMax: Duration = .seconds(60)

  package nonisolated(nonsending) func mesh(joining stream: TLSStream, key: NodeID) async {
    do {
      let bytes = try await JoinWire.read(
        stream, max: JoinRequest.bytesMax, deadline: runtime.now + Self.requestMax)
      let exporter = try stream.exportKeyingMaterial(
        label: JoinWire.exporterLabel, context: [], count: JoinProof.exporterBytes)
      let request = try? JoinRequest(decoding: bytes)
      let answer: JoinAnswer
      do throws(JoinRefused) {
        answer = try await admit(
          request, joiner: key, exporter: exporter, from: stream.peerAddress)
      } catch {
        logger.log(
          request?.invite == InviteID.none ? .debug : .warning, "a node was not admitted",
          [("node", key.short), ("from", stream.peerDescription), ("reason", error.text)])
        answer = .refused(
          JoinAnswer.Refusal(code: error.code, text: error.text, grounds: error.grounds))
      }
      try await JoinWire.write(answer.encoded, to: stream, deadline: runtime.now + Self.answerMax)
    } catch {
      logger.debug(
        "a joiner went away", [("from", stream.peerDescription), ("reason", "\(error)")])
    }
  }

  private nonisolated(nonsending) func admit(
    _ request: JoinRequest?, joiner: NodeID, exporter: [UInt8], from address: SocketAddress?
  ) async throws(JoinRefused) -> JoinAnswer {
    guard let request else {
      throw JoinRefused(.wrongProof, "the question cannot be read: update the older program")
    }
    guard tries.mayTry(address, now: runtime.now) else {
      throw JoinRefused(.tooManyTries, "too many wrong tries from there: wait a minute")
    }
    do {
      if identity?.cluster == request.cluster {
        try await take(
          request.credentials.filter { ClusterState.isCredential($0, of: joiner) }, from: joiner)
      }
      let outcomes = try await change { cluster, now in
        try admit(request, joiner: joiner, exporter: exporter, now: now, to: &cluster)
      }
      if case .added(let id, _) = outcomes.first {
        logger.info(
          "a node was admitted", [("node", joiner.short), ("hostname", request.hostName)])
        spread([id], except: nil)
      }
      return try welcome()
    } catch let refused as JoinRefused {
      if refused.code == .wrongProof { tries.failed(address) }
      throw refused
    } catch {
      throw JoinRefused(.notReady, "the member cannot store the admission now: try again")
    }
  }

  /// Decides, and admits, in one change: of two who come at once with an invite for one, one is refused.
  ///
  /// - Returns: What came of the admission; nothing for one who is a member already, whose first answer was lost.
  /// - Throws: `JoinRefused`.
  private func admit(
    _ request: JoinRequest, joiner: NodeID, exporter: [UInt8], now: WallTime,
    to cluster: inout ClusterState
  ) throws -> [MergeOutcome] {
    guard cluster.membership.contains(own) else { throw JoinRefused.notMember }
    guard request.cluster == cluster.cluster else {
      throw JoinRefused(.wrongCluster, "the token is of another cluster")
    }
    if case .ended = cluster.membership.absence(of: joiner) {
      throw JoinRefused(
        .endedKey,
        "this node has left the cluster or was removed from it, and its key never returns: start with an empty folder",
        grounds: cluster.grounds(for: joiner))
    }
    if request.invite == .none, cluster.membership.contains(joiner) {
      throw JoinRefused(.alreadyMember, "this node is a member")
    }
    let named = cluster.invites(named: request.invite)
    guard !named.isEmpty else {
      throw JoinRefused(
        .unknownInvite,
        "no such invite is known here: if it was made a moment ago, try again; else ask for a new one",
        grounds: cluster.grounds(for: joiner))
    }
    let invite = named.first { invite in
      JoinProof.isValid(
        request.proof, exporter: exporter, invite: request.invite, joiner: joiner,
        publicKey: invite.body.publicKey)
    }
    guard let invite else {
      throw JoinRefused(.wrongProof, "the token's secret is wrong: copy the token again")
    }
    if cluster.membership.contains(joiner) { return [] }
    if let refusal = cluster.refusal(of: invite, now: now) { throw JoinRefused(refusal) }
    let admission = try Admission(
      signing: AdmissionBody(
        cluster: cluster.cluster, subject: joiner, signer: own, invite: request.invite,
        signed: now), with: key)
    let outcomes = cluster.merge([admission.bytes], now: now)
    guard case .added = outcomes.first else {
      throw JoinRefused(.notReady, "the cluster has no room for one more member")
    }
    return outcomes
  }

  /// What an admitted node adopts.
  private func welcome() throws -> JoinAnswer {
    let (identity, cluster) = state.withLock { ($0.identity, $0.cluster) }
    guard let identity, let cluster else { throw JoinRefused.notMember }
    return .admitted(
      JoinAnswer.Welcome(
        cluster: identity.cluster, clusterSecret: identity.secret, founder: identity.founder,
        state: cluster.encoded))
  }
}

/// Why a joiner was not admitted.
struct JoinRefused: Error, Sendable {
  let code: JoinRefusalCode
  let text: String
  /// See `JoinAnswer.Refusal`.
  let grounds: [[UInt8]]

  init(_ code: JoinRefusalCode, _ text: String, grounds: [[UInt8]] = []) {
    self.code = code
    self.text = text
    self.grounds = grounds
  }

  static let notMember = JoinRefused(
    .notReady, "the node that the token names is no member (any more)")

  init(_ refusal: InviteRefusal) {
    switch refusal {
    case .revoked:
      self.init(.revoked, "the invite was taken back: ask for a new one")
    case .issuerNotMember:
      self.init(.issuerNotMember, "who made the invite is no member any more: ask for a new one")
    case .expired(let end, let now):
      self.init(
        .expired,
        "the invite ended at \(CivilTime(end).iso8601), and it is \(CivilTime(now).iso8601) here: ask for a new one"
      )
    case .usedUp(let uses, let max):
      self.init(
        .usedUp,
        "the invite was used (\(uses) of \(max)): ask for a new one; if this node was a member before, its folder "
          + "may not be persistent")
    }
  }
}

/// The two records of the join protocol on their stream.
enum JoinWire {
  static let exporterLabel = "EXPORTER-grange-join"

  /// Reads a record of at most `max` bytes behind its length.
  static nonisolated(nonsending) func read(
    _ stream: TLSStream, max: Int, deadline: MonotonicInstant
  ) async throws -> [UInt8] {
    let length = try await stream.readExactly(JoinFrame.lengthBytes, deadline: deadline) {
      JoinFrame.length($0, max: max)
    }
    guard let length else { throw BinaryError.overLimit }
    return try await stream.readExactly(length, deadline: deadline) { [UInt8]($0) }
  }

  /// Writes a record behind its length.
  static nonisolated(nonsending) func write(
    _ record: [UInt8], to stream: TLSStream, deadline: MonotonicInstant
  ) async throws {
    try await stream.write(JoinFrame.framed(record), deadline: deadline)
  }
}
