import Base
import Model
import SimulatedCluster
import SimulatedWorld
import Synchronization
import Tables
import Testing

/// What goes again under which name when some replica took the first attempt, and others did not.
@Suite struct ClusterWriteTests {
  /// The inputs of all writes of versions, in the order in which the replica of node 0 answered them.
  private final class Sent: Sendable {
    private let inputs = Mutex<[[UInt8]]>([])

    var all: [[UInt8]] { inputs.withLock { $0 } }

    func listen(to cluster: StoreCluster) {
      cluster.links[0].didAnswer.withLock {
        $0 = { [self] request in
          guard case .operate("put_version", _, let input) = request.body else { return }
          inputs.withLock { $0.append(input) }
        }
      }
    }
  }

  private static func contains(_ input: [UInt8], _ id: UploadID) -> Bool {
    let bytes = id.bytes
    return (0...(input.count - bytes.count)).contains { start in
      input[start..<(start + bytes.count)].elementsEqual(bytes)
    }
  }

  private static func bucket(_ cluster: StoreCluster) async throws -> Bucket {
    let bucket = try await cluster.nodes[0].store.buckets.create("bucket")
    try await cluster.runtime.sleep(for: .seconds(5))
    return bucket
  }

  /// The others hold something newer, of a clock ahead: the writer's own replica has stored its first attempt.
  @Test func aRetryIsAnotherUploadWhereAReplicaTookTheFirstAttempt() throws {
    let cluster = try StoreCluster(seed: 1, skews: [0, 200_000, 0])
    try cluster.runtime.run {
      let bucket = try await Self.bucket(cluster)
      cluster.cut(0)
      try await cluster.nodes[1].put(bucket, "k", [1])
      try await cluster.runtime.sleep(for: .seconds(20))
      cluster.cut(nil)
      let sent = Sent()
      sent.listen(to: cluster)
      let version = try await cluster.nodes[0].put(bucket, "k", [2])
      try await cluster.runtime.sleep(for: .seconds(5))
      #expect(sent.all.count == 2)
      #expect(sent.all.map { Self.contains($0, version.uploadID) } == [false, true])
      for node in cluster.nodes { #expect(try await node.get(bucket, "k") == [2]) }
    }
  }

  /// Nobody stored the first attempt: it is the same write, above.
  @Test func aRetryIsTheSameUploadWhereAllReplicasWereAhead() throws {
    let cluster = try StoreCluster(seed: 2, skews: [0, 200_000, 0])
    try cluster.runtime.run {
      let bucket = try await Self.bucket(cluster)
      try await cluster.nodes[1].put(bucket, "k", [1])
      try await cluster.runtime.sleep(for: .seconds(20))
      let sent = Sent()
      sent.listen(to: cluster)
      let version = try await cluster.nodes[0].put(bucket, "k", [2])
      try await cluster.runtime.sleep(for: .seconds(5))
      #expect(sent.all.map { Self.contains($0, version.uploadID) } == [true, true])
    }
  }

  /// The others know another state of the bucket: the same row goes again, with that stamp before it.
  @Test func theSameBytesGoAgainAfterARefusalForTheBucket() throws {
    let cluster = try StoreCluster(seed: 3)
    try cluster.runtime.run {
      let bucket = try await Self.bucket(cluster)
      cluster.cut(0)
      let parts = cluster.nodes[1].store.buckets.parts
      let mark = try await parts.beginDeletion(of: bucket.id).state.timestamp
      try await parts.endDeletion(of: bucket.id, mark: mark, as: .live)
      try await cluster.runtime.sleep(for: .seconds(20))
      cluster.cut(nil)
      let sent = Sent()
      sent.listen(to: cluster)
      let version = try await cluster.nodes[0].put(bucket, "k", [2])
      try await cluster.runtime.sleep(for: .seconds(5))
      #expect(sent.all.count == 2)
      #expect(sent.all.allSatisfy { Self.contains($0, version.uploadID) })
      #expect(sent.all.first != sent.all.last)
      // Behind a version, the key with its length, and the stamp of eight bytes.
      let rows = sent.all.map { $0.dropFirst(3 + 8) }
      #expect(rows.first == rows.last)
      for node in cluster.nodes { #expect(try await node.get(bucket, "k") == [2]) }
    }
  }
}
