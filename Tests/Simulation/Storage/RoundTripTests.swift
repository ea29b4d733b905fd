import Base
import Codecs
import SimulatedWorld
import Testing

/// How many round trips between nodes an operation takes: with fixed links, disks that take no time and a client on the
/// node's own host, its virtual time says so.
@Suite("Round trips of storage")
struct RoundTripTests {
  private static let oneWay: Duration = .milliseconds(50)
  private static let bucket = "trips"
  private static let quotaBucket = "trips-quota"

  /// Operations, and how many round trips each takes.
  private struct Operation {
    var name: String
    var trips: Int
    var perform: @Sendable (SimulatedS3Client, SimulatedNode, _ number: Int) async -> Bool
  }

  private static let operations = [
    Operation(name: "ListBuckets", trips: 0) { client, node, _ in
      await client.listBuckets(on: node).value?.isEmpty == false
    },
    Operation(name: "PUT of a new key", trips: 1) { client, node, number in
      await client.put("new \(node.name) \(number)", bucket, "new-\(node.name)-\(number)", on: node)
        .ending == .acknowledged
    },
    Operation(name: "PUT over another object", trips: 1) { client, node, number in
      await client.put("over \(node.name) \(number)", bucket, "over", on: node).ending
        == .acknowledged
    },
    Operation(name: "GET", trips: 1) { client, node, _ in
      await client.get(bucket, "there", on: node).value == .value("there")
    },
    Operation(name: "GET of nothing", trips: 1) { client, node, _ in
      await client.get(bucket, "nothing", on: node).value == .absent
    },
    Operation(name: "HEAD", trips: 1) { client, node, _ in
      await client.head(bucket, "there", on: node).value == .value("there")
    },
    Operation(name: "LIST", trips: 1) { client, node, _ in
      let page = await client.list(
        bucket, prefix: "th", delimiter: "/", keysMax: 100, token: nil, on: node)
      return page.value?.keys == ["there"]
    },
    Operation(name: "DELETE", trips: 1) { client, node, number in
      await client.delete(bucket, "new-\(node.name)-\(number)", on: node).ending == .acknowledged
    },
    Operation(name: "PUT into a bucket with a quota", trips: 2) { client, node, number in
      await client.put("quota \(number)", quotaBucket, "\(node.name)-\(number)", on: node).ending
        == .acknowledged
    },
  ]

  @Test("operations take the round trips of the design, on a storage node and through a gateway")
  func counts() throws {
    let world = SimulatedRuntime(seed: 1)
    defer { world.takeApart() }
    try world.run {
      world.net.defaultLink = SimulatedLink(delay: Self.oneWay...Self.oneWay)
      let cluster = StorageCluster(world, .threeStore)
      try await cluster.begin(StorageCluster.threeStore)
      try await Self.prepare(cluster)
      // Everybody has heard of everything, and knows how far the others are.
      try await world.sleep(for: .seconds(60))
      for node in [cluster.nodes[0], cluster.nodes[StorageCluster.storingCount]] {
        let client = SimulatedS3Client(
          node.host, cluster.credentials, random: SeededRandom(seed: 1))
        for operation in Self.operations { await Self.check(operation, client, node, world) }
      }
    }
  }

  private static func prepare(_ cluster: StorageCluster) async throws {
    for node in cluster.nodes { node.host.commitDelay = .microseconds(10) ... .microseconds(10) }
    let client = cluster.makeClient(cluster.random)
    try await cluster.make(bucket, client)
    try await cluster.make(quotaBucket, client)
    let info = try await cluster.insist("no bucket is shown") {
      await cluster.admin(
        cluster.nodes[0], "GetBucketInfo?globalAlias=\(quotaBucket)", method: "GET")
    }
    let quotas: JSON = ["quotas": ["maxObjects": .count(1000)]]
    _ = try await cluster.insist("no quota is set") {
      await cluster.admin(
        cluster.nodes[0], "UpdateBucket?id=\(info["id"]?.string ?? "")", quotas)
    }
    _ = try await cluster.insist("nothing is stored") {
      await client.put("there", bucket, "there", on: cluster.nodes[1])
    }
  }

  private static func check(
    _ operation: Operation, _ client: SimulatedS3Client, _ node: SimulatedNode,
    _ world: SimulatedRuntime
  ) async {
    for number in 0..<5 {
      let began = world.now
      let isDone = await operation.perform(client, node, number)
      let trips = (world.now - began) / (oneWay * 2)
      let text = "\(operation.name) at \(node.name), time \(number): \(trips) round trips"
      #expect(isDone, "\(text)")
      let least = Double(operation.trips) * 0.9
      #expect(trips >= least && trips < Double(operation.trips) + 0.5, "\(text)")
    }
  }
}
