import Base
import Blocks
import Glibc
import LocalDB
import SimulatedWorld
import Synchronization
import Tables
import Testing

@Suite struct BlockServiceTests {
  private func path(_ hash: BlockHash, _ service: BlockService) -> String {
    service.store.directories.all[0].filePath(hash)
  }

  @Test func aBlockIsKeptUnderItsNameAndReadBack() throws {
    let world = try BlockWorld(seed: 1)
    let service = try world.open()
    let bytes = noise(150_000)
    let hash = try world.run { try await service.put(bytes, world.upload()) }
    #expect(hash == name(of: bytes))
    let hex = hash.hex
    #expect(path(hash, service) == "/data/a/\(hex.prefix(2))/\(hex)")
    #expect(world.files[path(hash, service)]?.count == 150_000 + 128 + 12)
    for isCached in [true, false] {
      world.files.setCached(isCached)
      #expect(try world.run { try await service.bytes(hash) } == bytes)
      #expect(
        try world.run { try await service.bytes(hash, 70_000..<70_005) }
          == Array(bytes[70_000..<70_005]))
    }
  }

  @Test func theSameBytesAreStoredOnce() throws {
    let world = try BlockWorld(seed: 1)
    let service = try world.open()
    let bytes = noise(1000)
    let hash = try world.run { () -> BlockHash in
      let hash = try await service.put(bytes, world.upload())
      for _ in 0..<3 { #expect(try await service.put(bytes, world.upload()) == hash) }
      return hash
    }
    #expect(
      world.files.paths == ["/data/a/" + path(hash, service).dropFirst(8), "/data/a/grange-data"])
    #expect(try service.counts.count(hash)?.live == 4)
  }

  @Test func aReferenceWithoutBytesIsAbsentUntilTheBlockIsThere() throws {
    let world = try BlockWorld(seed: 1)
    let service = try world.open()
    let bytes = noise(1000)
    let key = BlockReferenceKey(hash: name(of: bytes), upload: world.upload())
    try world.run {
      var answer = try await service.put(key, owner: BlockWorld.owner, bytes: nil)
      #expect(answer == .absent)
      #expect(try service.counts.count(key.hash) == nil)
      _ = try await service.put(bytes, world.upload())
      answer = try await service.put(key, owner: BlockWorld.owner, bytes: nil)
      #expect(answer == .stored)
      #expect(try service.counts.count(key.hash)?.live == 2)
    }
    // A file that is not whole does not count as there.
    world.files[path(key.hash, service)]?[200] ^= 1
    try world.run {
      let other = BlockReferenceKey(hash: key.hash, upload: world.upload())
      let answer = try await service.put(other, owner: BlockWorld.owner, bytes: nil)
      #expect(answer == .absent)
    }
  }

  @Test func aFileIsDeletedAfterTheDelayAndNotBefore() throws {
    let world = try BlockWorld(seed: 1)
    let service = try world.open()
    let upload = world.upload()
    let hash = try world.run { () -> BlockHash in
      service.start()
      let hash = try await service.put(noise(1000), upload)
      try await world.runtime.sleep(for: .seconds(1000))
      try await service.releaseAll(of: upload)
      try await world.runtime.sleep(for: .seconds(599))
      return hash
    }
    #expect(world.files[path(hash, service)] != nil)
    try world.run { try await world.runtime.sleep(for: .seconds(62)) }
    #expect(world.files[path(hash, service)] == nil)
    #expect(try service.counts.count(hash) == nil)
    #expect(try service.counts.oldestDeletion() == nil)
    #expect(service.store.directories.all[0].usedBytes == 0)
  }

  @Test func aReferenceThatCannotBeDecodedHoldsUpOnlyItsOwnBlock() throws {
    let world = try BlockWorld(seed: 1)
    let service = try world.open()
    let upload = world.upload()
    let rows = try world.database.tree("block_ref")
    try world.run {
      let bad = try await service.put(noise(1000), upload)
      let good = try await service.put(noise(2000), upload)
      try await service.release([BlockReferenceKey(hash: bad, upload: upload)])
      try await world.runtime.sleep(for: .seconds(1))
      try await service.release([BlockReferenceKey(hash: good, upload: upload)])
      try world.database.writeBlocking { transaction in
        var row: [UInt8] = []
        try transaction.scan(rows) { key, _ in
          if key.dropFirst().starts(with: bad.bytes) { row = Array(key) }
          return true
        }
        try transaction.put(rows, row, [99])
      }
      try await world.runtime.sleep(for: .seconds(601))
      _ = try await service.deleteDue()
      #expect(world.files[path(bad, service)] != nil)
      #expect(world.files[path(good, service)] == nil)
      #expect(try service.counts.count(bad)?.live == 0)
    }
  }

  @Test func aBlockNeededAgainStartsTheDelayAnew() throws {
    let world = try BlockWorld(seed: 1)
    let service = try world.open()
    let uploads = [world.upload(), world.upload(), world.upload()]
    try world.run {
      service.start()
      let hash = try await service.put(noise(1000), uploads[0])
      try await service.releaseAll(of: uploads[0])
      try await world.runtime.sleep(for: .seconds(500))
      _ = try await service.put(noise(1000), uploads[1])
      try await world.runtime.sleep(for: .seconds(50))
      try await service.releaseAll(of: uploads[1])
      try await world.runtime.sleep(for: .seconds(500))
      #expect(world.files[path(hash, service)] != nil)
      _ = try await service.put(noise(1000), uploads[2])
      try await world.runtime.sleep(for: .seconds(5000))
      #expect(world.files[path(hash, service)] != nil)
      #expect(try service.counts.oldestDeletion() == nil)
      try await service.releaseAll(of: uploads[2])
      try await world.runtime.sleep(for: .seconds(700))
      #expect(world.files[path(hash, service)] == nil)
    }
  }

  @Test func theDelayGoesOnAfterARestart() throws {
    let world = try BlockWorld(seed: 1)
    let first = try world.open()
    let upload = world.upload()
    let hash = try world.run { () -> BlockHash in
      let hash = try await first.put(noise(1000), upload)
      try await world.runtime.sleep(for: .seconds(100))
      try await first.releaseAll(of: upload)
      return hash
    }
    // The clock on the wall jumps by a year; only running time counts.
    world.runtime.wallStart.milliseconds += 31_536_000_000
    let second = try world.open()
    try world.run {
      second.start()
      try await world.runtime.sleep(for: .seconds(590))
      #expect(world.files[path(hash, second)] != nil)
      try await world.runtime.sleep(for: .seconds(80))
      #expect(world.files[path(hash, second)] == nil)
    }
  }

  @Test func aReferenceThatComesAfterItsReleaseIsRefused() throws {
    let world = try BlockWorld(seed: 1)
    let service = try world.open()
    let bytes = noise(1000)
    let upload = world.upload()
    try world.run {
      try await service.release([BlockReferenceKey(hash: name(of: bytes), upload: upload)])
      let error = await #expect(throws: BlockError.self) {
        _ = try await service.put(bytes, upload)
      }
      guard case .referenceReleased = error else { throw error ?? BlockError.unusable("none") }
      // The file that came with it is not forgotten.
      service.start()
      try await world.runtime.sleep(for: .seconds(700))
    }
    #expect(world.files.paths == ["/data/a/grange-data"])
  }

  @Test func releasingTwiceIsReleasingOnce() throws {
    let world = try BlockWorld(seed: 1)
    let service = try world.open()
    let uploads = [world.upload(), world.upload()]
    try world.run {
      let hash = try await service.put(noise(1000), uploads[0])
      _ = try await service.put(noise(1000), uploads[1])
      for _ in 0..<3 {
        try await service.release([BlockReferenceKey(hash: hash, upload: uploads[0])])
        try await service.releaseAll(of: uploads[0])
      }
      #expect(try service.counts.count(hash)?.live == 1)
    }
  }

  @Test func anUploadOfManyBlocksIsReleasedAsAWhole() throws {
    let world = try BlockWorld(seed: 1)
    let service = try world.open()
    let (upload, other) = (world.upload(), world.upload())
    try world.run {
      for seed in 0..<300 as Range<UInt64> {
        _ = try await service.put(noise(10, seed: seed), upload)
      }
      let kept = try await service.put(noise(10, seed: 5), other)
      #expect(try service.counts.blocks(of: upload, limit: 1000).count == 300)
      try await service.releaseAll(of: upload)
      #expect(try service.counts.blocks(of: upload, limit: 1000).isEmpty)
      #expect(try service.counts.blocks(of: other, limit: 1000) == [kept])
      service.start()
      try await world.runtime.sleep(for: .seconds(700))
    }
    #expect(world.files.paths.count == 2)
  }

  /// References are released 256 in a transaction.
  @Test func manyReferencesAreReleasedInOneCall() throws {
    let world = try BlockWorld(seed: 1)
    let service = try world.open()
    let upload = world.upload()
    try world.run {
      var keys: [BlockReferenceKey] = []
      for seed in 0..<600 as Range<UInt64> {
        let hash = try await service.put(noise(10, seed: seed), upload)
        keys.append(BlockReferenceKey(hash: hash, upload: upload))
      }
      try await service.release(keys)
      #expect(try service.counts.blocks(of: upload, limit: 1000).isEmpty)
    }
  }

  /// Files are deleted 256 at a time, and the worker rests only when none is left that is due.
  @Test func allFilesThatAreDueAreDeletedWithoutARest() throws {
    let world = try BlockWorld(seed: 1)
    let service = try world.open()
    let upload = world.upload()
    try world.run {
      for seed in 0..<1000 as Range<UInt64> {
        _ = try await service.put(noise(10, seed: seed), upload)
      }
      try await service.releaseAll(of: upload)
      service.start()
      // The delay of ten minutes and one rest of a minute.
      try await world.runtime.sleep(for: .seconds(661))
      #expect(try service.counts.oldestDeletion() == nil)
    }
    #expect(world.files.paths.count == 1, "the directory's marker")
  }

  @Test func aDamagedFileIsSetAsideAndReplacedFromElsewhere() throws {
    struct Elsewhere: BlockSource {
      let bytes: [UInt8]
      nonisolated(nonsending) func fetch(
        _ hash: BlockHash, into buffer: BlockBuffer
      ) async throws -> Bool {
        bytes.withUnsafeBytes { buffer.fill($0) }
        return true
      }
    }
    let world = try BlockWorld(seed: 1)
    let bytes = noise(1000)
    let service = try world.open(source: Elsewhere(bytes: bytes))
    let hash = try world.run { try await service.put(bytes, world.upload()) }
    let file = try #require(world.files[path(hash, service)])
    world.files[path(hash, service)]?[300] ^= 1
    #expect(try world.run { try await service.bytes(hash, 5..<10) } == Array(bytes[5..<10]))
    #expect(world.files[path(hash, service)] == file)
    #expect(world.files[path(hash, service) + ".corrupted"] != nil)
    // Something else than was asked for is not taken.
    #expect(throws: BlockError.self) {
      try world.run { _ = try await service.bytes(name(of: noise(5))) }
    }
  }

  @Test func aBlockThatCannotBeReadIsFetchedToo() throws {
    let world = try BlockWorld(seed: 1)
    let service = try world.open()
    let hash = try world.run { try await service.put(noise(1000), world.upload()) }
    world.files.setUnreadable(path(hash, service))
    #expect(throws: FileError.self) { try world.run { _ = try await service.bytes(hash) } }
  }

  /// Every thread of the other lane may be waiting for an fsync.
  @Test func aReadWaitsOnTheLaneOfReads() throws {
    let world = try BlockWorld(seed: 1)
    let service = try world.open()
    let hash = try world.run { try await service.put(noise(1000), world.upload()) }
    world.files.setCached(false)
    let before = world.runtime.blockingCalls
    try world.run { _ = try await service.bytes(hash) }
    world.files[path(hash, service)] = nil
    #expect(throws: BlockError.self) { try world.run { _ = try await service.bytes(hash) } }
    #expect(world.runtime.blockingCalls[.writing] == before[.writing])
    #expect(world.runtime.blockingCalls[.reading, default: 0] > before[.reading, default: 0])
  }

  /// Who reads what was deleted a moment ago has lost nothing; who reads what is there has.
  @Test(arguments: [true, false])
  func theLossOfABlockIsLoggedAsAnErrorWhileItIsNeeded(isNeeded: Bool) throws {
    let world = try BlockWorld(seed: 1)
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    defer { close(ends[0]) }
    let output = LogOutput(level: .warning, format: .plain, descriptor: ends[1])
    let service = try world.open(logger: Logger(output: output, label: "blocks"))
    let upload = world.upload()
    let hash = try world.run { try await service.put(noise(1000), upload) }
    if !isNeeded { try world.run { try await service.releaseAll(of: upload) } }
    world.files[path(hash, service)] = nil
    #expect(throws: BlockError.self) { try world.run { _ = try await service.bytes(hash) } }
    close(ends[1])
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = read(ends[0], &buffer, buffer.count)
    let text = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    #expect(text.contains(hash.hex) == isNeeded, "\(text)")
  }

  @Test func readersOfMissingBlocksDoNotWaitForEachOther() throws {
    let world = try BlockWorld(seed: 1)
    world.runtime.blockingDelay = .milliseconds(1) ... .milliseconds(2)
    let service = try world.open { $0.ramBufferMaxBytes = 2 * $0.blockBytes }
    try world.run {
      let readers = (0..<4).map { index in
        world.runtime.spawn {
          await #expect(throws: BlockError.self) {
            _ = try await service.bytes(name(of: noise(5, seed: UInt64(index))))
          }
        }
      }
      for reader in readers { await reader.value }
    }
    #expect(service.buffers.usedBytes == 0)
  }

  @Test func aBlockLargerThanABufferIsReadAllTheSame() throws {
    let world = try BlockWorld(seed: 1)
    let bytes = noise(256 * 1024)
    for level in [nil, 1] as [Int32?] {
      let first = try world.open { $0.compressionLevel = level }
      let content = level == nil ? bytes : prose(256 * 1024)
      let hash = try world.run { try await first.put(content, world.upload()) }
      let second = try world.open { $0.blockBytes = 4096 }
      #expect(try world.run { try await second.bytes(hash) } == content)
    }
  }

  @Test func aFileWhoseNameIsNotDurableIsNotTakenForStored() throws {
    let world = try BlockWorld(seed: 1)
    let service = try world.open()
    let bytes = noise(1000)
    let hash = name(of: bytes)
    try world.run {
      world.files.setStuck(true)
      await #expect(throws: FileError.self) { _ = try await service.put(bytes, world.upload()) }
      #expect(world.files[path(hash, service)] != nil)
      let key = BlockReferenceKey(hash: hash, upload: world.upload())
      var answer = try await service.put(key, owner: BlockWorld.owner, bytes: nil)
      #expect(answer == .absent)
      await #expect(throws: FileError.self) { _ = try await service.put(bytes, world.upload()) }

      world.files.setStuck(false)
      let before = world.files.syncs.count
      answer = try await service.put(key, owner: BlockWorld.owner, bytes: nil)
      #expect(answer == .stored)
      #expect(world.files.syncs.count == before + 1)
      _ = try await service.put(bytes, world.upload())
      #expect(world.files.syncs.count == before + 1)
    }
  }

  /// The put comes when the block's earlier file is gone, and its entry waits for the files of others.
  @Test func aFileWithoutReferenceIsQueuedThoughItsBlockIsBeingDeleted() throws {
    for seed in 0..<40 as Range<UInt64> {
      let world = try BlockWorld(seed: seed)
      let service = try world.open { $0.deletionDelay = .seconds(5) }
      try world.run {
        let upload = world.upload()
        let refused = world.upload()
        let blocks = (1...12 as ClosedRange<UInt64>).map { noise(100, seed: $0) }
        for block in blocks { _ = try await service.put(block, upload) }
        try await service.releaseAll(of: upload)
        let hashes = blocks.map { name(of: $0) }
        try await service.release(hashes.map { BlockReferenceKey(hash: $0, upload: refused) })
        try await world.runtime.sleep(for: .seconds(6))
        world.runtime.blockingDelay = .zero ... .seconds(3)
        let deleting = world.runtime.spawn { _ = try? await service.deleteDue() }
        for block in blocks {
          await #expect(throws: BlockError.self) { try await service.put(block, refused) }
        }
        await deleting.value
        world.runtime.blockingDelay = .zero ... .zero
        #expect(try await service.check().filesWithoutReference == 0, "seed \(seed)")
        try await world.runtime.sleep(for: .seconds(60))
        while try await service.deleteDue() > 0 {}
        #expect(try await service.check().files == 0, "seed \(seed)")
      }
    }
  }

  @Test func nothingIsSynchronisedWithoutFsync() throws {
    let world = try BlockWorld(seed: 1)
    let service = try world.open { $0.fsync = false }
    let before = world.files.syncs.count
    _ = try world.run { try await service.put(noise(1000), world.upload()) }
    #expect(world.files.syncs.count == before)
  }

  @Test func directoriesOfConcurrentUploadsAreSynchronisedTogether() throws {
    let world = try BlockWorld(seed: 1)
    world.runtime.blockingDelay = .milliseconds(1) ... .milliseconds(2)
    let service = try world.open()
    // Names in one directory do not occur by themselves: look for the calls of any.
    try world.run {
      let tasks = (0..<30).map { index in
        world.runtime.spawn {
          _ = try? await service.put(noise(100, seed: UInt64(index + 1)), world.upload())
        }
      }
      for task in tasks { await task.value }
    }
    for path in world.files.paths where path.utf8.count > 64 {
      #expect(world.files.syncs.contains(String(path.dropLast(65))))
    }
  }
}
