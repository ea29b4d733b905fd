// Throughput of stored and read blocks on this machine's disk. Run it with
// `GRANGE_BENCHMARK=1 swift test -c release --filter BlockBenchmark`; `GRANGE_BENCHMARK_DIR` names the folder.

import Base
import Blocks
import Glibc
import LocalDB
import Reactor
import SimulatedWorld
import Synchronization
import Tables
import TestStorage
import Testing

@Suite(
  .enabled(if: getenv("GRANGE_BENCHMARK") != nil, "a measurement: set GRANGE_BENCHMARK=1"),
  .serialized)
struct BlockBenchmark {
  private static let blockCount = 512

  @Test(arguments: [1, 8, 32], [true, false])
  func printsThroughput(concurrency: Int, fsync: Bool) async throws {
    let folder = TemporaryFolder()
    let root = getenv("GRANGE_BENCHMARK_DIR").map { String(cString: $0) } ?? folder.path
    let data = root + "/data-\(concurrency)-\(fsync)"
    let group = EventLoopGroup(loopCount: 1, blockingThreads: 16)
    let meta = root + "/meta-\(concurrency)-\(fsync)"
    _ = group.run {
      do {
        try await Self.measure(group, data, meta, concurrency, fsync)
      } catch { Issue.record(error) }
      return 0
    }
  }

  private static func measure(
    _ group: EventLoopGroup, _ data: String, _ meta: String, _ concurrency: Int, _ fsync: Bool
  ) async throws {
    var database = LocalDatabase.Options(path: meta)
    database.fsync = fsync
    let replica = try LocalTableReplica(
      node: BlockWorld.node, database: try LocalDatabase.open(database, random: group.random),
      clock: HybridClock(runtime: group), random: group.random)
    var options = BlockService.Options(
      node: BlockWorld.node, directories: [DataDirectoryOptions(path: data)])
    options.fsync = fsync
    let service = try BlockService(
      options, replica: replica, runtime: group, metrics: MetricsRegistry(), logger: .disabled)
    let plain = noise(1 << 20)
    let hashes = Mutex<[BlockHash]>([])
    let name = "c=\(concurrency) fsync=\(fsync)"
    try await timed("write \(name)", group, concurrency) { index in
      let buffer = try await service.buffers.take()
      plain.withUnsafeBytes { buffer.fill($0) }
      buffer.memory.storeBytes(of: index, as: Int.self)
      let upload = UploadID(high: 1, low: UInt64(index))
      let hash = try await service.put(buffer, upload: upload, owner: BlockWorld.owner)
      hashes.withLock { $0.append(hash) }
    }
    let written = hashes.withLock { $0 }
    try await timed("read, cached \(name)", group, concurrency) { index in
      let buffer = try await service.read(written[index])
      precondition(buffer.contents.count == 1 << 20)
    }
  }

  private static func timed(
    _ name: String, _ group: EventLoopGroup, _ concurrency: Int,
    _ body: @escaping @Sendable (Int) async throws -> Void
  ) async throws {
    let next = Atomic<Int>(0)
    let started = group.now
    let tasks = (0..<concurrency).map { _ in
      group.spawn {
        while true {
          let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
          if index >= Self.blockCount { return }
          do { try await body(index) } catch { Issue.record(error) }
        }
      }
    }
    for task in tasks { await task.value }
    let seconds = (group.now - started).inSeconds
    print("\(name): \(Int(Double(blockCount) * 1.048576 / seconds)) MB/s")
  }
}
