// Clients that take or give nothing, against everybody else. The pool of a test holds 64 blocks.

import Base
import Blocks
import Model
import SimulatedWorld
import Synchronization
import Testing

@Suite struct StalledClientsTests {
  private static let blockBytes = 4096

  /// Starts a download whose client takes nothing.
  private func stallDownload(
    _ node: Node, _ version: ObjectVersion, _ ends: Ends
  ) -> Task<Void, Never> {
    node.runtime.spawn {
      await ends.note {
        try await node.store.objects.read(version, range: 0..<version.sizeBytes) { _ in
          try await node.runtime.sleep(for: .seconds(3600))
        }
      }
    }
  }

  /// Starts an upload whose client sends a block and a half, then a byte after each `pause`, and gives up.
  private func stallUpload(
    _ node: Node, _ bucket: Bucket, _ key: String, drips: Int, pause: Duration, _ ends: Ends
  ) -> Task<Void, Never> {
    node.runtime.spawn {
      await ends.note {
        let writer = node.store.objects.writer(bucket: bucket, key: try ObjectKey(key))
        var left = Self.blockBytes * 3 / 2
        var drips = drips
        do {
          try await writer.append(
            from: { buffer in
              if left == 0 {
                try await node.runtime.sleep(for: pause)
                drips -= 1
                if drips < 0 { throw CancellationError() }
              }
              let count = min(max(left, 1), buffer.count)
              left -= min(left, count)
              return count
            }, observe: { _ in })
        } catch {
          await writer.abandon()
          throw error
        }
      }
    }
  }

  @Test func stalledClientsDoNotStopTheOthers() throws {
    for seed in UInt64(1)...4 {
      let ends = Ends()
      try ModelWorld(seed: seed).run { node in
        let bucket = try await node.store.buckets.create("bucket")
        let large = try await node.put(bucket, "large", noise(5 * Self.blockBytes))
        var clients: [Task<Void, Never>] = []
        for index in 0..<70 {
          clients.append(stallDownload(node, large, ends))
          clients.append(
            stallUpload(node, bucket, "u\(index)", drips: 0, pause: .seconds(3600), ends))
        }
        try await node.runtime.sleep(for: .milliseconds(1))
        #expect(node.blocks.buffers.waiterCount > 0, "seed \(seed)")
        let start = node.runtime.now
        let bytes = noise(20 * Self.blockBytes, seed)
        try await node.put(bucket, "k", bytes)
        #expect(try await node.get(bucket, "k") == bytes, "seed \(seed)")
        #expect(node.runtime.now - start < .seconds(40), "seed \(seed)")
        for client in clients { client.cancel() }
        for client in clients { await client.value }
        #expect(ends.stalled > 64, "seed \(seed)")
        #expect(node.blocks.buffers.usedBytes == 0, "seed \(seed)")
        try await node.settle()
        #expect(try node.liveReferences().count == 25, "seed \(seed): what was cut off is undone")
      }
    }
  }

  @Test func clientsThatTrickleAreCutOff() throws {
    let ends = Ends()
    try ModelWorld(seed: 1).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let clients = (0..<100).map {
        stallUpload(node, bucket, "u\($0)", drips: 300, pause: .seconds(1), ends)
      }
      try await node.runtime.sleep(for: .seconds(1))
      let start = node.runtime.now
      try await node.put(bucket, "k", noise(20 * Self.blockBytes))
      #expect(node.runtime.now - start < .seconds(40))
      for client in clients { client.cancel() }
      for client in clients { await client.value }
    }
    #expect(ends.stalled > 0)
  }

  @Test func aClientMayStallWhileNobodyWaits() throws {
    let ends = Ends()
    try ModelWorld(seed: 1).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let large = try await node.put(bucket, "large", noise(5 * Self.blockBytes))
      let client = stallDownload(node, large, ends)
      try await node.runtime.sleep(for: .seconds(600))
      try await node.put(bucket, "k", noise(20 * Self.blockBytes))
      await client.value
    }
    #expect(ends.whole == 1 && ends.stalled == 0)
  }

  @Test func aSlowClientIsNotCutOffThoughOthersWait() throws {
    let ends = Ends()
    try ModelWorld(seed: 1).run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let large = try await node.put(bucket, "large", noise(5 * Self.blockBytes))
      let clients = (0..<200).map { _ in
        node.runtime.spawn {
          await ends.note {
            try await node.store.objects.read(large, range: 0..<large.sizeBytes) { _ in
              try await node.runtime.sleep(for: .seconds(8))
            }
          }
        }
      }
      for client in clients { await client.value }
    }
    #expect(ends.whole == 200 && ends.stalled == 0)
  }
}

/// How transfers ended.
private final class Ends: Sendable {
  private let counts = Mutex((whole: 0, stalled: 0))

  var whole: Int { counts.withLock { $0.whole } }
  var stalled: Int { counts.withLock { $0.stalled } }

  func note(_ transfer: () async throws -> Void) async {
    do {
      try await transfer()
      counts.withLock { $0.whole += 1 }
    } catch ModelError.clientStalled {
      counts.withLock { $0.stalled += 1 }
    } catch {}
  }
}
