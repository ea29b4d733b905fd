import Base
import Blocks
import LocalDB
import Reactor
import SimulatedWorld
import Synchronization
import Tables
import TestStorage
import Testing

@Suite struct BlockCheckTests {
  private let blocks: [[UInt8]] = (1...20).map { noise(500, seed: $0) }

  private func filled(_ world: BlockWorld) throws -> BlockService {
    let service = try world.open()
    try world.run {
      for block in blocks {
        _ = try await service.put(block, world.upload())
        _ = try await service.put(block, world.upload())
      }
    }
    return service
  }

  private func path(_ block: [UInt8], _ service: BlockService) -> String {
    service.store.directories.all[0].filePath(name(of: block))
  }

  @Test func aHealthyNodeIsClean() throws {
    let world = try BlockWorld(seed: 1)
    let service = try filled(world)
    let report = try world.run { try await service.check(.init(thorough: true)) }
    #expect(report.problemCount == 0)
    #expect(report.files == 20)
    #expect(report.referencedBlocks == 20)
    #expect(report.references == 40)
    #expect(report.fileBytes == 20 * (500 + 132))
  }

  @Test func aFileWithoutReferenceIsFoundAndQueued() throws {
    let world = try BlockWorld(seed: 1)
    let service = try filled(world)
    let stranger = try BlockWorld(seed: 2)
    let other = try stranger.open()
    let block = noise(77)
    _ = try stranger.run { try await other.put(block, stranger.upload()) }
    world.files.addFolder(String(path(block, service).dropLast(68)))
    world.files.addFolder(String(path(block, service).dropLast(65)))
    world.files[path(block, service)] = stranger.files[path(block, service)]

    let found = try world.run { try await service.check() }
    #expect(found.filesWithoutReference == 1)
    #expect(found.findings.map(\.subject) == [name(of: block).hex])
    #expect(world.files[path(block, service)] != nil)
    try world.run {
      service.start()
      try await world.runtime.sleep(for: .seconds(1))
      let queued = try await service.check()
      #expect(queued.problemCount == 0)
      #expect(queued.waitingForDeletion == 1)
      try await world.runtime.sleep(for: .seconds(700))
    }
    #expect(world.files[path(block, service)] == nil)
    #expect(world.files.paths.count == 21)
  }

  @Test func aReferenceWithoutFileIsFound() throws {
    let world = try BlockWorld(seed: 1)
    let service = try filled(world)
    world.files[path(blocks[3], service)] = nil
    let report = try world.run { try await service.check() }
    #expect(report.referencesWithoutFile == 1)
    #expect(report.findings.map(\.subject) == [name(of: blocks[3]).hex])
  }

  /// Counts are walked one second byte at a time, also where no file is left.
  @Test func allReferencesWithoutFilesAreFound() throws {
    let world = try BlockWorld(seed: 1)
    let service = try world.open()
    let lost = (0..<600 as Range<UInt64>).map { noise(10, seed: $0) }
    try world.run {
      for bytes in lost { _ = try await service.put(bytes, world.upload()) }
    }
    for bytes in lost { world.files[path(bytes, service)] = nil }
    #expect(try world.run { try await service.check() }.referencesWithoutFile == 600)
  }

  @Test func aCorruptHeaderIsFoundAndACorruptPieceThoroughly() throws {
    let world = try BlockWorld(seed: 1)
    let service = try filled(world)
    world.files[path(blocks[3], service)]?[20] = 1
    world.files[path(blocks[4], service)]?[300] ^= 1
    #expect(try world.run { try await service.check() }.corruptFiles == 1)
    #expect(try world.run { try await service.check(.init(thorough: true)) }.corruptFiles == 2)
    let repaired = try world.run {
      try await service.check(.init(thorough: true, repairing: true))
    }
    #expect(repaired.corruptFiles == 2)
    let after = try world.run { try await service.check() }
    #expect(after.corruptFiles == 0)
    #expect(after.setAside == 2)
    #expect(after.referencesWithoutFile == 2)
  }

  @Test func aWrongCountIsFoundAndCorrected() throws {
    let world = try BlockWorld(seed: 1)
    let service = try filled(world)
    let tree = try world.database.tree("block_count")
    let hashes = blocks.map { name(of: $0).bytes }
    let zeros = [UInt8](repeating: 0, count: 16)
    try world.database.writeBlocking { transaction in
      try transaction.delete(tree, hashes[0])
      try transaction.put(tree, hashes[1], [0, 0, 0, 0, 0, 0, 0, 9] + zeros[..<8])
      try transaction.put(tree, hashes[2], zeros)
    }
    let found = try world.run { try await service.check() }
    #expect(found.wrongCounts == 3)
    // A block without a count looks like a file without reference, too.
    #expect(found.filesWithoutReference == 1)
    _ = try world.run { try await service.check(.init(repairing: true)) }
    #expect(try world.run { try await service.check() }.problemCount == 0)
    for hash in hashes[..<3] {
      #expect(try service.counts.count(BlockHash(hash) ?? name(of: []))?.live == 2)
    }
  }

  /// On real threads: only there a release lands while rows are counted.
  @Test func aReleaseDuringACheckMakesNoCountWrong() {
    let group = EventLoopGroup(loopCount: 2, blockingThreads: 4)
    _ = group.run {
      do {
        try await checkWhileReleasing(group)
      } catch { Issue.record(error) }
      return 0
    }
  }

  private nonisolated(nonsending) func checkWhileReleasing(_ group: EventLoopGroup) async throws {
    let folder = TemporaryFolder()
    var database = LocalDatabase.Options(path: folder.path + "/meta")
    database.fsync = false
    let replica = try LocalTableReplica(
      node: BlockWorld.node, database: try LocalDatabase.open(database, random: group.random),
      clock: HybridClock(runtime: group), random: group.random)
    var options = BlockService.Options(
      node: BlockWorld.node, directories: [DataDirectoryOptions(path: folder.path + "/data")])
    options.fsync = false
    let service = try BlockService(
      options, replica: replica, runtime: group, metrics: MetricsRegistry(), logger: .disabled)
    let keys = (0..<1500 as Range<UInt64>).map {
      BlockReferenceKey(hash: name(of: blocks[0]), upload: UploadID(high: 1, low: $0))
    }
    _ = try await service.put(blocks[0], keys[0].upload)
    for key in keys { _ = try await service.put(key, owner: BlockWorld.owner, bytes: nil) }
    let isDone = Mutex(false)
    let releasing = group.spawn(on: group.loops[1]) {
      for key in keys.dropLast() {
        do { try await service.release([key]) } catch { Issue.record(error) }
      }
      isDone.withLock { $0 = true }
    }
    while !isDone.withLock({ $0 }) {
      #expect(try await service.check(.init(repairing: true)).wrongCounts == 0)
    }
    await releasing.value
    #expect(try service.counts.count(keys[0].hash)?.live == 1)
    replica.database.close()
  }

  @Test func aCountThatIsTooLowDeletesNothing() throws {
    let world = try BlockWorld(seed: 1)
    let service = try filled(world)
    let hash = name(of: blocks[0])
    let counts = try world.database.tree("block_count")
    let queue = try world.database.tree("block_deletion")
    try world.database.writeBlocking { transaction in
      try transaction.put(counts, hash.bytes, [UInt8](repeating: 0, count: 16))
      try transaction.put(queue, [UInt8](repeating: 0, count: 8) + hash.bytes, [])
    }
    try world.run {
      service.start()
      try await world.runtime.sleep(for: .seconds(1000))
    }
    #expect(world.files[path(blocks[0], service)] != nil)
  }

  @Test func aStrayFileIsReported() throws {
    let world = try BlockWorld(seed: 1)
    let service = try filled(world)
    let stray = path(blocks[0], service).dropLast(64) + "notes.txt"
    world.files[String(stray)] = [1]
    let report = try world.run { try await service.check() }
    #expect(report.strayFiles == 1)
    #expect(report.findings.map(\.subject) == [String(stray)])
  }

  @Test func theRowsOfOneBlockMayFillSeveralPages() throws {
    let world = try BlockWorld(seed: 1)
    let service = try world.open()
    try world.run {
      for index in 0..<1300 {
        _ = try await service.put(blocks[index % 2 == 0 ? 0 : index % 20], world.upload())
      }
      let report = try await service.check()
      #expect(report.problemCount == 0)
      #expect(report.references == 1300)
    }
  }
}
