// A cluster that stores, in a simulated world, and the clients that use it.
//
// The nodes are those of the members' simulation (SimulatedNode.swift). How a cluster comes to store is a function
// (`Formation`), as is what must be so in the end beside what clients see (`invariants`): byte-equal replicas, for one.
// With one node, that node founds the cluster and stores all.

import Base
import Codecs
import Reactor
import SimulatedWorld

/// A cluster, its clients, and what happened.
final class StorageCluster: @unchecked Sendable {
  // Safe because only the world's one thread touches it.

  /// What differs from cluster to cluster.
  struct Options: Sendable {
    var nodeCount = 1
    /// Whether objects may be larger than what fits in a row.
    var isLargeAllowed = true
    /// More variables of the nodes' environment.
    var variables: [String: String] = [:]
    /// How many of the nodes are usually down at most; now and then it is more.
    var downMax: Int { nodeCount == 1 ? 1 : (nodeCount - 1) / 2 }
    /// Within which time every node follows a right that was withdrawn; `nil` if only once all is healed.
    var withdrawalMax: Duration? { nodeCount == 1 ? .zero : nil }
    /// Whether two creations of one bucket name at once end in one bucket: see `BucketHistory.isCreationExact`.
    var isCreationExact = false
    /// Whether a quota holds to the object: on one node nothing is counted late.
    var isQuotaExact: Bool { nodeCount == 1 }
  }

  /// Makes the nodes of a cluster and lets them store; returns those that clients talk to.
  typealias Formation = @Sendable (StorageCluster) async throws -> [SimulatedNode]
  /// Something that must be so once all is healed and quiet; throws `SimulationFailure`.
  typealias Invariant = @Sendable (StorageCluster) async throws -> Void

  let world: SimulatedRuntime
  let options: Options
  /// Hosts, partitions, invites, and what runs beside the scenario.
  let members: SimulatedMembers
  /// Chooses events.
  let random: SeededRandom
  /// The nodes that clients talk to.
  private(set) var nodes: [SimulatedNode] = []
  /// Those of them that hold rows, of several.
  var storing: [SimulatedNode] = []
  /// Where clients are.
  private(set) var clientHosts: [SimulatedHost] = []
  private(set) var credentials = S3Credentials(id: "", secret: "")
  var tally = StorageTally()
  var invariants: [Invariant] = []
  /// Why the cluster is not quiet yet, `nil` when it is: feeds that were not read, for one.
  var whyNotQuiet: @Sendable (StorageCluster) async -> String? = { _ in nil }
  /// Nodes that stay away, and until when.
  var absent: [String: MonotonicInstant] = [:]
  private(set) var isEnding = false
  private var moments: Moment = 0
  private var clientsMade = 0

  static let clientHostCount = 4
  /// How long it may take until a healed cluster is quiet.
  private static let quietMax: Duration = .seconds(180)

  init(_ world: SimulatedRuntime, _ options: Options = Options()) {
    self.world = world
    self.options = options
    members = SimulatedMembers(world)
    random = SeededRandom(seed: world.seed ^ 0x7374_6f72_6167_6521)
  }

  func note(_ text: String) { world.note(text) }
  func fail(_ text: String) { members.fail(text) }

  func nextMoment() -> Moment {
    moments += 1
    return moments
  }

  // MARK: Beginning

  /// One node that founds a cluster and stores all; others are members that store nothing.
  static let founderStores: Formation = { cluster in
    [try await cluster.join()[0]]
  }

  /// Founds a cluster, and lets the other nodes join it; they are connected, and none has a role yet.
  func join() async throws -> [SimulatedNode] {
    let settings = settings()
    members.addFounder()
    members.founder.variables = settings
    members.founder.start()
    guard options.nodeCount > 1 else { return members.nodes }
    try await world.sleep(for: .seconds(1))
    guard let token = await members.invite(on: members.founder, uses: options.nodeCount - 1) else {
      throw SimulationFailure("the founder makes no invite")
    }
    for _ in 1..<options.nodeCount {
      let node = members.addNode(isPlain: true)
      node.variables = settings
      node.token = token
      node.start()
    }
    let end = world.now + Self.quietMax
    while !members.nodes.allSatisfy({ $0.isMember && $0.members.count == options.nodeCount }) {
      guard world.now < end else { throw SimulationFailure("the nodes do not become members") }
      try await world.sleep(for: .seconds(1))
    }
    return members.nodes
  }

  /// Limits of storage that the seed shrinks: small objects meet them too.
  private func settings() -> [String: String] {
    var settings = options.variables
    settings["GRANGE_BLOCK_SIZE"] = members.pick(["64K", "1M"], random)
    if options.isLargeAllowed {
      settings["GRANGE_INLINE_THRESHOLD"] = members.pick(["100", "8K"], random)
    }
    return settings
  }

  /// Forms the cluster, and makes the key and the hosts of the clients.
  func begin(_ formation: Formation = founderStores) async throws {
    nodes = try await formation(self)
    addClientHosts()
    try await world.sleep(for: .seconds(1))
    credentials = try await createKey(named: "clients", mayCreateBuckets: true)
  }

  /// Clients nearby and far away, of which the last has a line that breaks: what it wrote it often does not know.
  private func addClientHosts() {
    for index in 1...Self.clientHostCount {
      let host = world.addHost("c\(index)")
      clientHosts.append(host)
      guard index > Self.clientHostCount / 2 else { continue }
      var link = SimulatedLink(delay: .milliseconds(40) ... .milliseconds(200))
      if index == Self.clientHostCount { link.meanLifetime = .seconds(12) }
      for node in nodes { world.net.setLink(link, between: host, and: node.host) }
    }
  }

  func createKey(named name: String, mayCreateBuckets: Bool) async throws -> S3Credentials {
    let body: JSON = ["name": .string(name), "allow": ["createBucket": .bool(mayCreateBuckets)]]
    let answer = try await insist("no key is made") { [nodes] in
      await admin(nodes[0], "CreateKey", body)
    }
    guard let id = answer["accessKeyId"]?.string, let secret = answer["secretAccessKey"]?.string
    else { throw SimulationFailure("a key without a secret") }
    return S3Credentials(id: id, secret: secret)
  }

  // MARK: Clients

  /// A client on one of the hosts, in turn.
  func makeClient(_ random: SeededRandom) -> SimulatedS3Client {
    clientsMade += 1
    return SimulatedS3Client(
      clientHosts[clientsMade % clientHosts.count], credentials,
      random: SeededRandom(seed: random.next()))
  }

  /// Some node, rather one that runs.
  func anyNode(_ random: SeededRandom) -> SimulatedNode {
    let running = nodes.filter(\.isRunning)
    let among = running.isEmpty || random.below(8) == 0 ? nodes : running
    return among[random.below(among.count)]
  }

  /// A command to a node, on its host, as the operator types it.
  func admin(
    _ node: SimulatedNode, _ operation: String, _ body: JSON? = nil, method: String = "POST"
  ) async -> S3Outcome<JSON> {
    guard node.isRunning else {
      return .refused(S3Refusal(status: 0, code: S3Refusal.notDialled))
    }
    do {
      let answer = try await node.admin(method, "/v2/\(operation)", body)
      switch answer.status {
      case 200...299: return .done(answer.body)
      case 400...499:
        let code = answer.body["code"]?.string ?? "\(answer.status)"
        return .refused(S3Refusal(status: answer.status, code: code))
      default: return .unknown("\(answer.status)")
      }
    } catch { return .unknown("\(error)") }
  }

  // MARK: End

  /// Ends the clients, heals everything, and waits until all is quiet.
  ///
  /// - Throws: `SimulationFailure`.
  func quiet() async throws {
    isEnding = true
    note("everything is healed")
    absent = [:]
    members.heal()
    for node in nodes {
      node.host.commitDelay = .milliseconds(1) ... .milliseconds(20)
      // Who is further ahead than replicas accept cannot write; alone it is its own judge.
      if nodes.count > 1, node.host.clockOffset != .zero {
        node.host.stepClock(by: .zero - node.host.clockOffset)
      }
      node.start()
    }
    let end = world.now + Self.quietMax
    while let reason = await reasonOfNoise() {
      guard world.now < end else { throw SimulationFailure("not quiet: \(reason)") }
      try await world.sleep(for: .seconds(1))
    }
    if let failure = members.failures.first { throw SimulationFailure(failure) }
  }

  private func reasonOfNoise() async -> String? {
    if !members.failures.isEmpty { return nil }
    if members.pending > 0 { return "\(members.pending) clients are under way" }
    for node in nodes where !node.isRunning { return "\(node.name): \(node.failure ?? "starts")" }
    return await whyNotQuiet(self)
  }

  /// Checks the invariants.
  ///
  /// - Throws: `SimulationFailure`.
  func checkInvariants() async throws {
    for invariant in invariants { try await invariant(self) }
    tally.world = world.counters
  }
}
