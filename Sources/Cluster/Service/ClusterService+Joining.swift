// A node that was given a token: it asks the members that the token names until one lets it in.
//
// It asks for ever, with pauses: a friend's home may be without power. Whatever is wrong is in `standing`, with the way out.

import Base
import Synchronization
import Codecs
import Crypto
import LocalDB
import Mesh
package import Reactor

extension ClusterService {
  /// Pauses between rounds; they double.
  private static let pauseMin: Duration = .seconds(1)
  private static let pauseMax: Duration = .seconds(60)
  /// The pause after a refusal that time does not change.
  private static let refusedPause: Duration = .seconds(300)
  private static let answerMax: Duration = .seconds(60)

  /// Takes note of a text that was given as a token: from now on the node founds no cluster.
  ///
  /// To be called before anything is changed.
  ///
  /// - Returns: What to tell the operator, if there is something: the token is of no use, or not needed.
  @discardableResult
  package func given(_ text: String) -> String? {
    let token: JoinToken
    do throws(JoinTokenError) {
      token = try JoinToken(reading: text)
    } catch {
      if let identity { return keeps(identity, "the join token cannot be read (\(error))") }
      state.withLock { $0.joining = Joining(token: nil, reason: "\(error)") }
      noteHolding()
      return nil
    }
    guard let identity else {
      let before = state.withLock { state in
        defer { state.joining = Joining(token: token, reason: "no member was asked yet") }
        return state.joining?.task
      }
      before?.cancel()
      noteHolding()
      beginJoining()
      return nil
    }
    guard token.cluster != identity.cluster else { return nil }
    return keeps(identity, "the join token is of another cluster (\(token.cluster.hex.prefix(8)))")
  }

  /// Takes note of a token that an operator gave by a command: also after a restart the node asks to join with it.
  ///
  /// - Returns: As `given`.
  @discardableResult
  package nonisolated(nonsending) func join(_ token: JoinToken) async throws -> String? {
    try await store.database.write { [store] in try store.put(token: token.text, in: $0) }
    return given(token.text)
  }

  /// Forgets the token that a command gave: the node waits no more.
  ///
  /// - Throws: `ClusterRefusal` when the token comes from the configuration.
  package nonisolated(nonsending) func stopJoining() async throws {
    let ofCommand = try store.token().flatMap { try? JoinToken(reading: $0) }
    guard let ofCommand, state.withLock({ $0.joining?.token?.invite }) == ofCommand.invite else {
      throw ClusterRefusal(
        "this node was started with a token: take that away (--join, GRANGE_JOIN, GRANGE_JOIN_FILE) and start it again"
      )
    }
    try await store.database.write { [store] in
      guard try !store.hasIdentity(in: $0) else { return }
      try store.put(token: nil, in: $0)
    }
    let task = state.withLock { state in
      defer { state.joining = nil }
      return state.joining?.task
    }
    task?.cancel()
    noteHolding()
  }

  private func keeps(_ identity: ClusterIdentity, _ reason: String) -> String {
    "\(reason), and this node is a member of \(identity.cluster.hex.prefix(8)) already: the token is ignored. To join "
      + "the other cluster with nothing of what is stored here: grange join TOKEN --discard-data"
  }

  /// Begins to ask, if a token was given; must be called on a loop, after `start`.
  package func beginJoining() {
    state.withLock { state in
      guard state.mesh != nil, let token = state.joining?.token, state.joining?.task == nil
      else { return }
      state.joining?.task = runtime.spawn { [self] in await keepAsking(token) }
    }
  }

  /// Asks until the node is a member.
  private func keepAsking(_ token: JoinToken) async {
    var pause = Self.pauseMin
    while !Task.isCancelled {
      let outcome = await askAll(token)
      switch outcome {
      case .joined: return
      case .refused(let reason):
        note(reason)
        pause = Self.refusedPause
      case .unreachable(let reason):
        note(reason)
        pause = min(pause * 2, Self.pauseMax)
      }
      guard (try? await runtime.sleep(for: pause)) != nil else { return }
    }
  }

  private func note(_ reason: String) {
    let isNew = state.withLock { state in
      defer { state.joining?.reason = reason }
      return state.joining?.reason != reason
    }
    if isNew { logger.warning("not joined yet", [("reason", reason)]) }
  }

  private enum Outcome {
    case joined
    case refused(String)
    case unreachable(String)
  }

  private nonisolated(nonsending) func askAll(_ token: JoinToken) async -> Outcome {
    guard let mesh else { return .unreachable("the node is starting") }
    var failures: [String] = []
    var refusal: String?
    let extra = options.bootstrapPeers
    for peer in token.peers {
      let told = extra.filter { $0.node == peer.node }.map(\.address)
      for address in peer.addresses.compactMap(\.hostAndPort) + told {
        do {
          let question = { exporter in self.question(token, exporter) }
          switch try await ask(peer.node, at: address, mesh, question) {
          case .admitted(let welcome):
            // A member that went bad would take the new node into a cluster of its own.
            guard welcome.cluster == token.cluster else {
              failures.append("\(address.text): it lets in to another cluster than the token's")
              continue
            }
            try await adopt(welcome)
            return .joined
          case .refused(let refused):
            // Another member may know the invite already.
            if refused.code != .unknownInvite, refused.code != .notReady {
              return .refused(refused.text)
            }
            refusal = refused.text
          }
        } catch is CancellationError {
          return .unreachable("the node stops")
        } catch {
          failures.append("\(address.text): \(Self.text(of: error))")
        }
      }
    }
    if let refusal { return .unreachable(refusal) }
    guard !failures.isEmpty else {
      return .unreachable("the token names no address: ask for a new one")
    }
    return .unreachable(
      "no member that the token names answers (\(failures.joined(separator: "; "))): is the friend's node running, "
        + "and its port open?")
  }

  private static func text(of error: any Error) -> String {
    if case StreamError.tls(let reason) = error { return "somebody else answers there (\(reason))" }
    return "\(error)"
  }

  /// Asks `node` to be let in, with what `question` makes of the session's exporter.
  private nonisolated(nonsending) func ask(
    _ node: NodeID, at address: HostAndPort, _ mesh: NodeMesh,
    _ question: (_ exporter: [UInt8]) -> JoinRequest
  ) async throws -> JoinAnswer {
    let stream = try await mesh.dialToJoin(node, at: address)
    defer { stream.close() }
    let exporter = try stream.exportKeyingMaterial(
      label: JoinWire.exporterLabel, context: [], count: JoinProof.exporterBytes)
    let deadline = runtime.now + Self.answerMax
    try await JoinWire.write(question(exporter).encoded, to: stream, deadline: deadline)
    return try JoinAnswer(
      decoding: try await JoinWire.read(stream, max: JoinAnswer.bytesMax, deadline: deadline))
  }

  private func question(_ token: JoinToken, _ exporter: [UInt8]) -> JoinRequest {
    JoinRequest(
      cluster: token.cluster, invite: token.invite,
      proof: JoinProof.sign(
        exporter: exporter, invite: token.invite, joiner: own, with: token.secret),
      hostName: options.hostName, protocols: .own, zone: options.zone)
  }

  // MARK: A member that is refused

  /// Pauses between looks whether members refuse this node's key; they double.
  private static let refusalPauseMin: Duration = .seconds(5)
  private static let refusalPauseMax: Duration = .seconds(60)

  /// Asks members that take this node for none why, until the task is cancelled.
  ///
  /// It asks at the joiners' door: who was away while it was expelled hears of it nowhere else. And it says there what is
  /// known of its own membership, which may have reached nobody: who admitted it may have left before it told the others.
  func keepAskingWhyRefused() async {
    var pause = Self.refusalPauseMin
    while (try? await runtime.sleep(for: pause)) != nil {
      await askWhyRefused()
      pause = min(pause * 2, Self.refusalPauseMax)
    }
  }

  /// Asks one; its answer's records are merged as any, so that this node judges itself what it is.
  private nonisolated(nonsending) func askWhyRefused() async {
    guard let mesh, let cluster = state.withLock(\.cluster),
      let (node, address) = oneThatRefuses(mesh)
    else { return }
    let before = standing
    let question = JoinRequest.inquiry(
      cluster.cluster, hostName: options.hostName, protocols: .own,
      credentials: cluster.credentials(of: own, bytesMax: JoinRequest.credentialsBytesMax))
    do {
      guard case .refused(let refusal) = try await ask(node, at: address, mesh, { _ in question })
      else { return }
      try await take(refusal.grounds, from: node)
      if refusal.code == .alreadyMember { mesh.dialAgain(node) }
      if standing != before {
        logger.warning("another member knew better what this node is", [("node", node.short)])
      }
    } catch {
      logger.debug(
        "a member did not say why it refuses this node",
        [("node", node.short), ("reason", "\(error)")])
    }
  }

  /// One of the members that refuse this node's key: another one each time, for some may be wrong.
  private func oneThatRefuses(_ mesh: NodeMesh) -> (NodeID, HostAndPort)? {
    let refusing = mesh.statuses.compactMap { peer in
      peer.refusedAt.map { (peer.node, $0) }
    }
    return refusing.isEmpty ? nil : refusing[runtime.random.below(refusing.count)]
  }

  /// Makes this node a member, in one transaction that fails if it has a cluster already.
  private nonisolated(nonsending) func adopt(_ welcome: JoinAnswer.Welcome) async throws {
    let identity = ClusterIdentity(
      cluster: welcome.cluster, secret: welcome.clusterSecret, founder: welcome.founder)
    let cluster = try ClusterState(decoding: welcome.state, now: runtime.wallNow)
    guard cluster.cluster == identity.cluster, cluster.founder == identity.founder,
      cluster.membership.contains(own)
    else { throw BinaryError.invalidValue }
    try await store.database.write { [self] transaction in
      guard try !store.hasIdentity(in: transaction) else { throw HasCluster() }
      try store.adopt(identity, in: transaction)
      for id in cluster.ids {
        if let record = cluster[id] { try put(record, in: transaction) }
      }
    }
    state.withLock { state in
      state.identity = identity
      state.cluster = cluster
      state.joining = nil
    }
    noteHolding()
    if cluster.currentLayout != nil { tellLayoutObservers() }
    logger.info("joined", [("cluster", String(identity.cluster.hex.prefix(8)))])
    memberChanged()
    await announce()
  }

  private struct HasCluster: Error {}
}

extension ProtocolRange {
  /// What this program speaks.
  static var own: ProtocolRange {
    ProtocolRange(Hello.protocols.lowerBound, Hello.protocols.upperBound)
  }
}

extension PeerAddress {
  /// The form that dialling takes.
  package var hostAndPort: HostAndPort? { HostAndPort(parsing: text) }
}
