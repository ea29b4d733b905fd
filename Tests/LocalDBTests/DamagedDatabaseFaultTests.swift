// Flipped bits in the database and in its log: what was not written is not read.

import Base
import CSQLite
import Glibc
import LocalDB
import TestStorage
import Testing

@Suite struct DamagedDatabaseFaultTests {
  let folder = TemporaryFolder()
  var file: String { folder.path + "/meta/metadata.sqlite" }
  var log: String { file + "-wal" }

  private static let pageBytes = 8192
  private static let frameBytes = 24 + pageBytes
  private static let logHeaderBytes = 32

  private func contents(_ path: String) -> [UInt8] {
    let descriptor = open(path, O_RDONLY)
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return [] }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    #expect(pread(descriptor, &bytes, bytes.count, 0) == bytes.count)
    return bytes
  }

  private func replace(_ path: String, _ bytes: [UInt8]) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    #expect(write(descriptor, bytes, bytes.count) == bytes.count)
    close(descriptor)
  }

  /// The log without the room behind its end.
  private func frames(of log: [UInt8]) -> [UInt8] {
    var end = Self.logHeaderBytes
    while end + Self.frameBytes <= log.count, log[(end + 8)..<(end + 16)] == log[16..<24] {
      end += Self.frameBytes
    }
    return Array(log[..<end])
  }

  private func value(_ number: Int) -> [UInt8] {
    (0..<3000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ number) }
  }

  /// A database of `count` values, one commit each; a killed process leaves its log.
  private func fill(_ count: Int, isKilled: Bool) throws {
    let database = try folder.open()
    let tree = try database.tree("a")
    for number in 0..<count {
      try database.writeBlocking { try $0.put(tree, [UInt8(number)], self.value(number)) }
    }
    let left = isKilled ? [contents(file), frames(of: contents(log))] : []
    database.close()
    if isKilled {
      replace(file, left[0])
      replace(log, left[1])
    }
  }

  /// How many values are there, from the first on without a gap, all as they were written.
  private func readAll() throws -> Int {
    let database = try folder.open()
    defer { database.close() }
    let tree = try database.tree("a")
    var count = 0
    try database.scan(tree) { key, found in
      #expect(Array(key) == [UInt8(count)])
      #expect(Array(found) == self.value(count))
      count += 1
      return true
    }
    for number in 0..<count {
      #expect(try database.get(tree, [UInt8(number)]) == value(number))
    }
    return count
  }

  private func expectDamaged(_ sourceLocation: SourceLocation = #_sourceLocation) {
    do {
      _ = try readAll()
      Issue.record("it was read", sourceLocation: sourceLocation)
    } catch LocalDBError.corrupt {
    } catch {
      Issue.record(error, sourceLocation: sourceLocation)
    }
  }

  @Test func aFlippedBitInAnyPageIsFound() throws {
    try fill(40, isKilled: false)
    #expect(try readAll() == 40)
    let whole = contents(file)
    let seed = UInt64.random(in: 0 ... .max)
    var random = Seeded(seed)
    for page in 0..<(whole.count / Self.pageBytes) {
      var damaged = whole
      damaged[page * Self.pageBytes + random.below(Self.pageBytes)] ^= 1 << UInt8(random.below(8))
      replace(file, damaged)
      do {
        #expect(try readAll() == 40, "seed \(seed), page \(page)")
        // Only what nothing leads to: unused pages.
        #expect(try folder.open().integrityFaults() == [], "seed \(seed), page \(page)")
      } catch LocalDBError.corrupt {}
    }
  }

  /// All pages with content are read by `readAll`, so one that is another's must be found.
  @Test func aPageInThePlaceOfAnotherIsFound() throws {
    try fill(40, isKilled: false)
    var damaged = contents(file)
    let (from, to) = (20 * Self.pageBytes, 21 * Self.pageBytes)
    damaged.replaceSubrange(to..<(to + Self.pageBytes), with: damaged[from..<to])
    replace(file, damaged)
    expectDamaged()
  }

  @Test(arguments: [0, 20, 24, 30])
  func aDamagedHeadOfTheLogIsRefused(offset: Int) throws {
    try fill(6, isKilled: true)
    var damaged = contents(log)
    damaged[offset] ^= 4
    replace(log, damaged)
    expectDamaged()
    #expect(contents(log) == damaged)
  }

  @Test func aDamagedFrameBeforeTheLastCommitIsRefused() throws {
    try fill(6, isKilled: true)
    let whole = contents(log)
    let frames = (whole.count - Self.logHeaderBytes) / Self.frameBytes
    for frame in [0, frames / 2, frames - 12] {
      for offset in [0, 5, 9, 17, 24, 3000] {
        var damaged = whole
        damaged[Self.logHeaderBytes + frame * Self.frameBytes + offset] ^= 0x20
        replace(log, damaged)
        expectDamaged()
      }
    }
    replace(log, whole)
    #expect(try readAll() == 6)
  }

  /// As after a power cut: what was being written last does not count.
  @Test func aLogThatEndsTooEarlyIsTakenUpToItsLastWholeCommit() throws {
    try fill(6, isKilled: true)
    let (database, whole) = (contents(file), contents(log))
    var counts: Set<Int> = []
    for lost in stride(from: 1, to: 12 * Self.frameBytes, by: Self.frameBytes / 2) {
      replace(file, database)
      replace(log, Array(whole.dropLast(lost)))
      counts.insert(try readAll())
    }
    #expect(counts.contains(5))
  }

  @Test func aDamagedLastFrameIsAnInterruptedCommit() throws {
    try fill(6, isKilled: true)
    var damaged = contents(log)
    damaged[damaged.count - 100] ^= 1
    replace(log, damaged)
    #expect(try readAll() == 5)
  }

  /// A commit that fails leaves its frames behind the end of the log, and the next one writes over a part of them.
  @Test func framesOfFailedCommitsBehindTheEndAreNoDamage() throws {
    try fill(5, isKilled: true)
    let (database, beginning) = (contents(file), contents(log))
    var tails: [[UInt8]] = []
    for size in [30_000, 60_000, 90_000] {
      replace(file, database)
      replace(log, beginning)
      let database = try folder.open()
      let tree = try database.tree("b")
      try database.writeBlocking { try $0.put(tree, [0], [UInt8](repeating: 1, count: size)) }
      tails.append(frames(of: contents(log)))
      database.close()
    }
    var log = tails[2]
    for tail in [tails[1], tails[0]] { log.replaceSubrange(..<tail.count, with: tail) }
    replace(file, database)
    replace(self.log, log)
    #expect(try readAll() == 5)
    let again = try folder.open()
    #expect(try again.get(again.tree("b"), [0])?.count == 30_000)
  }

  @Test func aPageOfTheLogThatChangesWhileTheDatabaseIsOpenIsNotRead() throws {
    let database = try folder.open()
    let tree = try database.tree("a")
    try database.writeBlocking { try $0.put(tree, [0], self.value(0)) }
    let bytes = contents(log)
    let descriptor = open(log, O_WRONLY)
    defer { close(descriptor) }
    let place = try #require(
      bytes.indices.last { bytes[$0...].starts(with: self.value(0)[2500..<2600]) })
    #expect(pwrite(descriptor, [bytes[place] ^ 1], 1, off_t(place)) == 1)
    do {
      _ = try database.get(tree, [0])
      Issue.record("it was read")
    } catch LocalDBError.corrupt {}
    #expect(throws: LocalDBError.self) { try database.checkpoint() }
  }

  /// The pages that an earlier process left in the log, too.
  @Test func aPageOfTheLogThatWasFoundAndChangesIsNotRead() throws {
    try fill(6, isKilled: true)
    let database = try folder.open()
    let tree = try database.tree("a")
    let bytes = contents(log)
    let descriptor = open(log, O_WRONLY)
    defer { close(descriptor) }
    let part = value(3)[2500..<2600]
    let places = bytes.indices.filter { bytes[$0] == part.first && bytes[$0...].starts(with: part) }
    #expect(!places.isEmpty)
    for place in places {
      #expect(pwrite(descriptor, [bytes[place] ^ 1], 1, off_t(place)) == 1)
    }
    #expect(throws: LocalDBError.self) { try database.get(tree, [3]) }
    #expect(throws: LocalDBError.self) { try database.checkpoint() }
  }

  /// SQLite reads the rest of a long value like this from version 3.45 on, past its page cache.
  @Test func aPartOfADamagedPageIsNotRead() throws {
    try fill(40, isKilled: false)
    var damaged = contents(file)
    damaged[20 * Self.pageBytes + 7000] ^= 1
    replace(file, damaged)
    var handle: OpaquePointer?
    defer { sqlite3_close(handle) }
    _ = try folder.open()
    #expect(
      sqlite3_open_v2(file, &handle, SQLITE_OPEN_READWRITE, CheckedPages.name(over: nil))
        == SQLITE_OK)
    var pointer: UnsafeMutablePointer<sqlite3_file>?
    sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, &pointer)
    let file = try #require(pointer)
    let methods = try #require(file.pointee.pMethods?.pointee)
    var bytes = [UInt8](repeating: 0, count: 2000)
    for (page, isWhole) in [(19, true), (20, false), (21, true)] {
      let offset = page * Self.pageBytes + 4
      let result = methods.xRead(file, &bytes, 2000, Int64(offset))
      #expect((result == SQLITE_OK) == isWhole)
      if isWhole { #expect(bytes[...] == damaged[offset..<(offset + 2000)]) }
    }
    #expect(methods.xRead(file, &bytes, 2000, Int64(damaged.count + 4)) != SQLITE_OK)
  }

  /// The log says how many pages there are, so SQLite does not miss them.
  @Test func aDatabaseFileThatWasCutIsNotReadAsZeros() throws {
    try fill(40, isKilled: false)
    let cut = contents(file)
    let database = try folder.open()
    let tree = try database.tree("a")
    try database.writeBlocking { try $0.put(tree, [0], self.value(0)) }
    let log = frames(of: contents(log))
    database.close()
    for pages in 1..<40 {
      replace(file, Array(cut.dropLast(pages * Self.pageBytes)))
      replace(self.log, log)
      expectDamaged()
    }
  }

  /// What needs the page fails, and none of those that share its transaction.
  @Test func aDamagedPageIsInNobodyElsesWay() async throws {
    var database = try folder.open()
    var tree = try database.tree("a")
    try database.writeBlocking { try $0.put(tree, [7], [UInt8](repeating: 0xA7, count: 6000)) }
    database.close()
    var damaged = contents(file)
    let place = try #require(damaged.lastIndex(of: 0xA7))
    damaged[place] ^= 1
    replace(file, damaged)
    database = try folder.open()
    tree = try database.tree("a")
    let other = try database.tree("b")
    let damagedTree = tree
    let bodies = (0..<32).map { number in
      { @Sendable (transaction: WriteTransaction) throws in
        try transaction.put(other, [UInt8(number)], [1])
        if number % 10 == 7 { _ = try transaction.get(damagedTree, [7]) }
      }
    }
    for (number, error) in await together(database, bodies).enumerated() {
      if number % 10 == 7 {
        guard case LocalDBError.corrupt? = error else {
          Issue.record("\(number): \(error.map { "\($0)" } ?? "kept")")
          continue
        }
      } else {
        #expect(error == nil)
      }
      #expect(try database.get(other, [UInt8(number)]) == (number % 10 == 7 ? nil : [1]))
    }
  }

  /// A power cut after commits without fsync; then every commit is synced, and the process dies.
  @Test func whatAPowerCutLeftOfALogWithoutFsyncIsNoDamageLater() throws {
    var database = try folder.open(fsync: false)
    var tree = try database.tree("a")
    for number in 0..<UInt8(12) {
      try database.writeBlocking { try $0.put(tree, [number], self.value(Int(number))) }
    }
    var left = (contents(file), frames(of: contents(log)))
    database.close()
    let frame = left.1.count / Self.frameBytes / 2
    left.1[Self.logHeaderBytes + frame * Self.frameBytes + 100] ^= 1
    replace(file, left.0)
    replace(log, left.1)
    database = try folder.open()
    tree = try database.tree("a")
    try database.writeBlocking { try $0.put(tree, [20], [1]) }
    left = (contents(file), contents(log))
    database.close()
    replace(file, left.0)
    replace(log, left.1)
    database = try folder.open()
    #expect(try database.get(database.tree("a"), [20]) == [1])
  }

  @Test func roomIsWhatTheDiskHasBeyondTheReserve() throws {
    var options = LocalDatabase.Options(path: folder.path + "/meta")
    options.reserve = .bytes(.max)
    let database = try LocalDatabase.open(options, random: SystemRandom.shared)
    #expect(!database.hasRoom)
    #expect(!database.measureRoom())
    // Deletions are writes too.
    let tree = try database.tree("a")
    try database.writeBlocking { try $0.put(tree, [1], [1]) }
    #expect(try folder.open("other").hasRoom)
  }
}

/// Numbers that a seed repeats.
private struct Seeded {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func below(_ bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % bound
  }
}
