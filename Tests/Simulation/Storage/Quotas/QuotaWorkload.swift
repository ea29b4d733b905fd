// A bucket with room for few objects, and clients that fill it and make room.

import Base
import Codecs
import SimulatedWorld

/// The workload of quotas.
final class QuotaWorkload: StorageWorkload, @unchecked Sendable {
  // Safe because only the world's one thread touches it.

  private static let bucket = "quotas"
  private static let objectsMax = 5
  private static let clientCount = 3

  private let cluster: StorageCluster
  private let random: SeededRandom
  private var history: QuotaHistory
  /// The same for what is there in the end.
  private var objects = ListingHistory()
  /// Keys that may be there and that no client is deleting.
  private var known: [String] = []
  private var values = 0

  init(_ cluster: StorageCluster) {
    self.cluster = cluster
    random = cluster.random(of: "quotas")
    history = QuotaHistory(
      objectsMax: Self.objectsMax, isExact: cluster.options.isQuotaExact)
  }

  func setUp() async throws {
    let client = cluster.makeClient(random)
    try await cluster.make(Self.bucket, client)
    let id = try await info(cluster.nodes[0])["id"]?.string ?? ""
    let quotas: JSON = ["quotas": ["maxObjects": .count(UInt64(Self.objectsMax))]]
    _ = try await cluster.insist("no quota is set") { [cluster] in
      await cluster.admin(cluster.nodes[0], "UpdateBucket?id=\(id)", quotas)
    }
  }

  func start() {
    for _ in 0..<Self.clientCount {
      let client = cluster.makeClient(random)
      cluster.client("\(client.name) fills a quota", client.random) { [self] in
        await step(client)
      }
    }
  }

  private func step(_ client: SimulatedS3Client) async {
    let node = cluster.anyNode(client.random)
    if client.random.below(5) < 3 {
      await put(client, node)
    } else {
      await delete(client, node)
    }
  }

  private func put(_ client: SimulatedS3Client, _ node: SimulatedNode) async {
    values += 1
    let key = "q\(values)"
    let (outcome, span) = await cluster.observe("\(client.name) at \(node.name) puts \(key)") {
      await client.put(key, Self.bucket, key, on: node)
    }
    if outcome.code == "QuotaExceeded" {
      cluster.tally.count(.quotaRefusals)
      return history.refuse(span)
    }
    guard outcome.ending != .refused else { return }
    known.append(key)
    history.put(key, span, outcome.ending)
    objects.add(key, KeyChange(isPut: true, span: span))
    if outcome.ending == .acknowledged { cluster.tally.count(.puts) }
  }

  private func delete(_ client: SimulatedS3Client, _ node: SimulatedNode) async {
    guard !known.isEmpty else { return }
    let key = known.remove(at: client.random.below(known.count))
    let (outcome, span) = await cluster.observe("\(client.name) at \(node.name) deletes \(key)") {
      await client.delete(Self.bucket, key, on: node)
    }
    guard outcome.ending != .refused else { return known.append(key) }
    history.delete(key, span, outcome.ending)
    objects.add(key, KeyChange(isPut: false, span: span))
    if outcome.ending == .acknowledged { cluster.tally.count(.deletes) }
  }

  // MARK: End

  private func info(_ node: SimulatedNode) async throws -> JSON {
    try await cluster.insist("\(node.name) says nothing of \(Self.bucket)") { [cluster] in
      await cluster.admin(node, "GetBucketInfo?globalAlias=\(Self.bucket)", method: "GET")
    }
  }

  func check() async throws {
    let client = cluster.makeClient(random)
    for node in cluster.nodes {
      try await checkCount(client, node)
      try await checkObjects(client, node)
    }
    if let violation = history.violation() { throw SimulationFailure("quota: \(violation)") }
  }

  /// Every node counts what is there, and refuses what does not fit.
  private func checkCount(_ client: SimulatedS3Client, _ node: SimulatedNode) async throws {
    let page = try await page(client, node)
    guard try await info(node)["objects"]?.integer == Int64(page.keys.count) else {
      throw SimulationFailure("\(node.name) counts another number than \(page.keys)")
    }
    guard page.keys.count >= Self.objectsMax else { return }
    cluster.tally.count(.quotasFull)
    var outcome = await client.put("over", Self.bucket, "over", on: node)
    // The client's line may break.
    for _ in 0..<5 where outcome.code == nil {
      outcome = await client.put("over", Self.bucket, "over", on: node)
    }
    guard outcome.code == "QuotaExceeded" else {
      throw SimulationFailure("a full bucket takes another on \(node.name): \(outcome.text)")
    }
  }

  private func checkObjects(_ client: SimulatedS3Client, _ node: SimulatedNode) async throws {
    let start = cluster.nextMoment()
    let found = try await page(client, node)
    let page = ListingHistory.Page(
      question: .init(prefix: "", delimiter: "", keysMax: 1000), after: nil, keys: found.keys,
      commonPrefixes: [], isLast: true, span: Span(start, cluster.nextMoment()))
    if let violation = objects.violation(of: page) {
      throw SimulationFailure("the bucket with a quota, on \(node.name): \(violation)")
    }
  }

  private func page(
    _ client: SimulatedS3Client, _ node: SimulatedNode
  ) async throws -> SimulatedS3Client.Page {
    try await cluster.insist("\(Self.bucket) cannot be listed on \(node.name)") {
      await client.list(
        Self.bucket, prefix: "", delimiter: "", keysMax: 1000, token: nil, on: node)
    }
  }
}
