// What happens to a cluster that stores, as the seed chooses: deaths, long absences, cuts between nodes and between a
// client and a node, clocks that step or are in 2099, disks that become slow.

import Base
import Reactor
import SimulatedWorld

extension StorageCluster {
  /// Something happens.
  func event() {
    switch random.below(24) {
    case 0...2: die { $0.kill() }
    case 3...5: die { $0.cutPower() }
    case 6...11: startOne()
    case 12: partition()
    case 13: oneWayCut()
    case 14, 15: cutClient()
    case 16, 17: members.heal()
    case 18: stepClock()
    case 19: farClock()
    case 20: changeDisk()
    case 21: stayAway()
    case 22: resetClient()
    default: dieSoon()
    }
    // A cluster that is down as a whole has nothing to show: it is not for long, but for who stays away.
    if nodes.allSatisfy({ $0.host.state != .running }) { startOne() }
  }

  private func pick<Element>(_ elements: [Element]) -> Element? { members.pick(elements, random) }

  // MARK: Deaths

  /// A node that may die now; rarely more than what the cluster bears.
  private func victim() -> SimulatedNode? {
    let down = nodes.count { !$0.isRunning }
    guard down < options.downMax || random.below(6) == 0 else { return nil }
    return pick(nodes.filter(\.isRunning))
  }

  private func die(_ end: (SimulatedNode) -> Void) {
    guard let node = victim() else { return }
    note("\(node.name) dies")
    end(node)
    expectNotice(of: node)
    startLater(node, within: .seconds(12))
  }

  /// Sets the death of a node to where it may be in the middle of something.
  private func dieSoon() {
    guard let node = victim() else { return }
    let life = node.lives
    world.at(world.now + random.duration(in: .zero ... .seconds(1))) { [self] in
      guard node.lives == life, node.isRunning, !isEnding else { return }
      note("\(node.name) dies in the middle")
      node.kill()
      expectNotice(of: node)
    }
  }

  private func expectNotice(of node: SimulatedNode) {
    members.expectNotice(of: node, by: nodes.filter { $0 !== node })
  }

  /// A node of a home comes back soon, mostly.
  private func startLater(_ node: SimulatedNode, within time: Duration) {
    let life = node.lives
    world.at(world.now + random.duration(in: .milliseconds(100)...time)) { [self] in
      guard node.lives == life, node.host.state != .running, !isAbsent(node) else { return }
      note("\(node.name) starts again")
      node.start()
    }
  }

  private func startOne() {
    guard let node = pick(nodes.filter { $0.host.state != .running && !isAbsent($0) }) else {
      return
    }
    note("\(node.name) starts again")
    node.start()
  }

  private func isAbsent(_ node: SimulatedNode) -> Bool {
    absent[node.name].map { world.now < $0 } ?? false
  }

  /// A node is gone for long: in a cluster often to the end, and alone for half a minute.
  private func stayAway() {
    guard absent.isEmpty || absent.values.allSatisfy({ $0 <= world.now }), let node = victim()
    else {
      return
    }
    note("\(node.name) goes away for long")
    tally.count(.absences)
    let time: Duration =
      nodes.count == 1 ? .seconds(10 + random.below(20)) : .seconds(30 + random.below(600))
    absent[node.name] = world.now + time
    node.cutPower()
    expectNotice(of: node)
  }

  // MARK: Ways

  private func partition() {
    var sides: [[SimulatedNode]] = [[], []]
    for node in nodes { sides[random.below(2)].append(node) }
    guard !sides[0].isEmpty, !sides[1].isEmpty else { return }
    tally.count(.partitions)
    members.partition(sides[0], sides[1])
  }

  private func oneWayCut() {
    guard let from = pick(nodes), let to = pick(nodes.filter { $0 !== from }) else { return }
    note("nothing passes from \(from.name) to \(to.name)")
    tally.count(.oneWayCuts)
    members.conditionsChange()
    world.net.cut(from: from.host, to: to.host)
  }

  /// A client does not reach a node, or not hear it: then a write is done, and nobody knows.
  private func cutClient() {
    guard let client = pick(clientHosts), let node = pick(nodes) else { return }
    tally.count(.clientCuts)
    let isHeard = random.below(3) > 0
    note("\(client.name) \(isHeard ? "does not hear" : "does not reach") \(node.name)")
    if isHeard {
      world.net.cut(from: node.host, to: client)
    } else {
      world.net.cut(from: client, to: node.host)
    }
  }

  private func resetClient() {
    guard let client = pick(clientHosts), let node = pick(nodes) else { return }
    note("connections of \(client.name) and \(node.name) are reset")
    tally.count(.clientResets)
    world.net.reset(client, node.host)
  }

  // MARK: Clocks and disks

  private func stepClock() {
    guard let node = pick(nodes) else { return }
    let step = random.below(1800) - 900
    note("the clock of \(node.name) steps by \(step) s")
    node.host.stepClock(by: .seconds(step))
  }

  /// Milliseconds of 2099-01-01.
  private static let farMilliseconds: Int64 = 4_070_908_800_000

  /// The clock of one node shows 2099, or is right again.
  private func farClock() {
    if let node = nodes.first(where: { $0.host.clockOffset > .seconds(86_400 * 365) }) {
      note("the clock of \(node.name) is right again")
      return node.host.stepClock(by: .zero - node.host.clockOffset)
    }
    guard let node = pick(nodes) else { return }
    note("the clock of \(node.name) shows 2099")
    tally.count(.farClocks)
    node.host.stepClock(by: .milliseconds(Self.farMilliseconds - node.host.wallNow.milliseconds))
  }

  private func changeDisk() {
    guard let node = pick(nodes) else { return }
    let isSlow = random.below(3) > 0
    note("the disk of \(node.name) is \(isSlow ? "slow" : "fast")")
    if isSlow { tally.count(.slowDisks) }
    node.host.commitDelay =
      isSlow ? .milliseconds(20) ... .milliseconds(900) : .milliseconds(1) ... .milliseconds(20)
  }
}

extension SimulatedMembers {
  /// As `pick`, for somebody with a random source of their own.
  func pick<Element>(_ elements: [Element], _ random: SeededRandom) -> Element? {
    elements.isEmpty ? nil : elements[random.below(elements.count)]
  }
}
