// What operators do with members and invites.

package import Base
import Crypto
import Layout
import LocalDB
import Mesh
import Reactor
import Synchronization

/// Why something that an operator asked for was not done; the text says what to do.
package struct ClusterRefusal: Error, CustomStringConvertible, Sendable {
  package let description: String

  init(_ text: String) { description = text }
}

extension ClusterService {
  /// How long making an invite waits for a majority to hold it.
  private static let spreadMax: Duration = .seconds(5)
  /// What of this node's addresses goes into a token: most work, and a token stays short.
  private static let tokenAddressesMax = 6

  /// The state, on a node that is a member.
  ///
  /// - Throws: `ClusterRefusal`.
  func memberState() throws(ClusterRefusal) -> (ClusterIdentity, ClusterState) {
    let (identity, cluster, joining) = state.withLock {
      ($0.identity, $0.cluster, $0.joining?.reason)
    }
    guard let identity, let cluster else {
      throw ClusterRefusal(
        joining.map { "this node waits to join a cluster: \($0)" }
          ?? "this node has no cluster yet: it founds one with its first invite, key or bucket")
    }
    guard cluster.membership.contains(own) else {
      throw ClusterRefusal("this node is no member of its cluster any more")
    }
    return (identity, cluster)
  }

  // MARK: Invites

  /// Makes a token, and founds the cluster with it if there is none.
  ///
  /// Returns once a majority of the members that are up hold the invite, or after 5 s.
  package nonisolated(nonsending) func invite(
    expiresIn time: Duration, uses: Int, zone: String?
  ) async throws -> (invite: Invite, token: JoinToken) {
    if identity == nil {
      try await store.database.write { [self] in try foundIfFresh(in: $0) }
    }
    let (identity, _) = try memberState()
    let secret = InviteSecret(random: runtime.random)
    let body = InviteBody(
      cluster: identity.cluster, invite: InviteID(random: runtime.random),
      publicKey: secret.key.publicKey, issuer: own, usesMax: uses,
      expiry: WallTime(
        milliseconds: runtime.wallNow.milliseconds + time.wholeNanoseconds / 1_000_000),
      zone: zone)
    let invite = try Invite(signing: body, with: key)
    let outcomes = try await change { cluster, now in cluster.merge([invite.bytes], now: now) }
    guard case .added = outcomes.first else {
      throw ClusterRefusal(
        "there are too many open invites: take some back (`grange invites`, `grange invite revoke`)"
      )
    }
    await spreadToMajority(invite.bytes)
    return (
      invite,
      JoinToken(
        cluster: identity.cluster, invite: body.invite, secret: secret, expiry: body.expiry,
        peers: tokenPeers())
    )
  }

  /// Sends a record to all connected members, and waits until half of them hold it: with this node a majority.
  ///
  /// - Parameter ends: Whether it ends this node's membership.
  /// - Returns: How many others hold it.
  @discardableResult
  private nonisolated(nonsending) func spreadToMajority(
    _ record: [UInt8], ends: Bool = false
  ) async -> Int {
    guard let mesh else { return 0 }
    let connected = mesh.connected
    let wanted = (connected.count + 1) / 2
    guard wanted > 0 else { return 0 }
    return await withTaskGroup(of: Bool?.self) { group in
      for node in connected {
        group.addTask { await self.pushed([record], to: node, ends: ends) }
      }
      group.addTask { [runtime] in
        try? await runtime.sleep(for: Self.spreadMax)
        return nil
      }
      var holders = 0
      var waitedFor = connected.count
      // Who hears that this node leaves may hang up instead of answering.
      while holders < wanted, waitedFor > 0, let step = await group.next(), let isHeld = step {
        waitedFor -= 1
        if isHeld { holders += 1 }
      }
      // The others go on by gossip.
      group.cancelAll()
      return holders
    }
  }

  /// This node, and others that are up, with where they are reached.
  private func tokenPeers() -> [JoinToken.Peer] {
    guard let mesh, let cluster = state.withLock(\.cluster) else { return [] }
    var peers = [
      JoinToken.Peer(
        node: own,
        addresses: ownAddresses(mesh).prefix(Self.tokenAddressesMax).map(\.address))
    ]
    for node in mesh.connected {
      guard let announcement = cluster.announcement(of: node), peers.count < JoinToken.peersMax
      else { continue }
      peers.append(
        JoinToken.Peer(
          node: node,
          addresses: announcement.body.addresses.prefix(Self.tokenAddressesMax).map(\.address)))
    }
    return peers
  }

  /// Takes back the invite whose ID begins with `prefix`.
  package nonisolated(nonsending) func revokeInvite(_ prefix: String) async throws -> Invite {
    let (identity, cluster) = try memberState()
    let found = cluster.invites.filter { $0.body.invite.hex.hasPrefix(prefix.lowercased()) }
    guard let invite = found.first, !prefix.isEmpty else {
      throw ClusterRefusal("no invite begins with \(prefix): see `grange invites`")
    }
    guard found.count == 1 else {
      throw ClusterRefusal("several invites begin with \(prefix): give more of the ID")
    }
    let revocation = try InviteRevocation(
      signing: InviteRevocationBody(
        cluster: identity.cluster, invite: invite.body.invite, signer: own), with: key)
    try await take([revocation.bytes], from: nil)
    return invite
  }

  /// All invites that are held, the newest first.
  package var invites: [InviteFacts] {
    guard let cluster = state.withLock(\.cluster) else { return [] }
    let now = runtime.wallNow
    return cluster.invites.map { invite in
      InviteFacts(
        invite: invite, uses: cluster.membership.uses(of: invite.body.invite),
        refusal: cluster.refusal(of: invite, now: now))
    }.sorted { ($0.invite.body.expiry, $0.invite.id) > ($1.invite.body.expiry, $1.invite.id) }
  }

  // MARK: Ending

  /// What expelling `node` would do.
  ///
  /// - Throws: `ClusterRefusal` when it may not be.
  package func forecast(removing node: NodeID) throws -> EndingForecast {
    let (_, cluster) = try memberState()
    guard node != own else {
      throw ClusterRefusal("this is this node itself: `grange leave` makes it leave")
    }
    guard cluster.membership.contains(node) else {
      throw ClusterRefusal("the node is no member")
    }
    guard node != cluster.founder || cluster.currentLayout != nil else {
      throw ClusterRefusal(
        "that node founded the cluster, and decides who stores as long as nobody does: it can be removed once others "
          + "hold copies")
    }
    let forecast = cluster.membership.forecast(
      ending: node, by: own, keeping: cluster.membership.signed(by: node))
    if let loss = Self.lossOfHolders(forecast, in: cluster) {
      throw ClusterRefusal(
        "\(loss): it can be removed once others hold copies (`grange layout show`)")
    }
    return forecast
  }

  /// What an ending would take from those who hold a partition, if less than a majority of them would be left.
  ///
  /// Those that are no members any more count too: without a majority nothing is acknowledged, and nothing decided.
  private static func lossOfHolders(
    _ forecast: EndingForecast, in cluster: ClusterState
  ) -> String? {
    guard let layout = cluster.currentLayout else { return nil }
    let lost = Set(forecast.membersLost)
    let regained = Set(forecast.membersRegained)
    for partition in 0...LayoutVersion.fullyReplicated {
      let holders = layout.holders(of: partition)
      guard !lost.isDisjoint(with: holders) else { continue }
      let left = holders.count {
        !lost.contains($0) && (cluster.membership.contains($0) || regained.contains($0))
      }
      if left < holders.count / 2 + 1 {
        return holders.count == 1
          ? "that node holds everything that is stored, alone"
          : "of \(holders.count) nodes that hold the data \(left) would be left, which is no majority"
      }
    }
    return nil
  }

  /// Expels `node`, for good; what it admitted stays.
  package nonisolated(nonsending) func remove(_ node: NodeID) async throws {
    _ = try forecast(removing: node)
    let (identity, cluster) = try memberState()
    let ending = try Ending(
      signing: EndingBody(
        cluster: identity.cluster, subject: node, signer: own,
        keeps: cluster.membership.signed(by: node), signed: runtime.wallNow), with: key)
    try await end(ending)
  }

  /// Leaves the cluster, for good.
  package nonisolated(nonsending) func leave() async throws {
    let (identity, cluster) = try memberState()
    guard own != cluster.founder || cluster.currentLayout != nil else {
      throw ClusterRefusal(
        "this node founded the cluster, and decides who stores as long as nobody does: it can leave once others hold "
          + "copies")
    }
    let forecast = cluster.membership.forecast(
      ending: own, by: own, keeping: cluster.membership.signed(by: own))
    if let loss = Self.lossOfHolders(forecast, in: cluster) {
      throw ClusterRefusal("\(loss): it can leave once others hold copies (`grange layout show`)")
    }
    let ending = try Ending(
      signing: EndingBody(
        cluster: identity.cluster, subject: own, signer: own,
        keeps: cluster.membership.signed(by: own), signed: runtime.wallNow), with: key)
    // The others first: who leaves must not be listed for ever by those who never hear of it.
    guard await spreadToMajority(ending.bytes, ends: true) > 0 else {
      throw ClusterRefusal(
        "no other member can be told now: try again once one is connected (`grange status`), or switch this node off and "
          + "remove it on another one (`grange node remove`)")
    }
    try await end(ending)
  }

  private nonisolated(nonsending) func end(_ ending: Ending) async throws {
    // Known: a member was faster to tell of it.
    switch try await take([ending.bytes], from: nil).first {
    case .added, .known: return
    default: throw ClusterRefusal("the cluster has no room for one more record")
    }
  }

  // MARK: Addresses

  /// Tells this node where another is, and waits a moment for the connection; why there is none, or `nil`.
  package nonisolated(nonsending) func connect(_ peer: BootstrapPeer) async -> String? {
    guard let mesh, let cluster = state.withLock(\.cluster) else {
      return "this node is in no cluster"
    }
    guard cluster.membership.contains(peer.node) else {
      return "the node \(peer.node.short) is no member: it joins with a token (`grange invite`)"
    }
    mesh.addresses.tell([peer.address], of: peer.node)
    mesh.dialAgain(peer.node)
    let deadline = runtime.now + Self.spreadMax
    while runtime.now < deadline {
      if mesh.connected.contains(peer.node) { return nil }
      guard (try? await runtime.sleep(for: .milliseconds(50))) != nil else { break }
    }
    let failures = mesh.statuses.first { $0.node == peer.node }?.failures ?? []
    let reasons = failures.map { "\($0.address.text): \($0.reason)" }.joined(separator: "; ")
    return "not connected" + (reasons.isEmpty ? " yet" : " (\(reasons))")
  }
}

/// An invite, and what it is good for.
package struct InviteFacts: Sendable {
  package var invite: Invite
  package var uses: Int
  /// Why it lets nobody in; `nil` when it does.
  package var refusal: InviteRefusal?

  package init(invite: Invite, uses: Int, refusal: InviteRefusal?) {
    self.invite = invite
    self.uses = uses
    self.refusal = refusal
  }
}
