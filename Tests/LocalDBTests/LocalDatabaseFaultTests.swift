import Base
import CSQLite
import Glibc
import LocalDB
import TestStorage
import Synchronization
import Testing

@Suite(.serialized) struct LocalDatabaseFaultTests {
  let folder = TemporaryFolder()
  var file: String { folder.path + "/meta/metadata.sqlite" }

  /// Runs SQL on the database file as another program would.
  private func run(_ sql: String) {
    var handle: OpaquePointer?
    // With checksums of pages.
    let flags = SQLITE_OPEN_READWRITE
    #expect(
      sqlite3_open_v2(file, &handle, flags, CheckedPages.name(over: nil)) == SQLITE_OK)
    #expect(sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK)
    sqlite3_close(handle)
  }

  private func overwrite(_ path: String, at offset: Int, with bytes: [UInt8], flags: Int32 = 0) {
    let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | flags, 0o600)
    #expect(pwrite(descriptor, bytes, bytes.count, off_t(offset)) == bytes.count)
    close(descriptor)
  }

  private func openFaulty(
    _ writing: LocalDatabase.Options.Writing = .thread
  ) throws -> LocalDatabase {
    var options = LocalDatabase.Options(path: folder.path + "/meta")
    options.vfs = FaultyDisk.name
    options.writing = writing
    return try LocalDatabase.open(options, random: SystemRandom.shared)
  }

  @Test func refusesANewerDatabaseAndLeavesIt() throws {
    try folder.open().close()
    run("PRAGMA user_version=4")
    #expect(throws: LocalDBError.newerDatabase(path: file, found: 4, supported: 3)) {
      try folder.open()
    }
    run("PRAGMA user_version=3")
    try folder.open().close()
  }

  @Test func refusesADatabaseOfAnotherProgram() throws {
    try folder.open().close()
    run("PRAGMA application_id=7")
    #expect(throws: LocalDBError.self) { try folder.open() }
  }

  @Test(arguments: ["header", "empty", "log without database", "schema"])
  func refusesADamagedDatabaseAndNeverMakesAnEmptyOne(damage: String) throws {
    try folder.open().close()
    switch damage {
    case "header": overwrite(file, at: 0, with: [0, 0, 0, 0])
    case "empty": truncate(file, 0)
    case "schema": overwrite(file, at: 100, with: [UInt8](repeating: 0xAA, count: 3000))
    default:
      unlink(file)
      overwrite(file + "-wal", at: 0, with: [1])
    }
    for _ in 0..<2 {
      do {
        _ = try folder.open()
        Issue.record("it was opened")
      } catch let error as LocalDBError {
        guard case .corrupt(let path, _) = error else {
          Issue.record("unexpected: \(error)")
          return
        }
        #expect(path == file)
      }
    }
  }

  /// A link that leads in a circle cannot be looked at; one that leads nowhere is a disk that is not mounted.
  @Test(arguments: ["metadata.sqlite", "/nowhere/metadata.sqlite"])
  func aDatabaseThatCannotBeLookedAtIsNotReplaced(target: String) throws {
    mkdir(folder.path + "/meta", 0o700)
    #expect(symlink(target, file) == 0)
    do {
      _ = try folder.open()
      Issue.record("it was opened")
    } catch let error as LocalDBError {
      guard case .failure(let path, _) = error else {
        Issue.record("unexpected: \(error)")
        return
      }
      #expect(path == file)
    }
    var buffer = [CChar](repeating: 0, count: 100)
    #expect(readlink(file, &buffer, buffer.count) == target.utf8.count)
  }

  @Test func aDatabaseThatCannotBeReadIsNotCalledDamaged() throws {
    mkdir(folder.path + "/meta", 0o700)
    mkdir(file, 0o700)
    #expect(throws: LocalDBError.failure(path: file, detail: "Is a directory")) {
      _ = try folder.open()
    }
  }

  @Test func aDraftOfAnInterruptedCreationIsReplaced() throws {
    mkdir(folder.path + "/meta", 0o700)
    overwrite(file + ".new", at: 0, with: Array("half".utf8))
    overwrite(file + ".new-wal", at: 0, with: Array("half".utf8))
    let database = try folder.open()
    #expect(database.wasCreated)
    #expect(access(file + ".new", F_OK) != 0)
  }

  @Test func theFullCheckFindsADamagedPage() async throws {
    do {
      let database = try folder.open()
      let tree = try database.tree("a")
      try await database.write { transaction in
        for number in 0..<UInt8(200) {
          try transaction.put(tree, [number], [UInt8](repeating: number, count: 500))
        }
      }
      #expect(try database.integrityFaults() == [])
      database.close()
    }
    overwrite(file, at: 4096 * 6, with: [UInt8](repeating: 0xAA, count: 4096))
    let database = try folder.open()
    #expect(try !database.integrityFaults().isEmpty)
  }

  /// The last of them comes when the log has been written: its index needs a second part.
  @Test(
    arguments: [LocalDatabase.Options.Writing.thread, .inline],
    [FaultyDisk.Fault.fullOnWrite, .quotaOnWrite, .fullOnIndex])
  func aFullDiskFailsTheWriteAndNoLaterOne(
    writing: LocalDatabase.Options.Writing, fault: FaultyDisk.Fault
  ) async throws {
    let database = try openFaulty(writing)
    let tree = try database.tree("a")
    let large = [UInt8](repeating: 1, count: Tree.valueBytesMax)
    FaultyDisk.set(fault)
    defer { FaultyDisk.set(.none) }
    await #expect(throws: LocalDBError.diskFull(path: file)) {
      try await database.write {
        for key in [UInt8(1), 2] { try $0.put(tree, [key], large) }
      }
    }
    #expect(try database.get(tree, [1]) == nil)
    FaultyDisk.set(.none)
    try await database.write { try $0.put(tree, [2], large) }
    #expect(try database.get(tree, [2]) == large)
    #expect(database.commitNumber == 1)
  }

  /// What the writer keeps in memory goes with the transaction.
  @Test(arguments: [LocalDatabase.Options.Writing.thread, .inline])
  func aCommitThatFailedLeavesNoGatheredValue(
    writing: LocalDatabase.Options.Writing
  ) async throws {
    let database = try openFaulty(writing)
    let tree = try database.tree("a", gathering: true)
    try await database.write { try $0.put(tree, [1], [1]) }
    FaultyDisk.set(.fullOnWrite)
    defer { FaultyDisk.set(.none) }
    await #expect(throws: LocalDBError.diskFull(path: file)) {
      try await database.write {
        try $0.put(tree, [1], [2])
        try $0.put(tree, [2], [2])
      }
    }
    FaultyDisk.set(.none)
    let seen = try await database.write { try [$0.get(tree, [1]), $0.get(tree, [2])] }
    #expect(seen == [[1], nil])
  }

  /// An observer that notes what it is told, and what a reader sees of key 1 at that moment.
  private func observer(
    _ database: LocalDatabase, _ tree: Tree, _ notes: Notes
  ) -> CommitObserver {
    CommitObserver(
      willCommit: { notes.add("will", try? database.get(tree, [1])) },
      didEnd: { notes.add("did", try? database.get(tree, [1])) })
  }

  private final class Notes: Sendable {
    private let list = Mutex<[String]>([])

    func add(_ event: String, _ value: [UInt8]?) {
      list.withLock { $0.append("\(event) \(value.map { "\($0[0])" } ?? "-")") }
    }

    var all: [String] { list.withLock { $0 } }
  }

  @Test(arguments: [LocalDatabase.Options.Writing.thread, .inline])
  func anObserverIsToldBeforeReadersSeeAChangeAndWhenItIsOver(
    writing: LocalDatabase.Options.Writing
  ) async throws {
    let database = try openFaulty(writing)
    let tree = try database.tree("a")
    let notes = Notes()
    try await database.write { transaction in
      try transaction.put(tree, [1], [1])
      transaction.observeCommit(observer(database, tree, notes))
    }
    #expect(notes.all == ["will -", "did 1"])
    FaultyDisk.set(.fullOnWrite)
    defer { FaultyDisk.set(.none) }
    await #expect(throws: LocalDBError.diskFull(path: file)) {
      try await database.write { transaction in
        try transaction.put(tree, [1], [2])
        transaction.observeCommit(observer(database, tree, notes))
      }
    }
    #expect(notes.all.dropFirst(2) == ["will 1", "did 1"])
    FaultyDisk.set(.none)
    struct Refused: Error {}
    await #expect(throws: Refused.self) {
      try await database.write { transaction in
        try transaction.put(tree, [1], [3])
        transaction.observeCommit(observer(database, tree, notes))
        throw Refused()
      }
    }
    try await database.write { try $0.put(tree, [2], [2]) }
    #expect(notes.all.count == 4)
  }

  @Test func afterAFailedSyncNothingIsAcknowledgedUntilTheDatabaseIsOpenedAgain() async throws {
    do {
      let database = try openFaulty()
      let tree = try database.tree("a")
      try await database.write { try $0.put(tree, [1], [1]) }
      FaultyDisk.set(.errorOnSync)
      defer { FaultyDisk.set(.none) }
      await #expect(throws: LocalDBError.self) {
        try await database.write { try $0.put(tree, [2], [2]) }
      }
      FaultyDisk.set(.none)
      do {
        try await database.write { try $0.put(tree, [3], [3]) }
        Issue.record("acknowledged after a failed sync")
      } catch let error as LocalDBError {
        guard case .readOnlyAfterFailure = error else {
          Issue.record("unexpected: \(error)")
          return
        }
      }
      #expect(try database.get(tree, [1]) == [1])
      #expect(try database.get(tree, [3]) == nil)
      #expect(database.commitNumber == 1)
    }
    let database = try folder.open()
    let tree = try database.tree("a")
    try await database.write { try $0.put(tree, [3], [3]) }
    #expect(try database.get(tree, [1]) == [1])
  }

  /// A second checkpoint would not write again what the first one may have lost.
  @Test func afterACheckpointWhoseSyncFailedTheLogIsKeptUntilTheDatabaseIsOpenedAgain() throws {
    let database = try openFaulty()
    let tree = try database.tree("a")
    try database.writeBlocking { try $0.put(tree, [1], [1]) }
    FaultyDisk.set(.errorOnSync)
    defer { FaultyDisk.set(.none) }
    #expect(throws: LocalDBError.self) { try database.checkpoint() }
    FaultyDisk.set(.none)
    do {
      try database.writeBlocking { try $0.put(tree, [2], [2]) }
      Issue.record("acknowledged after a failed sync")
    } catch LocalDBError.readOnlyAfterFailure {}
    #expect(throws: LocalDBError.self) { try database.checkpoint() }
    database.close()
    #expect(access(file + "-wal", F_OK) == 0)
    let again = try folder.open()
    #expect(try again.get(again.tree("a"), [1]) == [1])
    again.close()
    #expect(access(file + "-wal", F_OK) != 0)
  }

  /// What the kernel remembers of the log may never have reached the disk.
  @Test func aLogThatIsFoundIsWrittenAgainBeforeItIsReliedUpon() throws {
    let database = try folder.open()
    let tree = try database.tree("a")
    let value = [UInt8](repeating: 7, count: 3 << 20)
    try database.writeBlocking { try $0.put(tree, [1], value) }
    let copy = folder.path + "/copy"
    mkdir(copy, 0o700)
    for name in ["metadata.sqlite", "metadata.sqlite-wal"] {
      try copyFile(folder.path + "/meta/" + name, copy + "/" + name)
    }
    let log = copy + "/metadata.sqlite-wal"
    let longAgo = [timespec(tv_sec: 1, tv_nsec: 0), timespec(tv_sec: 1, tv_nsec: 0)]
    #expect(utimensat(AT_FDCWD, log, longAgo, 0) == 0)
    let second = try LocalDatabase.open(.init(path: copy), random: SystemRandom.shared)
    var status = stat()
    #expect(stat(log, &status) == 0)
    #expect(status.st_mtim.tv_sec != 1)
    #expect(try second.get(second.tree("a"), [1]) == value)
  }

  /// `/dev/null` is empty and cannot be synced.
  @Test func aLogThatCannotBeSyncedIsNotReliedUpon() throws {
    try folder.open().close()
    let log = folder.path + "/meta/metadata.sqlite-wal"
    #expect(symlink("/dev/null", log) == 0)
    let error = #expect(throws: LocalDBError.self) { _ = try folder.open() }
    #expect(error == .failure(path: log, detail: "Invalid argument"))
  }

  /// A sync of a file that grew has to write where it ends too; what is behind the last commit is no commit.
  @Test func theLogGrowsOnceInManyCommits() throws {
    let database = try folder.open("meta", .inline)
    let tree = try database.tree("a")
    var sizes: Set<off_t> = []
    for number in 0..<UInt8(100) {
      try database.writeBlocking { try $0.put(tree, [number], [UInt8](repeating: 7, count: 999)) }
      var status = stat()
      #expect(stat(file + "-wal", &status) == 0)
      if number >= 20 { sizes.insert(status.st_size) }
    }
    #expect(sizes.count <= 6)
    let copy = folder.path + "/copy"
    mkdir(copy, 0o700)
    for name in ["metadata.sqlite", "metadata.sqlite-wal"] {
      try copyFile(folder.path + "/meta/" + name, copy + "/" + name)
    }
    let second = try LocalDatabase.open(.init(path: copy), random: SystemRandom.shared)
    #expect(second.commitNumber == 100)
    #expect(try second.get(second.tree("a"), [99])?.count == 999)
    #expect(try second.integrityFaults().isEmpty)
  }

  @Test func aDiskThatCannotReadIsNotADamagedDatabase() throws {
    let database = try openFaulty()
    let tree = try database.tree("a")
    try database.writeBlocking { try $0.put(tree, [1], [1]) }
    FaultyDisk.set(.errorOnRead)
    defer { FaultyDisk.set(.none) }
    do {
      _ = try database.get(tree, [1])
      Issue.record("it was read")
    } catch LocalDBError.failure {}
    FaultyDisk.set(.none)
    #expect(try database.get(tree, [1]) == [1])
  }

  @Test func everyWriteOfAFailedCommitIsToldSo() async throws {
    let database = try openFaulty()
    let tree = try database.tree("a")
    FaultyDisk.set(.errorOnSync)
    defer { FaultyDisk.set(.none) }
    let acknowledged = await withTaskGroup(of: Bool.self) { group in
      for number in 0..<UInt8(50) {
        group.addTask {
          (try? await database.write { try $0.put(tree, [number], []) }) != nil
        }
      }
      return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(acknowledged == 0)
  }

  @Test func anUncleanEndWithoutFsyncIsANewIncarnation() async throws {
    let first = try folder.open(fsync: false)
    let incarnation = first.incarnation
    first.close()
    let second = try folder.open(fsync: false)
    #expect(second.incarnation == incarnation)
    // A copy of the files while the database is open is what a power cut leaves.
    let copy = folder.path + "/copy"
    mkdir(copy, 0o700)
    for name in ["metadata.sqlite", "metadata.sqlite-wal"] {
      try copyFile(folder.path + "/meta/" + name, copy + "/" + name)
    }
    second.close()
    let third = try LocalDatabase.open(.init(path: copy), random: SystemRandom.shared)
    #expect(third.incarnation != incarnation)
    let kept = third.incarnation
    third.close()
    let fourth = try LocalDatabase.open(.init(path: copy), random: SystemRandom.shared)
    #expect(fourth.incarnation == kept)
  }

  private func copyFile(_ from: String, _ to: String) throws {
    let source = Glibc.open(from, O_RDONLY)
    guard source >= 0 else { return }
    defer { close(source) }
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    var offset = 0
    while true {
      let count = pread(source, &buffer, buffer.count, off_t(offset))
      guard count > 0 else { return }
      overwrite(to, at: offset, with: Array(buffer.prefix(count)))
      offset += count
    }
  }
}
