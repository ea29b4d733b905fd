// What happens to the cluster, as the seed chooses.

import Base
import Cluster
import Codecs
import Reactor
import SimulatedWorld

extension SimulatedMembers {
  /// Founds the cluster, and lets three to seven nodes begin to join it.
  func begin() async throws {
    addFounder()
    founder.start()
    try await world.sleep(for: .seconds(1))
    let count = 2 + random.below(5)
    guard let token = await invite(on: founder, uses: count) else {
      throw SimulationFailure("the founder makes no invite: \(founder.failure ?? "it runs")")
    }
    for _ in 0..<count {
      let node = addNode()
      join(node, token)
      try await world.sleep(for: world.worldRandom.duration(in: .zero ... .seconds(2)))
    }
    try await world.sleep(for: .seconds(20))
  }

  /// Lets a node that was not started yet join, by the token that it is started with or by a command.
  func join(_ node: SimulatedNode, _ token: String) {
    if random.below(3) > 0 {
      note("\(node.name) starts with a token")
      node.token = token
      node.start()
      return maybeKillSoon(node)
    }
    node.start()
    beside("\(node.name) is told to join") { [world] in
      try await world.sleep(for: .seconds(1))
      _ = try await node.admin("POST", "/v2/JoinCluster", ["token": .string(token)])
    }
  }

  /// Something happens.
  func event() async throws {
    switch random.below(26) {
    case 0...2: kill()
    case 3, 4: cutPower()
    case 5...9: startOne()
    case 10, 11: partition()
    case 12: oneWayCut()
    case 13, 14: heal()
    case 15, 16: changeAddress()
    case 17: remove()
    case 18: try await removeEachOther()
    case 19: leave()
    case 20: try await joinOnTwoSides()
    case 21: try await joinAnew()
    case 22: joinBadly()
    case 23: leave()
    default: disturb()
    }
  }

  // MARK: Deaths

  private func kill() {
    guard let node = pick(nodes.filter(\.isRunning)) else { return }
    note("\(node.name) is killed")
    node.kill()
    expectNotice(of: node, by: nodes.filter { $0 !== node })
  }

  private func cutPower() {
    guard let node = pick(nodes.filter(\.isRunning)) else { return }
    note("\(node.name) loses its power")
    node.cutPower()
    expectNotice(of: node, by: nodes.filter { $0 !== node })
  }

  private func startOne() {
    guard let node = pick(nodes.filter { $0.host.state != .running }) else { return }
    note("\(node.name) starts again")
    node.start()
  }

  /// Mostly nothing; sometimes `node` dies in the middle of what it does now.
  private func maybeKillSoon(_ node: SimulatedNode) {
    guard random.below(3) == 0 else { return }
    let life = node.lives
    world.at(world.now + .milliseconds(random.below(700))) { [self] in
      guard node.lives == life, node.host.state == .running else { return }
      note("\(node.name) dies in the middle")
      node.kill()
      expectNotice(of: node, by: nodes.filter { $0 !== node })
    }
  }

  // MARK: Ways

  private func partition() {
    var sides: [[SimulatedNode]] = [[], []]
    for node in nodes { sides[random.below(2)].append(node) }
    partition(sides[0], sides[1])
  }

  func partition(_ first: [SimulatedNode], _ second: [SimulatedNode]) {
    guard !first.isEmpty, !second.isEmpty else { return }
    let names = [first, second].map { $0.map(\.name).joined(separator: " ") }
    note("a partition: \(names[0]) | \(names[1])")
    tally.partitions += 1
    conditionsChange()
    world.net.partition(first.map(\.host), second.map(\.host))
    for node in first { expectNotice(of: node, by: second) }
    for node in second { expectNotice(of: node, by: first) }
  }

  private func oneWayCut() {
    guard let from = pick(nodes), let to = pick(nodes.filter { $0 !== from }) else { return }
    note("nothing passes from \(from.name) to \(to.name)")
    tally.oneWayCuts += 1
    conditionsChange()
    world.net.cut(from: from.host, to: to.host)
    expectNotice(of: from, by: [to])
    expectNotice(of: to, by: [from])
  }

  func heal() {
    note("all ways are open")
    conditionsChange()
    world.net.heal()
  }

  private func changeAddress() {
    guard let node = pick(nodes) else { return }
    conditionsChange()
    let address = nextAddress()
    note("\(node.name) moves to \(address)")
    if let router = node.host.router {
      world.net.changeAddress(of: router, to: address)
    } else {
      world.net.changeAddress(of: node.host, to: address)
    }
    if node === founder { nameFounder() }
  }

  /// Something small: connections are reset, or a clock steps.
  private func disturb() {
    guard let first = pick(nodes), let second = pick(nodes.filter { $0 !== first }) else { return }
    if random.below(2) == 0 {
      note("connections of \(first.name) and \(second.name) are reset")
      world.net.reset(first.host, second.host)
    } else {
      let step = random.below(1200) - 300
      note("the clock of \(first.name) steps by \(step) s")
      first.host.stepClock(by: .seconds(step))
    }
  }

  // MARK: Members that go

  private func remove() {
    guard let signer = pick(livingMembers),
      let subject = pick(nodes.filter { $0 !== signer && $0 !== founder && $0.id != nil })
    else { return }
    removes(signer, subject) {}
    maybeKillSoon(signer)
  }

  private func removes(
    _ signer: SimulatedNode, _ subject: SimulatedNode, then: @escaping @Sendable () -> Void
  ) {
    guard let id = subject.id else { return }
    beside("\(signer.name) removes \(subject.name)") { [self] in
      let answer = try await signer.admin("POST", "/v2/RemoveNode?node=\(id.hex)&certain=true")
      guard answer.status == 200 else {
        return note("the removal of \(subject.name) is refused: \(answer.body.serialize())")
      }
      note("\(signer.name) has removed \(subject.name)")
      tally.removals += 1
      ended.append(Ended(signer: signer, subject: subject))
      then()
    }
  }

  /// Two members that do not see each other remove each other.
  private func removeEachOther() async throws {
    let able = livingMembers.filter { $0 !== founder && $0.members.count >= 4 }
    guard let first = pick(able), let firstID = first.id,
      let second = pick(
        able.filter {
          $0 !== first && $0.id.map(first.members.contains) == true
            && $0.members.contains(firstID)
        })
    else { return }
    try await separate(first, second)
    let done = Count()
    for (signer, subject) in [(first, second), (second, first)] {
      removes(signer, subject) { [self] in
        done.value += 1
        if done.value == 2 { tally.mutualRemovals += 1 }
      }
    }
    try await world.sleep(for: .seconds(3))
  }

  private final class Count: @unchecked Sendable {
    // Safe because only the world's one thread touches it.
    var value = 0
  }

  /// Heals everything, and cuts it so that the two are on different sides.
  private func separate(_ first: SimulatedNode, _ second: SimulatedNode) async throws {
    heal()
    try await world.sleep(for: .seconds(5))
    var sides = [[first], [second]]
    for node in nodes where node !== first && node !== second {
      sides[random.below(2)].append(node)
    }
    partition(sides[0], sides[1])
    try await world.sleep(for: .seconds(10))
  }

  private func leave() {
    guard let node = pick(livingMembers.filter { $0 !== founder }) else { return }
    maybeKillSoon(node)
    beside("\(node.name) leaves") { [self] in
      let answer = try await node.admin("POST", "/v2/LeaveCluster")
      guard answer.status == 200 else { return }
      note("\(node.name) has left")
      tally.leaves += 1
      ended.append(Ended(signer: node, subject: node))
    }
  }

  // MARK: Members that come

  private func joinAnew() async throws {
    guard nodes.count < Self.nodesMax, let issuer = pick(inviters),
      let token = await invite(on: issuer, uses: 1)
    else { return }
    join(addNode(), token)
  }

  /// An invite for one is used on both sides of a partition.
  private func joinOnTwoSides() async throws {
    heal()
    try await world.sleep(for: .seconds(5))
    guard nodes.count + 2 <= Self.nodesMax, let first = pick(inviters),
      let second = pick(
        livingMembers.filter { $0 !== first && $0.isReachable && first.isConnected(to: $0) }),
      let token = await invite(on: first, uses: 1), let read = try? JoinToken(reading: token),
      read.peers.contains(where: { $0.node == second.id })
    else { return note("nobody could be let in on two sides") }
    let (left, right) = (addNode(isPlain: true), addNode(isPlain: true))
    note("one invite is used on two sides")
    var sides = [[first, left], [second, right]]
    for node in nodes where !(sides[0] + sides[1]).contains(where: { $0 === node }) {
      sides[random.below(2)].append(node)
    }
    partition(sides[0], sides[1])
    for node in [left, right] {
      node.token = token
      node.start()
    }
    try await world.sleep(for: .seconds(45))
  }

  /// A node gets a token that is no good.
  private func joinBadly() {
    guard nodes.count < Self.nodesMax, let issuer = pick(inviters) else { return }
    let kind = random.below(3)
    beside("a node gets a bad token") { [self] in
      guard let token = await invite(on: issuer, uses: 1), nodes.count < Self.nodesMax,
        var read = try? JoinToken(reading: token)
      else { return }
      let node = addNode(isPlain: true)
      node.hasBadToken = true
      tally.badTokens += 1
      switch kind {
      case 0: node.token = String(token.dropLast()) + (token.last == "2" ? "3" : "2")
      case 1:
        read.secret = InviteSecret(random: random)
        node.token = read.text
      default:
        read.cluster = ClusterID(random: random)
        node.token = read.text
      }
      node.start()
    }
  }
}
