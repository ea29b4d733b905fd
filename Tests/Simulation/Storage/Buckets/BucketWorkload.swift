// Buckets of few names, which are made, filled, emptied and deleted on random nodes at once.

import Base
import Codecs
import SimulatedWorld

/// The workload of buckets.
final class BucketWorkload: StorageWorkload, @unchecked Sendable {
  // Safe because only the world's one thread touches it.

  private static let clientCount = 4
  private static let nameCount = 2

  private let cluster: StorageCluster
  private let random: SeededRandom
  private var histories: [String: BucketHistory] = [:]
  /// Objects that may be in a bucket, and that no client is deleting.
  private var objects: [String: [String]] = [:]
  /// How often a name was given up for the next one, as nothing is certain any more of one that may yet be deleted.
  private var generations: [Int]
  private var values = 0
  /// Creations and deletions of buckets under way.
  private var (creating, deleting): ([String: Int], [String: Int]) = ([:], [:])

  init(_ cluster: StorageCluster) {
    self.cluster = cluster
    random = cluster.random(of: "buckets")
    generations = [Int](repeating: 0, count: Self.nameCount)
  }

  func setUp() async throws {}

  func start() {
    for _ in 0..<Self.clientCount {
      let client = cluster.makeClient(random)
      cluster.client("\(client.name) uses buckets", client.random) { [self] in
        await step(client)
      }
    }
  }

  private func step(_ client: SimulatedS3Client) async {
    let index = client.random.below(Self.nameCount)
    let bucket = name(index)
    let node = cluster.anyNode(client.random)
    let known = objects[bucket] ?? []
    switch client.random.below(12) {
    case 0, 1: await create(bucket, index, client, node)
    case 2...4: await put(bucket, client, node)
    case 5...7: await get(bucket, known.last ?? "nothing", client, node)
    case 8: await deleteOne(bucket, client, node)
    default:
      // Of an emptied bucket a deletion has a chance; beside it others write.
      while await deleteOne(bucket, client, node) {}
      let outcome = await deleteBucket(bucket, client, node)
      let isPresent = bucket == name(index)
      if isPresent, outcome == .unknown { generations[index] += 1 }
    }
  }

  /// The bucket of `index` that is in use.
  private func name(_ index: Int) -> String { "bucket-\(index)-\(generations[index])" }

  // MARK: Operations

  private func note(_ bucket: String, _ kind: BucketEvent.Kind, _ span: Span, _ ending: Ending) {
    if histories[bucket] == nil {
      histories[bucket] = BucketHistory(
        isSeenExact: cluster.options.nodeCount == 1,
        isCreationExact: cluster.options.isCreationExact)
    }
    histories[bucket]?.add(BucketEvent(kind: kind, span: span, ending: ending))
  }

  /// Notes a request, and what its answer says of the bucket.
  private func ask<Value>(
    _ what: String, _ bucket: String, _ kind: BucketEvent.Kind?,
    _ request: () async -> S3Outcome<Value>
  ) async -> S3Outcome<Value> {
    let (outcome, span) = await cluster.observe("\(what) \(bucket)", request)
    if outcome.code == "NoSuchBucket" {
      cluster.tally.count(.noSuchBucket)
      note(bucket, .denied, span, .acknowledged)
    }
    if outcome.code == "BucketNotEmpty" {
      cluster.tally.count(.bucketsNotEmpty)
      note(bucket, .notEmpty, span, .acknowledged)
    }
    if let kind { note(bucket, kind, span, outcome.ending) }
    return outcome
  }

  /// Makes a bucket, rarely beside somebody who makes it too: then nobody knows which of the two it is, and the next
  /// name is taken.
  private func create(
    _ bucket: String, _ index: Int, _ client: SimulatedS3Client, _ node: SimulatedNode
  ) async {
    let isBeside = creating[bucket, default: 0] > 0
    if isBeside, client.random.below(4) > 0 { return }
    creating[bucket, default: 0] += 1
    let outcome = await ask("\(client.name) at \(node.name) makes", bucket, .create) {
      await client.createBucket(bucket, on: node)
    }
    creating[bucket, default: 1] -= 1
    if outcome.ending == .acknowledged { cluster.tally.count(.bucketsCreated) }
    let isPresent = bucket == name(index)
    if isPresent, isBeside || outcome.ending == .unknown { generations[index] += 1 }
  }

  private func deleteBucket(
    _ bucket: String, _ client: SimulatedS3Client, _ node: SimulatedNode
  ) async -> Ending {
    deleting[bucket, default: 0] += 1
    let outcome = await ask("\(client.name) at \(node.name) deletes", bucket, .deleteBucket) {
      await client.deleteBucket(bucket, on: node)
    }
    deleting[bucket, default: 1] -= 1
    if outcome.ending == .acknowledged { cluster.tally.count(.bucketsDeleted) }
    return outcome.ending
  }

  private func put(_ bucket: String, _ client: SimulatedS3Client, _ node: SimulatedNode) async {
    values += 1
    let key = "o\(values)"
    let isBeside = deleting[bucket, default: 0] > 0
    let outcome = await ask("\(client.name) at \(node.name) puts \(key) in", bucket, .put(key)) {
      await client.put(key, bucket, key, on: node)
    }
    if outcome.ending != .refused { objects[bucket, default: []].append(key) }
    guard outcome.ending == .acknowledged else { return }
    cluster.tally.count(.puts)
    if isBeside || deleting[bucket, default: 0] > 0 { cluster.tally.count(.putsBesideDeletions) }
  }

  private func get(
    _ bucket: String, _ key: String, _ client: SimulatedS3Client, _ node: SimulatedNode
  ) async {
    let outcome = await ask("\(client.name) at \(node.name) reads \(key) in", bucket, .seen) {
      await client.get(bucket, key, on: node)
    }
    guard let state = outcome.value else { return }
    cluster.tally.count(.gets)
    if case .torn(let what) = state { cluster.fail("\(bucket)/\(key) is torn: \(what)") }
  }

  /// Deletes an object that may be in the bucket; false when none is known, or it may be there still.
  @discardableResult
  private func deleteOne(
    _ bucket: String, _ client: SimulatedS3Client, _ node: SimulatedNode
  ) async -> Bool {
    guard let key = objects[bucket]?.popLast() else { return false }
    let outcome = await ask(
      "\(client.name) at \(node.name) deletes \(key) in", bucket, .deleteObject(key)
    ) {
      await client.delete(bucket, key, on: node)
    }
    if outcome.ending == .acknowledged { cluster.tally.count(.deletes) }
    if outcome.ending == .refused { objects[bucket, default: []].append(key) }
    return outcome.ending == .acknowledged
  }

  // MARK: End

  func check() async throws {
    for (bucket, history) in histories.sorted(by: { $0.key < $1.key }) {
      if let violation = history.violation() {
        throw SimulationFailure("the bucket \(bucket): \(violation)")
      }
    }
    var names: [String]?
    for node in cluster.nodes {
      let seen = try await self.names(on: node)
      if let names, names != seen {
        throw SimulationFailure("\(node.name) has other buckets: \(seen), and not \(names)")
      }
      names = seen
      try await checkList(seen, on: node)
      try await checkObjects(names ?? [], on: node)
    }
  }

  /// The names of all buckets, each of which only one has.
  private func names(on node: SimulatedNode) async throws -> [String] {
    let document = try await cluster.insist("buckets cannot be listed on \(node.name)") {
      [cluster] in
      await cluster.admin(node, "ListBuckets", method: "GET")
    }
    let names = (document.array ?? []).flatMap { bucket in
      (bucket["globalAliases"]?.array ?? []).compactMap(\.string)
    }
    guard Set(names).count == names.count else {
      throw SimulationFailure("two buckets have one name on \(node.name): \(names.sorted())")
    }
    return names.sorted()
  }

  /// Who made the buckets sees all of them, under the same names.
  private func checkList(_ names: [String], on node: SimulatedNode) async throws {
    let client = cluster.makeClient(random)
    let listed = try await cluster.insist("ListBuckets fails on \(node.name)") {
      await client.listBuckets(on: node)
    }
    let own = names.filter { $0.hasPrefix("bucket-") }
    guard own == listed.filter({ $0.hasPrefix("bucket-") }).sorted() else {
      throw SimulationFailure("\(node.name) lists \(listed), and there are \(own)")
    }
  }

  /// Every acknowledged object is in its bucket, or in one that lost its name to another.
  private func checkObjects(_ names: [String], on node: SimulatedNode) async throws {
    let client = cluster.makeClient(random)
    for (bucket, history) in histories.sorted(by: { $0.key < $1.key }) {
      var found: Set<String> = []
      for name in names where name == bucket || name.hasPrefix("\(bucket)-") {
        found.formUnion(try await keys(in: name, client, node))
      }
      let lost = history.lost(found)
      guard lost.isEmpty else {
        throw SimulationFailure("\(bucket) lost \(lost) on \(node.name)")
      }
    }
  }

  private func keys(
    in bucket: String, _ client: SimulatedS3Client, _ node: SimulatedNode
  ) async throws -> [String] {
    var (keys, token): ([String], String?) = ([], nil)
    repeat {
      let asked = token
      let page = try await cluster.insist("\(bucket) cannot be listed on \(node.name)") {
        await client.list(
          bucket, prefix: "", delimiter: "", keysMax: 100, token: asked, on: node)
      }
      keys += page.keys
      token = page.next
    } while token != nil
    return keys
  }
}
