import Base
import Blocks
import Crypto
import SimulatedWorld
import Testing

@Suite struct BlockFileTests {
  /// A file system with one directory, for files made by hand.
  private func world() throws -> BlockWorld { try BlockWorld(seed: 1) }

  private func file(_ bytes: [UInt8], level: Int32? = nil) throws -> [UInt8] {
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
    defer { scratch.deallocate() }
    return try bytes.withUnsafeBytes { bytes in
      try BlockFile.withParts(
        bytes, hash: BlockHash(naming: bytes), compressor: BlockCompressor(level: level),
        scratch: scratch
      ) { parts in parts.flatMap { Array($0) } }
    }
  }

  /// Puts `file` where the block `hash` belongs, and reads that.
  private func read(
    _ file: [UInt8], _ hash: BlockHash, in world: BlockWorld, _ service: BlockService
  ) throws -> [UInt8] {
    let path = service.store.directories.all[0].filePath(hash)
    world.files[path] = file
    return try world.run { try await service.bytes(hash) }
  }

  @Test func theBytesOfAFileAreAsDocumented() throws {
    let file = try file(Array("hello".utf8))
    let expected =
      "4752414e4745424b" + "01010000" + "00000005" + "00000005" + "00000000"
      + String(repeating: "0", count: 80)
      + "e4cfa39a3d37be31c59609e807970799caa68a19bfaa15135f165085e01d41a6"
      + String(repeating: "0", count: 56) + "6c2282e2" + "9a71bb4c" + "68656c6c6f"
    #expect(Hex.encode(file) == expected)
  }

  @Test func aLongFileIsLaidOutInPages() throws {
    let bytes = noise(256 * 1024 + 1)
    let file = try file(bytes)
    let head = "4752414e4745424b" + "02010000" + "00040001" + "00040001" + "00000000"
    #expect(Hex.encode(file[..<24]) == head)
    #expect(
      Array(file[144..<148])
        == withUnsafeBytes(of: checksum([bytes[256 * 1024]]).bigEndian) { Array($0) })
    #expect(file[148..<4096].allSatisfy { $0 == 0 })
    #expect(Array(file[4096...]) == bytes)
    // A byte less, and the file is that of a program that knows no pages.
    #expect(try self.file(noise(256 * 1024 - 1))[8] == 1)
  }

  @Test(arguments: [BlockFileLayout.compact, .paged])
  func bothLayoutsAreReadWhateverTheLength(layout: BlockFileLayout) throws {
    let world = try world()
    let service = try world.open { $0.blockBytes = 1 << 20 }
    for count in [0, 1, 65_537, 256 * 1024 - 1, 256 * 1024, 1 << 20] {
      let bytes = noise(count)
      let header = BlockFileHeader(
        hash: name(of: bytes), compression: .none, plainLength: count, storedLength: count,
        layout: layout)
      var file = [UInt8](repeating: 0, count: header.storedOffset)
      file.withUnsafeMutableBytes { header.encode(into: $0) }
      for (piece, start) in stride(from: 0, to: count, by: 65_536).enumerated() {
        let sum = checksum(Array(bytes[start..<min(start + 65_536, count)]))
        withUnsafeBytes(of: sum.bigEndian) { sum in
          file.replaceSubrange((128 + 4 * piece)..<(132 + 4 * piece), with: sum)
        }
      }
      #expect(try read(file + bytes, header.hash, in: world, service) == bytes, "\(count) bytes")
    }
  }

  @Test func aBlockReadsBackWhateverItsLength() throws {
    let world = try world()
    let service = try world.open { $0.compressionLevel = 1 }
    for count in [0, 1, 63, 64, 4096, 65_535, 65_536, 65_537, 131_072, 200_000, 256 * 1024] {
      for bytes in [noise(count), prose(count)] {
        let hash = try world.run { try await service.put(bytes, world.upload()) }
        #expect(try world.run { try await service.bytes(hash) } == bytes, "\(count) bytes")
      }
    }
  }

  @Test func aFileOfMoreThanSixteenPiecesReadsBack() throws {
    let world = try world()
    let service = try world.open { $0.blockBytes = 3 << 20 }
    let bytes = noise(3 << 20)
    let hash = try world.run { try await service.put(bytes, world.upload()) }
    #expect(try world.run { try await service.bytes(hash, 0..<(3 << 20)) } == bytes)
  }

  @Test(arguments: [false, true]) func everyFlippedBitIsNoticed(isCompressed: Bool) throws {
    let world = try world()
    let service = try world.open()
    let bytes = isCompressed ? prose(300) : noise(90)
    let whole = try file(bytes, level: isCompressed ? 1 : nil)
    #expect((whole[10] == 1) == isCompressed)
    let hash = name(of: bytes)
    #expect(try read(whole, hash, in: world, service) == bytes)
    for bit in 0..<(whole.count * 8) {
      var damaged = whole
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(throws: BlockError.self, "bit \(bit)") {
        try read(damaged, hash, in: world, service)
      }
    }
  }

  @Test func aTruncatedOrExtendedFileIsNoticed() throws {
    let world = try world()
    let service = try world.open()
    let bytes = noise(100)
    let whole = try file(bytes)
    for count in 0..<whole.count {
      #expect(throws: BlockError.self, "\(count) bytes") {
        try read(Array(whole[..<count]), name(of: bytes), in: world, service)
      }
    }
    #expect(throws: BlockError.self) {
      try read(whole + [0], name(of: bytes), in: world, service)
    }
  }

  @Test func aFileInAWrongPlaceIsNoticed() throws {
    let world = try world()
    let service = try world.open()
    let whole = try file(noise(100, seed: 1))
    #expect(throws: BlockError.self) {
      try read(whole, name(of: noise(100, seed: 2)), in: world, service)
    }
  }

  @Test func bytesThatAreNoFileGiveAnErrorAndNeverTrap() throws {
    let world = try world()
    let service = try world.open()
    let whole = try file(prose(400), level: 1)
    let hash = name(of: prose(400))
    for seed in 0..<2000 as Range<UInt64> {
      let random = SeededRandom(seed: seed)
      var damaged = whole
      for _ in 0...random.below(4) {
        damaged[random.below(damaged.count)] = UInt8(random.below(256))
      }
      // A right checksum over wrong lengths must not be trusted either.
      if random.below(2) == 0 {
        damaged.withUnsafeMutableBytes { bytes in
          bytes.storeBytes(
            of: checksum(Array(bytes[..<124])).bigEndian, toByteOffset: 124, as: UInt32.self)
        }
      }
      if damaged == whole { continue }
      let result = Result { try read(damaged, hash, in: world, service) }
      if case .success(let bytes) = result { #expect(bytes == prose(400), "seed \(seed)") }
    }
  }

  @Test func aFileOfANewerProgramIsRefusedAndLeftAlone() throws {
    let world = try world()
    let service = try world.open()
    let bytes = noise(100)
    for (offset, value) in [(8, 3), (9, 2), (10, 9), (11, 1), (24, 5), (100, 1)] {
      var newer = try file(bytes)
      newer[offset] = UInt8(value)
      newer.withUnsafeMutableBytes { newer in
        newer.storeBytes(
          of: checksum(Array(newer[..<124])).bigEndian, toByteOffset: 124, as: UInt32.self)
      }
      #expect(throws: BlockError.self) { try read(newer, name(of: bytes), in: world, service) }
      let path = service.store.directories.all[0].filePath(name(of: bytes))
      #expect(world.files[path] == newer, "byte \(offset)")
    }
  }

  @Test func aRangeReadsOnlyItsPieces() throws {
    let world = try world()
    let service = try world.open { $0.blockBytes = 1 << 20 }
    let bytes = noise(1 << 20)
    let hash = try world.run { try await service.put(bytes, world.upload()) }
    let path = service.store.directories.all[0].filePath(hash)
    // Damage in a piece that nobody asks for goes unnoticed.
    var damaged = try #require(world.files[path])
    damaged[damaged.count - 1] ^= 1
    world.files[path] = damaged
    let random = SeededRandom(seed: 5)
    for _ in 0..<200 {
      let start = random.below(15 << 16)
      let range = start..<(start + random.below((15 << 16) - start + 1))
      #expect(
        try world.run { try await service.bytes(hash, range) } == Array(bytes[range]), "\(range)")
    }
    #expect(try world.run { try await service.bytes(hash, (2 << 20)..<(3 << 20)) } == [])
    #expect(throws: BlockError.self) {
      try world.run { try await service.bytes(hash, (1 << 20) - 1..<(1 << 20)) }
    }
  }
}

private func checksum(_ bytes: [UInt8]) -> UInt32 { CRC32C.checksum(bytes) }
