// Access keys that an operator makes, gives rights and takes rights from on one node, and their users on others.
//
// A right that was given holds at once on every node, as no node says no by itself; one that was taken is followed
// within a gossip round (DESIGN.md, section 1, promise 2). The rights of a key are a set like the keys of a bucket,
// and are judged as such: `ListingHistory`.

import Base
import Codecs
import SimulatedWorld

/// The workload of keys and rights.
final class RightsWorkload: StorageWorkload, @unchecked Sendable {
  // Safe because only the world's one thread touches it.

  /// A key, with a bucket of its own.
  private final class Holder: @unchecked Sendable {
    // Safe because only the world's one thread touches it.
    let bucket: String
    let bucketID: String
    let credentials: S3Credentials
    var rights = ListingHistory()

    init(bucket: String, bucketID: String, credentials: S3Credentials) {
      self.bucket = bucket
      self.bucketID = bucketID
      self.credentials = credentials
    }
  }

  /// A use of a right.
  private struct Use: Sendable {
    var holder: Holder
    var right: String
    var isAllowed: Bool
    var span: Span
    /// Whether a node must follow what was taken by now.
    var isWithdrawalKnown: Bool
    var label: String
  }

  private static let rights = ["read", "write", "createBucket"]
  private static let userCount = 2
  /// The last ones are in use: more cost time and find nothing more.
  private static let holdersInUse = 2

  private let cluster: StorageCluster
  private let random: SeededRandom
  private var holders: [Holder] = []
  private var uses: [Use] = []
  private var made = 0

  init(_ cluster: StorageCluster) {
    self.cluster = cluster
    random = cluster.random(of: "rights")
  }

  func setUp() async throws {}

  func start() {
    let operatorsRandom = SeededRandom(seed: random.next())
    let keyMaker = cluster.makeClient(random)
    cluster.client("the operator begins", operatorsRandom) { [self] in
      if holders.isEmpty || operatorsRandom.below(25) == 0 {
        await makeKey(keyMaker, operatorsRandom)
      } else {
        await change(operatorsRandom)
      }
    }
    for _ in 0..<Self.userCount {
      let client = cluster.makeClient(random)
      cluster.client("\(client.name) uses rights", client.random) { [self] in
        guard let holder = cluster.members.pick(latest, client.random) else { return }
        let right = Self.rights[client.random.below(Self.rights.count)]
        await use(holder, right, client, cluster.anyNode(client.random), isAtEnd: false)
      }
    }
  }

  private var latest: [Holder] { Array(holders.suffix(Self.holdersInUse)) }

  // MARK: The operator

  /// Makes a key, and a bucket that others own; a node that dies meanwhile leaves what nobody uses.
  private func makeKey(_ client: SimulatedS3Client, _ random: SeededRandom) async {
    made += 1
    let bucket = "rights-\(made)"
    let node = cluster.anyNode(random)
    let key = await cluster.observe("a key is made on \(node.name)") { [cluster] in
      await cluster.admin(node, "CreateKey", ["name": .string(bucket)])
    }.outcome.value
    let info = await cluster.observe("\(bucket) is made on \(node.name)") { [cluster] in
      await cluster.admin(node, "CreateBucket", ["globalAlias": .string(bucket)])
    }.outcome.value
    guard let id = key?["accessKeyId"]?.string, let secret = key?["secretAccessKey"]?.string,
      let bucketID = info?["id"]?.string
    else { return }
    cluster.tally.count(.keysCreated)
    holders.append(
      Holder(
        bucket: bucket, bucketID: bucketID, credentials: S3Credentials(id: id, secret: secret)))
  }

  /// Gives or takes a right.
  private func change(_ random: SeededRandom) async {
    guard let holder = cluster.members.pick(latest, random) else { return }
    let right = Self.rights[random.below(Self.rights.count)]
    let isGiven = random.below(2) == 0
    let node = cluster.anyNode(random)
    let verb = isGiven ? "given to" : "taken from"
    let (outcome, span) = await cluster.observe(
      "on \(node.name) \(right) is \(verb) \(holder.bucket)"
    ) {
      await set(right, isGiven: isGiven, of: holder, on: node)
    }
    guard outcome.ending != .refused else { return }
    holder.rights.add(right, KeyChange(isPut: isGiven, span: span))
    switch outcome.ending {
    case .acknowledged: cluster.tally.count(isGiven ? .rightsGiven : .rightsWithdrawn)
    // Nothing is certain of it any more: the next key.
    default: holders.removeAll { $0 === holder }
    }
  }

  private func set(
    _ right: String, isGiven: Bool, of holder: Holder, on node: SimulatedNode
  ) async -> S3Outcome<Void> {
    let id = holder.credentials.id
    if right == "createBucket" {
      let body: JSON =
        isGiven ? ["allow": ["createBucket": true]] : ["deny": ["createBucket": true]]
      return await cluster.admin(node, "UpdateKey?id=\(id)", body).map { _ in }
    }
    let flags: JSON = right == "read" ? ["read": true] : ["write": true]
    let body: JSON = [
      "bucketId": .string(holder.bucketID), "accessKeyId": .string(id), "permissions": flags,
    ]
    return await cluster.admin(node, isGiven ? "AllowBucketKey" : "DenyBucketKey", body)
      .map { _ in }
  }

  // MARK: Users

  /// Refusals that say nothing of rights: the node is off, or its clock stepped while the request was on its way.
  private static let saysNothing: Set<String> = [S3Refusal.notDialled, "RequestTimeTooSkewed"]

  @discardableResult
  private func use(
    _ holder: Holder, _ right: String, _ client: SimulatedS3Client, _ node: SimulatedNode,
    isAtEnd: Bool
  ) async -> Bool {
    let client = client.signing(as: holder.credentials)
    let label = "\(holder.bucket) at \(node.name) uses \(right)"
    let (code, ending, span) = await attempt(label, holder, right, client, node)
    let isDenied = code == "AccessDenied"
    guard ending == .acknowledged || isDenied else {
      if let code, !Self.saysNothing.contains(code) { cluster.fail("\(label): \(code)") }
      return false
    }
    if isDenied { cluster.tally.count(.denied) }
    if node !== cluster.nodes[0] { cluster.tally.count(.usedElsewhere) }
    uses.append(
      Use(
        holder: holder, right: right, isAllowed: !isDenied, span: span,
        isWithdrawalKnown: isAtEnd || cluster.options.withdrawalMax == .zero, label: label))
    return true
  }

  private func attempt(
    _ label: String, _ holder: Holder, _ right: String, _ client: SimulatedS3Client,
    _ node: SimulatedNode
  ) async -> (code: String?, ending: Ending, span: Span) {
    switch right {
    case "read":
      let (outcome, span) = await cluster.observe(label) {
        await client.get(holder.bucket, "object", on: node)
      }
      return (outcome.code, outcome.ending, span)
    case "write":
      let (outcome, span) = await cluster.observe(label) {
        await client.put("value", holder.bucket, "object", on: node)
      }
      return (outcome.code, outcome.ending, span)
    default:
      made += 1
      let bucket = "made-\(made)"
      let (outcome, span) = await cluster.observe(label) {
        await client.createBucket(bucket, on: node)
      }
      return (outcome.code, outcome.ending, span)
    }
  }

  // MARK: End

  func check() async throws {
    let client = cluster.makeClient(random)
    for node in cluster.nodes {
      for holder in latest {
        for right in Self.rights {
          try await cluster.insist("\(right) cannot be used on \(node.name)") {
            await use(holder, right, client, node, isAtEnd: true)
              ? .done(()) : .unknown("no answer")
          }
        }
      }
    }
    for use in uses {
      let presence = use.holder.rights.presence(of: use.right, during: use.span)
      if presence == .present, !use.isAllowed {
        throw SimulationFailure("\(use.span) \(use.label): denied, and the right was given")
      }
      if presence == .absent, use.isAllowed, use.isWithdrawalKnown {
        throw SimulationFailure("\(use.span) \(use.label): allowed, and the right was taken")
      }
    }
  }
}
