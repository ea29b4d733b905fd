// Random clients, restarts and power cuts. After each of them every acknowledged block is whole, and once
// the node is quiet there is a file for each referenced block and for no other.

import Base
import Blocks
import Glibc
import SimulatedWorld
import Synchronization
import Testing

@Suite struct BlockServiceFaultTests {
  /// What the clients were told.
  private final class Ledger: Sendable {
    struct Entry: Hashable {
      var block: Int
      var upload: UploadID
    }
    let live = Mutex<[Entry]>([])

    func add(_ entry: Entry) { live.withLock { $0.append(entry) } }

    /// Takes one that is going to be released: from now on it may be gone.
    func takeOne(_ random: any RandomSource) -> Entry? {
      live.withLock { $0.isEmpty ? nil : $0.remove(at: random.below($0.count)) }
    }

    func one(_ random: any RandomSource) -> Entry? {
      live.withLock { $0.isEmpty ? nil : $0[random.below($0.count)] }
    }
  }

  private let blocks: [[UInt8]] = (1...40).map { noise(30 * Int($0), seed: $0) }

  /// What clients do.
  ///
  /// They release more than they store, so that most blocks come and go.
  private struct Load {
    /// Of how many different blocks.
    var blocks = 40
    var steps = 30
    var pauseSecondsMax = 400
  }

  /// One client's life: ends at the first error of the disk.
  private nonisolated(nonsending) func client(
    _ service: BlockService, _ ledger: Ledger, _ world: BlockWorld, _ load: Load
  ) async {
    let random = world.runtime.random
    for _ in 0..<load.steps {
      do {
        try await step(service, ledger, world, random.below(load.blocks))
        if random.below(3) == 0 {
          try await world.runtime.sleep(for: .seconds(random.below(load.pauseSecondsMax)))
        }
      } catch is FileError {
        return
      } catch let error as BlockError {
        // The disk is gone in the middle of looking at its marker.
        if case .directoryLost = error { return }
        if case .missing = error, world.files.isWithoutPower { return }
        Issue.record("seed \(world.runtime.seed): \(error)")
      } catch {
        Issue.record("seed \(world.runtime.seed): \(error)")
      }
    }
  }

  private nonisolated(nonsending) func step(
    _ service: BlockService, _ ledger: Ledger, _ world: BlockWorld, _ block: Int
  ) async throws {
    let random = world.runtime.random
    let upload = world.upload()
    switch random.below(10) {
    case 0...2:
      #expect(try await service.put(blocks[block], upload) == name(of: blocks[block]))
      ledger.add(.init(block: block, upload: upload))
    case 3:
      let key = BlockReferenceKey(hash: name(of: blocks[block]), upload: upload)
      if try await service.put(key, owner: BlockWorld.owner, bytes: nil) == .stored {
        ledger.add(.init(block: block, upload: upload))
      }
    case 4...8:
      guard let entry = ledger.takeOne(random) else { return }
      try await service.releaseAll(of: entry.upload)
    default:
      guard let entry = ledger.one(random) else { return }
      // It may be released while it is read, and read again later.
      do {
        #expect(
          try await service.bytes(name(of: blocks[entry.block])) == blocks[entry.block],
          "seed \(world.runtime.seed)")
      } catch let error as BlockError {
        let isStillLive = ledger.live.withLock { $0.contains(entry) }
        if isStillLive { throw error }
      }
    }
  }

  /// Runs clients until they end.
  private func work(
    _ service: BlockService, _ ledger: Ledger, _ world: BlockWorld, _ load: Load = Load()
  ) throws {
    try world.run {
      service.start()
      let clients = (0..<5).map { _ in
        world.runtime.spawn { await self.client(service, ledger, world, load) }
      }
      for client in clients { await client.value }
      await service.abandon()
    }
  }

  /// Checks what the clients were told against what is there, now and once the node is quiet.
  private func verify(_ service: BlockService, _ ledger: Ledger, _ world: BlockWorld) throws {
    let seed = world.runtime.seed
    let entries = ledger.live.withLock { $0 }
    try world.run {
      for entry in entries {
        let bytes = try await service.bytes(name(of: self.blocks[entry.block]))
        #expect(bytes == self.blocks[entry.block], "seed \(seed)")
      }
      let soon = try await service.check()
      #expect(soon.referencesWithoutFile == 0, "seed \(seed): \(soon.findings)")
      #expect(soon.corruptFiles == 0, "seed \(seed): \(soon.findings)")
      #expect(soon.wrongCounts == 0, "seed \(seed): \(soon.findings)")
      service.start()
      try await world.runtime.sleep(for: .seconds(1500))
      let quiet = try await service.check(.init(thorough: true))
      #expect(quiet.problemCount == 0, "seed \(seed): \(quiet.findings)")
      #expect(quiet.waitingForDeletion == 0, "seed \(seed)")
      #expect(quiet.files == quiet.referencedBlocks, "seed \(seed)")
      // A release that failed may have happened or not; nothing else may be missing or left.
      #expect(quiet.references >= entries.count, "seed \(seed)")
      await service.stop()
    }
  }

  @Test func deletionsNeverTakeANeededBlock() throws {
    for seed in 0..<12 as Range<UInt64> {
      let world = try BlockWorld(seed: seed)
      world.runtime.blockingDelay = .zero ... .seconds(3)
      let ledger = Ledger()
      let service = try world.open { $0.deletionDelay = .seconds(5) }
      try work(service, ledger, world, Load(blocks: 3, steps: 120, pauseSecondsMax: 20))
      try verify(try world.open { $0.deletionDelay = .seconds(5) }, ledger, world)
    }
  }

  @Test func nothingAcknowledgedIsLostInAPowerCut() throws {
    for seed in 0..<12 as Range<UInt64> {
      let world = try BlockWorld(seed: seed)
      world.runtime.blockingDelay = .zero ... .milliseconds(20)
      let ledger = Ledger()
      let random = SeededRandom(seed: seed)
      for _ in 0..<4 {
        let service = try world.open { $0.deletionDelay = .seconds(60) }
        world.files.cutPower(after: random.below(700))
        try work(service, ledger, world)
        world.files.restorePower(random)
        try verify(try world.open { $0.deletionDelay = .seconds(60) }, ledger, world)
      }
    }
  }

  @Test func aKilledProcessLosesNothingEither() throws {
    for seed in 0..<12 as Range<UInt64> {
      let world = try BlockWorld(seed: seed)
      world.runtime.blockingDelay = .zero ... .milliseconds(20)
      let ledger = Ledger()
      let random = SeededRandom(seed: seed)
      for _ in 0..<3 {
        let killed = try world.open { $0.deletionDelay = .seconds(60) }
        world.files.cutPower(after: random.below(700))
        try work(killed, ledger, world)
        world.files.givePowerBack()
        // The page cache survives the process; then the power goes too, before anything is synchronised again.
        let next = try world.open { $0.deletionDelay = .seconds(60) }
        world.files.cutPower(after: 40 + random.below(300))
        try work(next, ledger, world)
        world.files.restorePower(random)
        try verify(try world.open { $0.deletionDelay = .seconds(60) }, ledger, world)
      }
    }
  }
}
