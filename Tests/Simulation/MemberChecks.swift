// What must be so once everything is healed, everybody runs, and there was time to talk.

import Base
import Cluster
import Codecs
import Daemon
import Mesh
import Reactor
import SimulatedWorld

extension SimulatedMembers {
  /// How long it may take until all agree and are connected: a back-off of 60 s that has just begun, a round of dials
  /// of 10 s, and the same again for who has to learn an address first.
  private static let settlingMax: Duration = .seconds(180)

  /// Heals all, starts all, and checks everything.
  ///
  /// - Throws: `SimulationFailure`.
  func finish() async throws {
    heal()
    for node in nodes { node.start() }
    try await settle()
    try checkEndings()
    try checkOveradmissions()
    try await checkBadTokens()
    try await checkReturn()
    try await checkUsedToken()
    try await settle()
    if let failure = failures.first { throw SimulationFailure(failure) }
    countJoins()
  }

  // MARK: Agreement

  /// Waits until all members agree and are connected.
  private func settle() async throws {
    let end = world.now + Self.settlingMax
    while let reason = whyNotSettled() {
      guard world.now < end else {
        throw SimulationFailure("not settled within \(Self.settlingMax): \(reason)")
      }
      try await world.sleep(for: .seconds(1))
    }
    note("settled: \(members.map(\.name).joined(separator: " "))")
  }

  /// The members, as the founder sees them.
  var members: [SimulatedNode] { founder.members.compactMap(node) }

  private func whyNotSettled() -> String? {
    guard pending == 0 else { return "requests are under way" }
    if let node = nodes.first(where: \.isStarting) { return "\(node.name) is starting" }
    let expected = founder.members
    guard expected.contains(where: { $0 == founder.id }) else { return "the founder is no member" }
    guard members.count == expected.count else { return "somebody unknown is a member" }
    // Who was let in and has not heard of it can only ask where its token says.
    let members = members.filter { !isLost($0) }
    let digest = founder.running?.cluster.meshNews()
    for member in members {
      guard member.isMember else {
        return "\(member.name) does not take itself for a member: \(member.failure ?? "")"
      }
      guard member.members == expected else { return "\(member.name) knows other members" }
      guard member.running?.cluster.meshNews() == digest else {
        return "\(member.name) has another state"
      }
    }
    for (index, first) in members.enumerated() {
      for second in members[(index + 1)...] where Self.canMeet(first, second) {
        if let reason = whyNotJoined(first, second) { return reason }
      }
    }
    return nil
  }

  /// Whether nothing that `node` knows leads to a member: it waits to join, and all whom its token names have moved, or are
  /// none any more.
  private func isLost(_ node: SimulatedNode) -> Bool {
    guard case .joining = node.running?.cluster.standing, let text = node.token,
      let token = try? JoinToken(reading: text)
    else { return false }
    let members = members
    return !token.peers.contains { peer in
      guard let member = members.first(where: { $0.id == peer.node && $0.isMember }) else {
        return false
      }
      return peer.addresses.contains { leads($0.text, to: member) }
    }
  }

  /// Whether `address` is one by which others reach `node` now.
  private func leads(_ address: String, to node: SimulatedNode) -> Bool {
    let own = node.host.router.map { [$0.address.host] } ?? node.host.addresses.map(\.host)
    return node.publicAddress == address
      || node.isReachable && own.contains { address == "\($0):\(SimulatedNode.port)" }
  }

  /// Whether there is one pair of connections.
  private func whyNotJoined(_ first: SimulatedNode, _ second: SimulatedNode) -> String? {
    for (node, other) in [(first, second), (second, first)] {
      guard let id = other.id, let mesh = node.running?.mesh else { return "\(node.name) is off" }
      guard mesh.connected.contains(id) else {
        let failures = mesh.statuses.first { $0.node == id }?.failures ?? []
        let reasons = failures.map { "\($0.address.text): \($0.reason)" }
        return "\(node.name) has no connection to \(other.name) (\(reasons))"
      }
      guard mesh.hasBulk(id) else { return "\(node.name) has no bulk connection to \(other.name)" }
    }
    let count = world.net.connectionCount(first.host, second.host)
    return count == 2 ? nil : "\(first.name) and \(second.name) have \(count) connections"
  }

  // MARK: Who is in and who is out

  /// Who was ended by who is a member still, or has left, is out.
  private func checkEndings() throws {
    let members = members
    func isMember(_ node: SimulatedNode) -> Bool { members.contains { $0 === node } }
    for ending in ended where isMember(ending.subject) {
      guard ending.signer === ending.subject || isMember(ending.signer) else { continue }
      throw SimulationFailure("\(ending.subject.name) was ended and is a member")
    }
    for node in nodes where node.hasBadToken && isMember(node) {
      throw SimulationFailure("\(node.name) is a member by a bad token")
    }
  }

  /// Members show which invites let too many in, and those only.
  private func checkOveradmissions() throws {
    var shown: Set<String> = []
    for member in members {
      guard let cluster = member.running?.cluster else { continue }
      let lines = cluster.attention
      for facts in cluster.invites {
        let hex = String(facts.invite.body.invite.hex.prefix(8))
        let isOver = facts.uses > facts.invite.body.usesMax
        if isOver { shown.insert(hex) }
        guard isOver == lines.contains(where: { $0.contains("the invite \(hex) ") }) else {
          throw SimulationFailure("\(member.name) shows invite \(hex) wrongly: \(lines)")
        }
      }
    }
    tally.overadmissions += shown.count
    try checkUses(shown)
  }

  /// Counts uses without the production's help: who is a member by which token.
  private func checkUses(_ shown: Set<String>) throws {
    var uses: [(hex: String, max: Int, count: Int)] = []
    for facts in founder.running?.cluster.invites ?? [] {
      let hex = facts.invite.body.invite.hex
      let count = members.count { member in
        (member.token.flatMap { try? JoinToken(reading: $0) })?.invite.hex == hex
      }
      uses.append((String(hex.prefix(8)), facts.invite.body.usesMax, count))
    }
    for use in uses where use.count > use.max && !shown.contains(use.hex) {
      throw SimulationFailure("invite \(use.hex) let \(use.count) in, and nobody shows it")
    }
  }

  private func countJoins() {
    tally.joins += nodes.count { $0 !== founder && $0.running?.cluster.identity != nil }
  }

  // MARK: Who stays outside

  private func checkBadTokens() async throws {
    for node in nodes where node.hasBadToken { try await expectNothing(of: node) }
    for node in members where node !== founder {
      guard try await node.s3() == 503 else {
        throw SimulationFailure("\(node.name) holds nothing and answers S3")
      }
    }
  }

  /// A node that waits to join serves no store and founds no cluster.
  private func expectNothing(of node: SimulatedNode) async throws {
    guard case .joining = node.running?.cluster.standing else {
      throw SimulationFailure("\(node.name) does not wait to join: \(node.failure ?? "")")
    }
    guard try await node.s3() == 503 else {
      throw SimulationFailure("\(node.name) waits to join and answers S3")
    }
    let bucket = try await node.admin("POST", "/v2/CreateBucket", ["globalAlias": "first"])
    let token = await invite(on: node, uses: 1)
    guard bucket.status != 200, token == nil, node.running?.cluster.identity == nil else {
      throw SimulationFailure("\(node.name) was given a bad token and minted something")
    }
  }

  /// A node that was removed does not come back, though it has a good token.
  private func checkReturn() async throws {
    let members = members
    guard
      let node = pick(
        ended.map(\.subject).filter { node in !members.contains { $0 === node } }),
      let token = await invite(on: founder, uses: 1)
    else { return }
    note("\(node.name) tries to come back")
    node.kill()
    node.token = token
    node.start()
    try await world.sleep(for: .seconds(20))
    for member in self.members {
      guard member !== node, !member.isConnected(to: node) else {
        throw SimulationFailure("\(node.name) was removed and came back")
      }
    }
    tally.returnsRefused += 1
  }

  /// Who comes second with an invite for one is told so.
  private func checkUsedToken() async throws {
    guard let token = await invite(on: founder, uses: 1) else {
      throw SimulationFailure("the founder makes no invite")
    }
    let (first, second) = (addNode(isPlain: true), addNode(isPlain: true))
    first.token = token
    first.start()
    try await world.sleep(for: .seconds(10))
    guard first.isMember else { throw SimulationFailure("\(first.name) could not join") }
    second.token = token
    second.start()
    try await world.sleep(for: .seconds(20))
    guard case .joining(let reason) = second.running?.cluster.standing,
      reason.contains("was used")
    else { throw SimulationFailure("\(second.name) is not told that the invite was used") }
    tally.joinsRefused += 1
    try await expectNothing(of: second)
  }

  // MARK: As users see it

  /// `GetClusterStatus` of every member names the members.
  func checkStatus() async throws {
    let expected = founder.members
    for member in members where !isLost(member) {
      let status = try await member.admin("GET", "/v2/GetClusterStatus").body
      let ids = (status["nodes"]?.array ?? []).compactMap { $0["id"]?.string }
      guard ids.sorted() == expected.map(\.hex).sorted() else {
        throw SimulationFailure("the status of \(member.name) shows other members")
      }
      for node in status["nodes"]?.array ?? [] where node["isUp"] != true {
        let other = members.first { $0.id?.hex == node["id"]?.string }
        if let other, !isLost(other), Self.canMeet(member, other) {
          throw SimulationFailure("the status of \(member.name) shows \(other.name) down")
        }
      }
    }
  }
}
