// Few keys, and several clients that write, read and delete them through any node: what is promised of one object.

import Base
import SimulatedWorld

/// The workload of registers.
final class RegisterWorkload: StorageWorkload, @unchecked Sendable {
  // Safe because only the world's one thread touches it.

  private static let bucket = "registers"
  private static let keys = ["alpha", "beta/gamma", "delta"]
  /// Enough that writes of one key meet.
  private static let clientCount = 5

  private let cluster: StorageCluster
  private let random: SeededRandom
  private var histories: [String: RegisterHistory] = [:]
  private var values = 0
  /// Values whose writers do not know whether they were written, and those that somebody read.
  private var (unknown, seen): (Set<String>, Set<String>) = ([], [])

  init(_ cluster: StorageCluster) {
    self.cluster = cluster
    random = cluster.random(of: "registers")
  }

  func setUp() async throws {
    let client = cluster.makeClient(random)
    try await cluster.make(Self.bucket, client)
    for key in Self.keys {
      histories[key] = RegisterHistory()
      histories[key]?.isReplicated = cluster.nodes.count > 1
    }
  }

  func start() {
    for _ in 0..<Self.clientCount {
      let client = cluster.makeClient(random)
      cluster.client("\(client.name) uses registers", client.random) { [self] in
        await step(client)
      }
    }
  }

  private func step(_ client: SimulatedS3Client) async {
    let key = Self.keys[client.random.below(Self.keys.count)]
    let node = cluster.anyNode(client.random)
    switch client.random.below(10) {
    case 0...3: await put(key, client, node)
    case 4: await delete(key, client, node)
    case 5, 6: await read(key, client, node, isHead: true)
    default: await read(key, client, node, isHead: false)
    }
  }

  // MARK: Operations

  private func add(
    _ key: String, _ kind: RegisterOperation.Kind, _ span: Span, _ ending: Ending, _ label: String
  ) {
    histories[key]?.add(RegisterOperation(kind: kind, span: span, ending: ending, label: label))
  }

  private func put(_ key: String, _ client: SimulatedS3Client, _ node: SimulatedNode) async {
    values += 1
    let value = "v\(values)"
    let label = "\(client.name) at \(node.name)"
    let isLargeAllowed = cluster.options.isLargeAllowed
    let (outcome, span) = await cluster.observe("\(label) puts \(value) to \(key)") {
      await client.put(value, Self.bucket, key, on: node, isLargeAllowed: isLargeAllowed)
    }
    switch outcome {
    case .done:
      cluster.tally.count(.puts)
      let bytes = ObjectBody.bytes(value, isLargeAllowed: isLargeAllowed).count
      if bytes > ObjectBody.inlineMaxBytes { cluster.tally.count(.largeObjects) }
    case .unknown:
      unknown.insert(value)
      if seen.contains(value) { cluster.tally.count(.unknownSeen) }
    case .refused: break
    }
    add(key, .put(value), span, outcome.ending, label)
  }

  private func delete(_ key: String, _ client: SimulatedS3Client, _ node: SimulatedNode) async {
    let label = "\(client.name) at \(node.name)"
    let (outcome, span) = await cluster.observe("\(label) deletes \(key)") {
      await client.delete(Self.bucket, key, on: node)
    }
    if outcome.ending == .acknowledged { cluster.tally.count(.deletes) }
    add(key, .delete, span, outcome.ending, label)
  }

  @discardableResult
  private func read(
    _ key: String, _ client: SimulatedS3Client, _ node: SimulatedNode, isHead: Bool
  ) async -> Bool {
    let label = "\(client.name) at \(node.name)\(isHead ? " (head)" : "")"
    let isLargeAllowed = cluster.options.isLargeAllowed
    let (outcome, span) = await cluster.observe("\(label) reads \(key)") {
      isHead
        ? await client.head(Self.bucket, key, on: node, isLargeAllowed: isLargeAllowed)
        : await client.get(Self.bucket, key, on: node, isLargeAllowed: isLargeAllowed)
    }
    guard let state = outcome.value else { return false }
    cluster.tally.count(isHead ? .heads : .gets)
    switch state {
    case .torn(let what): cluster.fail("\(key) is torn: \(what), \(label)")
    case .absent:
      cluster.tally.count(.readsOfNothing)
      add(key, .read(nil), span, .acknowledged, label)
    case .value(let value):
      if seen.insert(value).inserted, unknown.contains(value) { cluster.tally.count(.unknownSeen) }
      add(key, .read(value), span, .acknowledged, label)
    }
    return true
  }

  // MARK: End

  func check() async throws {
    let client = cluster.makeClient(random)
    for key in Self.keys {
      for node in cluster.nodes + cluster.nodes {
        try await cluster.insist("\(key) cannot be read through \(node.name)") {
          await read(key, client, node, isHead: false) ? .done(()) : .unknown("no answer")
        }
      }
      if let violation = histories[key]?.violation() {
        throw SimulationFailure("the key \(key): \(violation)")
      }
    }
  }
}
