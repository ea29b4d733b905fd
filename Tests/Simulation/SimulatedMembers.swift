// A cluster of production nodes in a simulated world, and what the scenario knows of it.

import Base
import Cluster
import Codecs
import Mesh
import Reactor
import SimulatedWorld

/// What a seed showed to be wrong.
struct SimulationFailure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// The cluster, and the scenario's choices.
final class SimulatedMembers: @unchecked Sendable {
  // Safe because only the world's one thread touches it.

  /// A removal, a leave or a mutual removal that was acknowledged.
  struct Ended {
    /// Who signed it; the subject itself for a leave.
    var signer: SimulatedNode
    var subject: SimulatedNode
  }

  let world: SimulatedRuntime
  /// Chooses events: apart from the world's own, so that a longer run begins as a shorter one.
  let random: SeededRandom
  private(set) var nodes: [SimulatedNode] = []
  var tally = Tally()
  /// Tokens of cluster-wide invites that are still to be used, the newest last.
  var tokens: [String] = []
  var ended: [Ended] = []
  /// What was found wrong by something that runs beside the scenario.
  var failures: [String] = []
  /// Requests under way.
  var pending = 0
  /// Grows with each change of what can be reached.
  private(set) var conditions = 0
  private var addressesUsed = 0

  /// Hosts that one scenario has at most: a seed stays cheap.
  static let nodesMax = 12
  static let founderName = "founder.example"

  init(_ world: SimulatedRuntime) {
    self.world = world
    random = SeededRandom(seed: world.seed ^ 0x7363_656e_6172_696f)
  }

  var founder: SimulatedNode { nodes[0] }

  func note(_ text: String) { world.note(text) }

  func fail(_ text: String) {
    note("FAILED: \(text)")
    failures.append(text)
  }

  // MARK: Hosts

  /// Adds the first node, which founds the cluster; it has a name that always leads to it.
  func addFounder() {
    let host = world.addHost("n0", address: nextAddress())
    nodes.append(
      SimulatedNode(host, publicAddress: "\(Self.founderName):\(SimulatedNode.port)"))
    nameFounder()
  }

  func nameFounder() {
    world.net.names[Self.founderName] = SimulatedName(founder.host.addresses.map(\.host))
  }

  /// Adds a node with conditions that the seed chooses; it is not started.
  func addNode(isPlain: Bool = false) -> SimulatedNode {
    let name = "n\(nodes.count)"
    let clock = isPlain ? .zero : clockOffset()
    let node: SimulatedNode
    if !isPlain, random.below(4) == 0 {
      tally.behindRouters += 1
      let router = world.addRouter(address: nextAddress())
      let host = world.addHost(name, behind: router, clockOffset: clock)
      let isForwarded = random.below(2) == 0
      if isForwarded {
        router.forward(
          port: SimulatedNode.port, to: host.addresses[0].with(port: SimulatedNode.port))
      }
      node = SimulatedNode(host, isReachable: isForwarded)
    } else {
      node = SimulatedNode(world.addHost(name, address: nextAddress(), clockOffset: clock))
    }
    // Some disks are slow: more can happen while they commit.
    if random.below(3) == 0 { node.host.commitDelay = .milliseconds(20) ... .milliseconds(400) }
    nodes.append(node)
    return node
  }

  /// An address that nobody has had; 198.51.100.0/24 is for examples, as is what `addHost` gives.
  func nextAddress() -> String {
    addressesUsed += 1
    return "198.51.\(100 + addressesUsed / 250).\(1 + addressesUsed % 250)"
  }

  private func clockOffset() -> Duration {
    switch random.below(6) {
    case 0:
      tally.wrongClocks += 1
      // A computer without a battery: some seconds into 1970.
      return .milliseconds(10_000 - world.wallNow.milliseconds)
    case 1:
      tally.wrongClocks += 1
      return .seconds(random.below(1200) - 600)
    default: return .zero
    }
  }

  // MARK: Choices

  func pick<Element>(_ elements: [Element]) -> Element? {
    elements.isEmpty ? nil : elements[random.below(elements.count)]
  }

  /// Nodes that take themselves for members.
  var livingMembers: [SimulatedNode] { nodes.filter(\.isMember) }

  /// Members whose word about invites is worth something: a token made in 1970 has ended long ago.
  var inviters: [SimulatedNode] {
    livingMembers.filter { $0.host.clockOffset > .seconds(-3600) && $0.isReachable }
  }

  func node(_ id: NodeID) -> SimulatedNode? { nodes.first { $0.id == id } }

  // MARK: What can be reached

  /// Says that what can be reached changes.
  func conditionsChange() { conditions += 1 }

  /// Whether one of the two can dial the other when nothing is cut.
  static func canMeet(_ first: SimulatedNode, _ second: SimulatedNode) -> Bool {
    first.isReachable || second.isReachable
  }

  /// Demands that in 10 s the `watchers` have no connection to `lost` any more, unless either lives anew or dies, or the ways
  /// change meanwhile: who is cut off one way only is heard until it dies.
  func expectNotice(of lost: SimulatedNode, by watchers: [SimulatedNode]) {
    let (lostTurns, condition) = (lost.lives + lost.deaths, conditions)
    let known = watchers.filter { $0.isConnected(to: lost) }.map { ($0, $0.lives) }
    guard !known.isEmpty else { return }
    tally.noticed += 1
    world.at(world.now + .seconds(10)) { [self] in
      guard conditions == condition, lost.lives + lost.deaths == lostTurns else { return }
      for (watcher, life) in known where watcher.lives == life && watcher.isConnected(to: lost) {
        fail("\(watcher.name) has not noticed within 10 s that \(lost.name) is gone")
      }
    }
  }

  // MARK: Requests

  /// Does something beside the scenario; what a dead host leaves unanswered is no failure.
  func beside(_ what: String, _ body: @escaping @Sendable () async throws -> Void) {
    pending += 1
    note(what)
    world.spawn { [self] in
      do {
        try await body()
      } catch let error as SimulationFailure {
        fail(error.description)
      } catch { note("\(what): \(error)") }
      pending -= 1
    }
  }

  /// Makes an invite on `node`; `nil` when there is no answer, or it is refused.
  func invite(on node: SimulatedNode, uses: Int) async -> String? {
    let answer = try? await node.admin(
      "POST", "/v2/CreateInvite", ["uses": .count(UInt64(uses)), "expiresSeconds": 86_400])
    return answer?.body["token"]?.string
  }
}
