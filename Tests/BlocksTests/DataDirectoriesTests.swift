import Base
import Blocks
import SimulatedWorld
import Testing

@Suite struct DataDirectoriesTests {
  private let one = [DataDirectoryOptions(path: "/data/a")]
  private let two = [DataDirectoryOptions(path: "/data/a"), DataDirectoryOptions(path: "/data/b")]

  @Test func theMarkerIsAsDocumented() throws {
    let node = try #require(NodeID(hex: String(repeating: "ab", count: 32)))
    let directory = try #require(DataDirectoryID(hex: String(repeating: "cd", count: 16)))
    let marker = DataDirectoryMarker(node: node, directory: directory)
    let text = "grange data directory 2\nnode \(node.hex)\ndirectory \(directory.hex)\n"
    #expect(marker.text == text)
    #expect(DataDirectoryMarker(text: text) == marker)
    #expect(DataDirectoryMarker(text: text + "later field\n") == marker)
    for wrong in ["", "grange", text.replacing("node ", with: "nude "), String(text.dropLast(2))] {
      #expect(DataDirectoryMarker(text: wrong) == nil, "\(wrong)")
    }
  }

  @Test func aDirectoryOfAnotherNodeIsRefused() throws {
    let world = try BlockWorld(seed: 1)
    _ = try world.open(one)
    #expect(throws: BlockError.self) {
      try world.open(one) { $0.node = NodeID(random: SeededRandom(seed: 8)) }
    }
  }

  @Test func aLayoutOfAnotherVersionIsRefusedAndLeftAsItIs() throws {
    let world = try BlockWorld(seed: 1)
    _ = try world.open(one)
    let marker = try #require(world.files["/data/a/grange-data"])
    let other = String(decoding: marker, as: UTF8.self).replacing(
      "directory 2", with: "directory 1")
    world.files["/data/a/grange-data"] = Array(other.utf8)
    let error = #expect(throws: BlockError.self) { try world.open(one) }
    #expect("\(try #require(error))".contains("layout of another version of Grange"))
    #expect(world.files["/data/a/grange-data"] == Array(other.utf8))
  }

  @Test func blocksWithoutMarkerAreOfNobodyKnownButEmptyFoldersAreNoBlocks() throws {
    let world = try BlockWorld(seed: 1)
    for folder in ["/data/a", "/data/a/00", "/data/a/4f"] { world.files.addFolder(folder) }
    let file = "/data/a/4f/" + String(repeating: "4f", count: 32)
    world.files[file] = [1]
    #expect(throws: BlockError.self) { try world.open(one) }
    world.files[file] = nil
    _ = try world.open(one)
  }

  @Test func leftoversInTmpAreRemovedAtTheStart() throws {
    let world = try BlockWorld(seed: 1)
    _ = try world.open(one)
    world.files["/data/a/tmp/0123"] = [1, 2, 3]
    _ = try world.open(one)
    #expect(world.files["/data/a/tmp/0123"] == nil)
  }

  @Test func aDamagedCopyHidesNoWholeOne() throws {
    let world = try BlockWorld(seed: 1)
    let bytes = noise(1000)
    let first = try world.open(one)
    let hash = try world.run { try await first.put(bytes, world.upload()) }
    let damaged = first.store.directories.all[0].filePath(hash)
    world.files[damaged]?[300] ^= 1
    world.files.setReadOnly("/data/a")

    var options = two
    options[0].isReadOnly = true
    let second = try world.open(options)
    try world.run {
      await #expect(throws: BlockError.self) { _ = try await second.bytes(hash) }
      _ = try await second.put(bytes, world.upload())
      for isCached in [true, false] {
        world.files.setCached(isCached)
        let read = try await second.bytes(hash)
        #expect(read == bytes)
      }
      _ = try await second.put(bytes, world.upload())
    }
    #expect(world.files[damaged] != nil)
    #expect(world.files[second.store.directories.all[1].filePath(hash)] != nil)
  }

  /// Its disk has become read-only, which no option says.
  @Test func aDamagedFileThatMustStayStopsNoWriting() throws {
    let world = try BlockWorld(seed: 1)
    let bytes = noise(1000)
    world.files.setFree(3 << 20, below: "/data/a")
    world.files.setFree(2 << 20, below: "/data/b")
    let service = try world.open(two) { $0.reserve = .bytes(0) }
    let hash = try world.run { try await service.put(bytes, world.upload()) }
    let damaged = service.store.directories.all[0].filePath(hash)
    world.files[damaged]?[300] ^= 1
    world.files.setReadOnly("/data/a")
    _ = try world.run { try await service.put(bytes, world.upload()) }
    #expect(world.files[service.store.directories.all[1].filePath(hash)] != nil)
    let read = try world.run { try await service.bytes(hash) }
    #expect(read == bytes)
  }

  @Test func aFolderThatIsGoneIsNoFullDisk() throws {
    let world = try BlockWorld(seed: 1)
    let first = try world.open(one)
    world.files.removeFolder("/data/a/tmp")
    #expect(throws: FileError.self) {
      try world.run { _ = try await first.put(noise(100), world.upload()) }
    }
    let directory = first.store.directories.all[0]
    #expect(directory.writeFault != nil && !directory.isLost)
    let second = try world.open(one)
    _ = try world.run { try await second.put(noise(100), world.upload()) }
  }

  /// A killed process may have renamed files there whose names are not on stable storage yet.
  @Test func aReadOnlyDirectoryIsSynchronisedAtTheStart() throws {
    let world = try BlockWorld(seed: 1)
    _ = try world.open(one)
    let paths = (0..<20).map { "/data/a/00/" + String(repeating: "0", count: 62) + "\($0 + 10)" }
    for path in paths {
      world.files["/data/a/tmp/x"] = [1]
      try world.files.rename("/data/a/tmp/x", to: path)
    }
    _ = try world.open([DataDirectoryOptions(path: "/data/a", isReadOnly: true), two[1]])
    world.files.restorePower(SeededRandom(seed: 1))
    for path in paths { #expect(world.files[path] == [1]) }
  }

  @Test func aDiskThatIsMountedElsewhereIsRemembered() throws {
    let world = try BlockWorld(seed: 1)
    let first = try world.open(one)
    _ = try world.run { try await first.put(noise(100_000), world.upload()) }
    try world.run {
      first.start()
      try await world.runtime.sleep(for: .seconds(1))
      await first.stop()
    }
    let usedBytes = first.store.directories.all[0].usedBytes
    #expect(usedBytes > 100_000)
    for (path, content) in world.files.unmount("/data/a") {
      world.files["/data/z" + path.dropFirst("/data/a".count)] = content
    }
    let second = try world.open([DataDirectoryOptions(path: "/data/z")])
    #expect(second.store.directories.all[0].usedBytes == usedBytes)
    #expect(!second.store.directories.all[0].keepsUnknown)
  }

  @Test func aDirectoryThatIsAwayIsNeitherCountedNorSwept() throws {
    let world = try BlockWorld(seed: 1)
    let orphan = "/data/a/00/" + String(repeating: "0", count: 64)
    let first = try world.open(two)
    try world.run {
      first.start()
      try await world.runtime.sleep(for: .seconds(1))
      for seed in 1...8 as ClosedRange<UInt64> {
        _ = try await first.put(noise(10_000, seed: seed), world.upload())
      }
    }
    let used = first.store.directories.all.map(\.usedBytes)
    let taken = world.files.unmount("/data/a")
    _ = try world.run { try await first.check() }
    #expect(first.store.directories.all.map(\.usedBytes) == used)

    // Killed, started without the disk, stopped, started with it.
    let second = try world.open(two)
    try world.run {
      second.start()
      try await world.runtime.sleep(for: .seconds(1))
      await second.stop()
    }
    for (path, content) in taken { world.files[path] = content }
    world.files[orphan] = [1]
    let third = try world.open(two)
    try world.run {
      third.start()
      try await world.runtime.sleep(for: .seconds(2000))
      await third.stop()
    }
    #expect(world.files[orphan] == nil)
  }

  @Test func aLostDirectoryIsNotFilledAnew() throws {
    let world = try BlockWorld(seed: 1)
    let first = try world.open(two)
    let hash = try world.run { try await first.put(noise(100), world.upload()) }
    let home = try #require(
      first.store.directories.all.first { world.files[$0.filePath(hash)] != nil })
    let taken = world.files.unmount(home.path)

    // Reading says why; writing goes elsewhere; nothing is created under the mount point.
    #expect(throws: BlockError.self) { try world.run { try await first.bytes(hash) } }
    #expect(home.isLost)
    let other = try world.run { try await first.put(noise(200), world.upload()) }
    #expect(try world.run { try await first.bytes(other) } == noise(200))
    #expect(world.files.paths.allSatisfy { !$0.hasPrefix(home.path + "/") })

    // So does a restart.
    let second = try world.open(two)
    #expect(second.store.directories.missing == [home.path])
    #expect(second.store.directories.all.map(\.path) == two.map(\.path).filter { $0 != home.path })
    #expect(world.files.paths.allSatisfy { !$0.hasPrefix(home.path + "/") })

    // When the disk is back, so are its blocks.
    for folder in Set(taken.keys.map { String($0.dropLast(64)).trimmedSlash }) {
      world.files.addFolder(folder)
    }
    for (path, content) in taken { world.files[path] = content }
    let third = try world.open(two)
    #expect(try world.run { try await third.bytes(hash) } == noise(100))
  }

  @Test func theOnlyDirectoryLostStopsTheNode() throws {
    let world = try BlockWorld(seed: 1)
    _ = try world.open(one)
    _ = world.files.unmount("/data/a")
    #expect(throws: BlockError.self) { try world.open(one) }
  }

  @Test func aDirectoryThatCannotBeWrittenLeavesItsWorkToTheOthers() throws {
    let world = try BlockWorld(seed: 1)
    world.files.setFree(3 << 20, below: "/data/a")
    world.files.setFree(2 << 20, below: "/data/b")
    let service = try world.open(two) { $0.reserve = .bytes(0) }
    world.files.setReadOnly("/data/a")
    let hash = try world.run { try await service.put(noise(100), world.upload()) }
    let all = service.store.directories.all
    #expect(world.files[all[1].filePath(hash)] != nil)
    #expect(all[0].writeFault != nil)
    #expect(all[1].writeFault == nil)
  }

  @Test func aNewBlockGoesWhereThereIsMostRoom() throws {
    let world = try BlockWorld(seed: 1)
    world.files.setFree(3 << 20, below: "/data/a")
    world.files.setFree(2 << 20, below: "/data/b")
    let service = try world.open(two) { $0.reserve = .bytes(1 << 20) }
    var inA = 0
    for seed in 0..<20 as Range<UInt64> {
      let hash = try world.run {
        try await service.put(noise(100_000, seed: seed + 9), world.upload())
      }
      if world.files[service.store.directories.all[0].filePath(hash)] != nil { inA += 1 }
    }
    // A has 1 MiB more, so it gets ten blocks alone, then they take turns.
    #expect((14...16).contains(inA), "\(inA)")
  }

  @Test func disksMayReportMoreRoomThanCanBeCounted() throws {
    let world = try BlockWorld(seed: 1)
    world.files.setFree(.max, below: "/data/a")
    world.files.setFree(.max, below: "/data/b")
    let service = try world.open(two) { $0.reserve = .bytes(0) }
    #expect(service.store.directories.measureRoomBytes() == .max)
  }

  @Test func theReserveIsKeptAndReadsAndDeletesGoOn() throws {
    let world = try BlockWorld(seed: 1)
    world.files.setFree(1 << 20, below: "/data/a")
    let service = try world.open(one) { $0.reserve = .bytes(900_000) }
    let upload = world.upload()
    let hash = try world.run { try await service.put(noise(100_000), upload) }
    let error = #expect(throws: BlockError.self) {
      try world.run { _ = try await service.put(noise(100_000, seed: 2), world.upload()) }
    }
    guard case .storageFull = error else { throw error ?? BlockError.unusable("no error") }
    #expect(try world.run { try await service.bytes(hash) } == noise(100_000))
    #expect(world.files.paths.count == 2)
    try world.run {
      try await service.releaseAll(of: upload)
      try await world.runtime.sleep(for: .seconds(601))
      #expect(try await service.deleteDue() == 1)
    }
    #expect(world.files.paths == ["/data/a/grange-data"])
  }

  @Test func aDiskThatIsFullAfterAllLeavesNothingBehind() throws {
    let world = try BlockWorld(seed: 1)
    let service = try world.open(one) { $0.reserve = .bytes(0) }
    world.files.setFree(100_100, below: "/data/a")
    #expect(throws: BlockError.self) {
      try world.run { _ = try await service.put(noise(100_000), world.upload()) }
    }
    #expect(world.files.paths == ["/data/a/grange-data"])
  }

  @Test func aCapacityIsKept() throws {
    let world = try BlockWorld(seed: 1)
    let limited = [DataDirectoryOptions(path: "/data/a", capacityBytes: 250_000)]
    let first = try world.open(limited)
    for seed in 1...2 as ClosedRange<UInt64> {
      _ = try world.run { try await first.put(noise(100_000, seed: seed), world.upload()) }
    }
    #expect(throws: BlockError.self) {
      try world.run { _ = try await first.put(noise(100_000, seed: 3), world.upload()) }
    }
    var service = first
    // What the directory takes is known after a clean stop, and counted again after another.
    for isClean in [true, false] {
      let before = service
      try world.run {
        before.start()
        try await world.runtime.sleep(for: .seconds(1))
        if isClean { await before.stop() }
      }
      let after = try world.open(limited)
      try world.run {
        after.start()
        try await world.runtime.sleep(for: .seconds(1))
        await #expect(throws: BlockError.self) {
          _ = try await after.put(noise(100_000, seed: 3), world.upload())
        }
      }
      service = after
    }
  }

  @Test func aReadOnlyDirectoryIsReadAndGetsNothingNew() throws {
    let world = try BlockWorld(seed: 1)
    let first = try world.open(one)
    let hash = try world.run { try await first.put(noise(100), world.upload()) }
    let options = [DataDirectoryOptions(path: "/data/a", isReadOnly: true), two[1]]
    let second = try world.open(options)
    #expect(try world.run { try await second.bytes(hash) } == noise(100))
    let other = try world.run { try await second.put(noise(200), world.upload()) }
    #expect(world.files[second.store.directories.all[1].filePath(other)] != nil)
    #expect(throws: BlockError.self) {
      try world.open([DataDirectoryOptions(path: "/data/c", isReadOnly: true), two[1]])
    }
  }

  @Test func blocksThatANewDatabaseDoesNotKnowAreKept() throws {
    let world = try BlockWorld(seed: 1)
    let first = try world.open(one)
    let hash = try world.run { try await first.put(noise(100), world.upload()) }
    let path = try #require(first.store.directories.all.first).filePath(hash)
    let file = try #require(world.files[path])
    let marker = try #require(world.files["/data/a/grange-data"])

    // The same disk under a database that was made anew.
    let other = try BlockWorld(seed: 2)
    for folder in ["/data/a", String(path.dropLast(68)), String(path.dropLast(65))] {
      other.files.addFolder(folder)
    }
    other.files[path] = file
    other.files["/data/a/grange-data"] = marker
    for _ in 0..<2 {
      let service = try other.open(one)
      try other.run {
        service.start()
        try await other.runtime.sleep(for: .seconds(2000))
      }
      #expect(other.files[path] == file)
    }
    let service = try other.open(one)
    let report = try other.run { try await service.check(.init(repairing: true)) }
    #expect(report.filesWithoutReference == 1)
    try other.run {
      service.start()
      try await other.runtime.sleep(for: .seconds(2000))
    }
    #expect(other.files[path] == nil)
  }
}

extension String {
  fileprivate var trimmedSlash: String { hasSuffix("/") ? String(dropLast()) : self }
}
