// The node's cluster as the admin interface shows and changes it.

package import AdminAPI
import Base
import Cluster
import Layout
import Mesh
import Reactor
import Synchronization
import Tables

/// Answers the admin interface's questions about members.
final class NodeCluster: AdminCluster {
  let service: ClusterService
  private let tables: NodeTables
  private let mesh: NodeMesh
  private let runtime: any Runtime
  /// What to do when an operator wants the node to begin anew with a token.
  private let beginAnew: @Sendable (_ token: String) -> Void
  /// What an operator should know of the token that the node was started with.
  private let tokenWarning: String?

  init(
    _ service: ClusterService, tables: NodeTables, mesh: NodeMesh, runtime: any Runtime,
    tokenWarning: String?,
    beginAnew: @escaping @Sendable (_ token: String) -> Void
  ) {
    self.service = service
    self.tables = tables
    self.mesh = mesh
    self.runtime = runtime
    self.tokenWarning = tokenWarning
    self.beginAnew = beginAnew
  }

  var own: NodeID { service.own }

  var whyNothingIsStored: String? {
    // Every S3 request asks.
    if service.isHolder, tables.placement.sole != nil { return nil }
    return switch service.standing {
    case .fresh: nil
    case .joining(let reason): "This node waits to join a cluster and stores nothing: \(reason)"
    case .ended:
      "This node is no member of its cluster any more and serves nothing: see `grange status`"
    case .member:
      mayServe
        ? tables.sync.whyNotServing.map { "This node serves nothing yet: \($0)" }
        : "This node is a member of the cluster and stores nothing yet: use \(holderNames)"
    }
  }

  /// Whether a member serves what other nodes hold.
  ///
  /// Until it can read their blocks it does where there are none.
  private var mayServe: Bool {
    service.options.allowsOtherHolders || (service.layout?.storageNodes.count ?? 0) > 1
  }

  /// Those who store, or who may begin to, for people.
  private var holderNames: String {
    let holders = service.layout?.storageNodes
    let names = service.members.filter { holders?.contains($0.node) ?? $0.isFounder }.map {
      let name = $0.announcement?.hostName ?? ""
      return name.isEmpty ? $0.node.short : name
    }
    if names.isEmpty { return "one that stores (`grange layout show`)" }
    return names.sorted().joined(separator: " or ")
  }

  // MARK: Status

  /// Adds to a status that knows this node alone what the cluster knows.
  func complete(_ status: inout ClusterStatus, _ alone: NodeStatus) {
    var own = alone
    let layout = service.layout
    status.layoutVersion = layout?.number ?? 0
    own.addresses = service.ownAddresses(mesh).map(\.address.text)
    let told = service.members.first { $0.node == own.id }?.announcement
    if let zone = told?.zone { own.zone = zone }
    status.attention += service.attention
    if let tokenWarning { status.attention.append(tokenWarning) }
    switch service.standing {
    case .fresh: own.hasRole = true
    case .joining(let reason):
      own.state = .joining
      own.hasRole = false
      status.health = .unavailable
      status.attention.append("not joined yet: \(reason)")
    case .ended(let absence):
      own.state = .ended
      own.hasRole = false
      status.health = .unavailable
      status.attention.append(Self.text(of: absence))
    case .member:
      give(role: layout?.role(of: own.id), under: layout, to: &own, isFounder: service.isFounder)
    }
    status.nodes = [own]
    guard case .member = service.standing else { return }
    for member in service.members where member.node != own.id {
      let node = describe(member, under: layout)
      if !node.isUp {
        status.health = max(
          status.health, layout == nil && member.isFounder ? .unavailable : .degraded)
        status.attention += advice(member)
      }
      status.nodes.append(node)
    }
    if let layout {
      noteReading(layout, &status)
      noteTombstones(layout, &status)
      noteDamage(&status)
      if !Self.canStore(layout, nodes: status.nodes) { status.health = .unavailable }
    }
    status.attention += adviceIfRefused
  }

  /// Says which nodes still read what they missed: those that read this node say so, and nobody reads a gateway.
  private func noteReading(_ layout: LayoutVersion, _ status: inout ClusterStatus) {
    guard layout.storageNodes.count > 1 else { return }
    let isRead = layout.storageNodes.contains(own)
    for (index, node) in status.nodes.enumerated()
    where node.isUp && layout.storageNodes.contains(node.id) {
      let isReading =
        node.id == own
        ? tables.sync.isCatchingUp : tables.sync.source.isCatchingUp(node.id) ?? isRead
      guard isReading else { continue }
      status.nodes[index].state = .catchingUp
      status.health = max(status.health, .degraded)
    }
  }

  /// Says for whom traces of what was deleted are kept.
  private func noteTombstones(_ layout: LayoutVersion, _ status: inout ClusterStatus) {
    status.copies = layout.holders(of: 0).count
    guard layout.storageNodes.contains(own), tables.replica.feed.hasTombstones else { return }
    let away = status.nodes.filter { !$0.isUp && layout.storageNodes.contains($0.id) }
    guard !away.isEmpty else { return }
    status.tombstones = TombstoneDelay(
      since: away.compactMap(\.lastSeen).min { $0.milliseconds < $1.milliseconds },
      waitingFor: away.map(\.id))
  }

  /// Says what no feed will mend.
  private func noteDamage(_ status: inout ClusterStatus) {
    if tables.replica.hasLostRows {
      status.health = .unavailable
      status.attention.append(
        "this node's metadata are older than what its peers have read of them (a disk or folder was put back): it answers "
          + "for nothing until it is replaced; ask a friend for a token, then grange join TOKEN --discard-data"
      )
    }
    let differences = tables.sync.differences
    guard let first = differences.first else { return }
    status.attention.append(
      "this node and \(first.node.hex.prefix(16)) hold different rows although each has read all of the other's, in "
        + "\(differences.count) tables of partitions, the first of them \(first.table) of partition \(first.partition) "
        + "(\(first.ownRows) rows here, \(first.otherRows) there): look at the disks of both (smartctl), and report it"
    )
  }

  /// Whether a write quorum of every partition is up.
  private static func canStore(_ layout: LayoutVersion, nodes: [NodeStatus]) -> Bool {
    let up = Set(nodes.filter(\.isUp).map(\.id))
    return (0...LayoutVersion.fullyReplicated).allSatisfy { partition in
      let holders = layout.holders(of: partition)
      return holders.count(where: up.contains) >= Quorum.write(of: holders.count)
    }
  }

  /// Shows a node with the role that it has; before there is a layout the founder has one.
  private func give(
    role: NodeRole?, under layout: LayoutVersion?, to node: inout NodeStatus, isFounder: Bool
  ) {
    node.hasRole = layout == nil ? isFounder : role != nil
    guard let role else { return }
    node.zone = role.zone
    node.capacityBytes = role.capacityBytes
    node.tags = role.tags
  }

  /// What a node is told whose key is refused and that could not ask why (`ClusterService.keepAskingWhyRefused`).
  private var adviceIfRefused: [String] {
    let peers = mesh.statuses
    guard peers.contains(where: { $0.refusedAt != nil }), !peers.contains(where: \.isConnected)
    else { return [] }
    return [
      "members refuse this node's key, and none says why: most likely it was removed from the cluster while it was away; "
        + "ask them. If so, \(Self.wayBack)"
    ]
  }

  private static let wayBack =
    "it comes back only as a new node: ask a member for a token (`grange invite`), then "
    + "`grange join TOKEN --discard-data`"

  private static func text(of absence: Membership.Absence) -> String {
    switch absence {
    case .ended: "this node has left its cluster or was removed from it: \(wayBack)"
    case .admissionVoided, .neverAdmitted:
      "who admitted this node was removed from the cluster, and its admission with it: \(wayBack)"
    }
  }

  private func describe(_ member: MemberFacts, under layout: LayoutVersion?) -> NodeStatus {
    let told = member.announcement
    let isUp = member.peer?.isConnected ?? false
    var node = NodeStatus(
      id: member.node, hostname: told?.hostName ?? "", version: told?.program ?? "",
      addresses: (told?.addresses ?? []).map(\.address.text), zone: told?.zone,
      capacityBytes: told?.capacityBytes, tags: told?.tags ?? [], isUp: isUp,
      state: isUp ? .up : .down)
    give(
      role: layout?.role(of: member.node), under: layout, to: &node, isFounder: member.isFounder)
    node.roundTrip = member.peer?.roundTrip
    if let heard = member.peer?.lastHeard {
      let ago = (runtime.now - heard).wholeNanoseconds / 1_000_000
      node.lastSeen = WallTime(milliseconds: runtime.wallNow.milliseconds - max(0, ago))
    }
    return node
  }

  /// What to do about a member that is away.
  private func advice(_ member: MemberFacts) -> [String] {
    let name = member.announcement.map(\.hostName) ?? ""
    let label = name.isEmpty ? member.node.short : "\(name) (\(member.node.short))"
    let tried = (member.peer?.failures ?? []).prefix(3).map { "\($0.address.text): \($0.reason)" }
    return [
      "no connection to \(label)"
        + (tried.isEmpty ? "" : "; tried \(tried.joined(separator: "; "))")
        + ": is it running and online?"
    ]
  }

  // MARK: Invites

  func createInvite(_ wish: InviteWish) async throws -> InviteInfo {
    try await translating {
      let (invite, token) = try await service.invite(
        expiresIn: wish.expires, uses: wish.uses, zone: wish.zone)
      var info = Self.info(InviteFacts(invite: invite, uses: 0, refusal: nil), token: token.text)
      info.warning = warning(of: token)
      return info
    }
  }

  /// Why a friend may not reach anybody by `token`.
  ///
  /// `nil` when it names a public address, or one that the operator named.
  private func warning(of token: JoinToken) -> String? {
    if service.ownAddresses(mesh).contains(where: { $0.kind == .configured }) { return nil }
    let addresses = token.peers.flatMap(\.addresses)
    if addresses.isEmpty {
      return
        "the token names no address, so that nobody can use it: say in rpc.public_addresses where friends reach this "
        + "node, and make another"
    }
    let isOfOneNetwork = addresses.allSatisfy { address in
      SocketAddress(parsing: address.text).map(AddressRules.isPrivate) ?? false
    }
    return isOfOneNetwork
      ? "the token names addresses of this node's own network only; for a friend elsewhere, forward the RPC port on the "
        + "router, say in rpc.public_addresses where that is, and make another"
      : nil
  }

  func invites() async throws -> [InviteInfo] {
    service.invites.map { Self.info($0, token: nil) }
  }

  func revokeInvite(_ prefix: String) async throws -> InviteInfo {
    try await translating {
      let invite = try await service.revokeInvite(prefix)
      return Self.info(
        InviteFacts(invite: invite, uses: 0, refusal: .revoked(by: [own])), token: nil)
    }
  }

  private static func info(_ facts: InviteFacts, token: String?) -> InviteInfo {
    let state: InviteInfo.State =
      switch facts.refusal {
      case nil: .open
      case .revoked: .revoked
      case .issuerNotMember: .void
      case .expired: .expired
      case .usedUp: .used
      }
    let body = facts.invite.body
    return InviteInfo(
      id: body.invite.hex, token: token, state: state, usesMax: body.usesMax,
      usesMade: facts.uses, expires: body.expiry, zone: body.zone, issuer: body.issuer)
  }

  // MARK: This node

  func join(_ token: String, discardsData: Bool) async throws -> String {
    let parsed: JoinToken
    do throws(JoinTokenError) {
      parsed = try JoinToken(reading: token)
    } catch {
      throw AdminError(400, "InvalidToken", "\(error)")
    }
    switch service.standing {
    case .fresh, .joining:
      try await service.join(parsed)
      return "This node asks the members that the token names; `grange status` shows how it goes."
    case .member where service.identity?.cluster == parsed.cluster:
      return "This node is a member of that cluster already."
    case .member, .ended:
      guard discardsData else {
        throw AdminError(
          409, "NodeHasData",
          "this node has a cluster of its own; to join with nothing of what it has: grange join TOKEN --discard-data "
            + "(its folders are moved aside, not deleted)")
      }
      beginAnew(token)
      return
        "The node stops, moves its folders aside, and starts again with the token; its log says where they are."
    }
  }

  func leave() async throws -> String {
    try await translating {
      guard case .joining = service.standing else {
        try await service.leave()
        return "This node has left the cluster."
      }
      try await service.stopJoining()
      return
        "This node asks no more to join; it begins a cluster of its own with its first key, bucket or invite."
    }
  }

  // MARK: Other nodes

  func connect(_ peers: [String]) async -> [String?] {
    var failures: [String?] = []
    for text in peers {
      guard let peer = BootstrapPeer(text) else {
        failures.append("\"\(text)\" is no <node ID>@host:port")
        continue
      }
      failures.append(await service.connect(peer))
    }
    return failures
  }

  func remove(_ name: String, isMeant: Bool) async throws -> RemovalInfo {
    try await translating {
      let member = try find(name)
      let forecast = try service.forecast(removing: member.node)
      let openInvites = service.invites.filter {
        $0.refusal == nil && $0.invite.body.issuer == member.node
      }
      if isMeant { try await service.remove(member.node) }
      return RemovalInfo(
        node: member.node, hostname: member.announcement?.hostName ?? "",
        alsoLost: forecast.membersLost.filter { $0 != member.node },
        regained: forecast.membersRegained, voidInvites: openInvites.map(\.invite.body.invite.hex),
        isDone: isMeant)
    }
  }

  /// The member whose ID begins with `name`, or whose host name it is.
  func find(_ name: String) throws -> MemberFacts {
    let found = service.members.filter { member in
      member.announcement?.hostName == name
        || (name.utf8.count >= 8 && member.node.hex.hasPrefix(name.lowercased()))
    }
    guard let member = found.first else {
      throw AdminError(
        404, "NoSuchNode",
        "no member has this host name, or an ID that begins so (8 digits at least): see `grange status`"
      )
    }
    guard found.count == 1 else {
      throw AdminError(409, "NodeNotUnique", "several members are called \(name): give the ID")
    }
    return member
  }

  func translating<Value>(_ body: () async throws -> Value) async throws -> Value {
    do { return try await body() } catch { throw Self.translation(of: error) }
  }

  func translated<Value>(_ body: () throws -> Value) throws -> Value {
    do { return try body() } catch { throw Self.translation(of: error) }
  }

  private static func translation(of error: any Error) -> any Error {
    switch error {
    case let refusal as ClusterRefusal: AdminError(409, "NotPossible", refusal.description)
    case let refusal as LayoutRefusal: AdminError(409, "NotPossible", refusal.description)
    case let waits as WaitsToJoin: AdminError(503, "ServiceUnavailable", waits.description)
    default: error
    }
  }
}

extension ClusterStatus.Health: Comparable {
  /// The worse one is greater.
  package static func < (left: Self, right: Self) -> Bool { left.severity < right.severity }

  private var severity: Int {
    switch self {
    case .healthy: 0
    case .degraded: 1
    case .unavailable: 2
    }
  }
}
